"""A server in a process of its own: it serves until it is told to end, and whoever asks meanwhile gets its status."""

import contextlib
import logging
import queue
import resource
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from pyrochat.commands.shell import end_on_signals
from pyrochat.room.server import MOST_DESCRIPTORS, Server, descriptor_limit
from pyrochat.threads import Defects
from pyrochat.values.errors import CannotHost

if TYPE_CHECKING:
    from pyrochat.commands.dashboard import Dashboard

log = logging.getLogger(__name__)

_status_log = logging.getLogger(f"{__name__}.status")
_status_log.setLevel(logging.INFO)  # whoever asks gets it, whatever else is logged

_FEWEST_DESCRIPTORS = 128


def serve_until_signal(
    serving: Server, dashboard: "Dashboard | None" = None, begin: Callable[[], object] = lambda: None,
    *, stays: bool = False,
) -> None:  # fmt: skip
    """Serve until SIGINT, SIGTERM or SIGHUP, showing *dashboard* meanwhile.

    begin: called first of all; who is told by it that the rooms are ready may end them at once.
    stays: a SIGHUP does not end it, also where its terminal is gone: it logs its status.
    """
    asked: queue.SimpleQueue[int] = (
        queue.SimpleQueue()
    )  # takes what a signal's handler puts there, whatever it interrupts
    with contextlib.suppress(KeyboardInterrupt):
        end_on_signals(_interrupt)
        if stays:
            signal.signal(signal.SIGHUP, lambda number, frame: asked.put(number))
        begin()
        with dashboard or contextlib.nullcontext():
            show_until_closed(serving, dashboard, asked)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it is ending: a second Ctrl-C must not cut that short


def show_until_closed(
    serving: Server, dashboard: "Dashboard | None", asked: queue.SimpleQueue[int] | None = None, seconds: float = 1.0
) -> None:
    """Wait until *serving* is closed, and draw *dashboard* each so many *seconds*: what goes wrong there ends nothing.

    asked: an entry is somebody who wants to know the rooms' status.
    """
    defects = Defects(log)
    while not serving.wait(seconds):
        if asked is not None and not asked.empty():
            asked.get()
            _log_status(serving)
        if dashboard is not None:
            try:
                dashboard.refresh()
            except Exception as error:
                defects.tell("the dashboard", error)


def _log_status(serving: Server) -> None:
    for room in serving.status():
        connected = [session for session in room.sessions if session.connected]
        _status_log.info(
            "room %s: %d messages, %d members, %d sessions, %d of them lost, the last is %d messages behind%s",
            room.room, room.tail, room.members, len(room.sessions), len(room.sessions) - len(connected),
            max((session.lag for session in connected), default=0), f"; {room.loss}" if room.loss else "",
        )  # fmt: skip
    _status_log.info("%d connections at %s", serving.connection_count, serving.at)


def _interrupt() -> None:
    raise KeyboardInterrupt


def raise_descriptor_limit() -> None:
    """Allow this process as many open files as the system lets it. Raises CannotHost where those are too few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < most:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    limit = descriptor_limit()
    if limit < _FEWEST_DESCRIPTORS:
        raise CannotHost(
            f"only {limit} file descriptors are allowed, a server needs {_FEWEST_DESCRIPTORS}: "
            f"raise the limit (ulimit -n 1024) and start again"
        )
