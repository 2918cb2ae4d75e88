"""Threads that live long: what goes wrong in one round is said in the log, and the next round begins.

Neither a defect nor a `sys.exit` in somebody's handler ends a thread that others need. What is said is bounded:
whoever finds a way to make a thread stumble must not fill the operator's disk with it.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable

from pyrochat.clock import monotonic

TOLD_IN_FULL = 5
TELLING_SECONDS = 60.0
PAUSE_SECONDS = 0.05  # a thread that stumbles again and again must not take a core

_here = threading.local()  # is_ours: others wait for what this thread does


def is_our_thread() -> bool:
    """Whether others need this thread: the user's code, a logging handler say, must not wait for a room in it."""
    return getattr(_here, "is_ours", False)


class Defects:
    """Says in *log* what nobody had thought of. Any thread may call.

    most: so many are told of each place in the code in any *seconds*, with their tracebacks; of the others only how
    many there were. clock: seconds that only grow.
    """

    def __init__(
        self, log: logging.Logger, most: int = TOLD_IN_FULL, seconds: float = TELLING_SECONDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:  # fmt: skip
        self._log = log
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._mutex = threading.Lock()  # guards the next one
        self._told: dict[object, tuple[float, int]] = {}  # of each place: since when, and how many since then

    def tell(self, what: str, error: BaseException) -> None:
        """*error*, which nobody had thought of, has come up in *what*."""
        place, now, untold = (what, type(error), _place(error)), self._clock(), 0
        with self._mutex:
            since, count = self._told.get(place, (now, 0))
            if now >= since + self._seconds:
                since, count, untold = now, 0, max(0, count - self._most)
            self._told[place] = (since, count + 1)
        with contextlib.suppress(BaseException):  # a logging handler is the user's, and may fail: nothing depends on it
            if untold:
                self._log.error(
                    "unexpected errors in %s: %d more like the next one were not told one by one", what, untold
                )
            if count < self._most:
                self._log.error("an unexpected error in %s", what, exc_info=error)


def _place(error: BaseException) -> object:
    """Where in the code *error* was raised."""
    trace = error.__traceback__
    if trace is None:
        return None
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_code.co_filename, trace.tb_lineno


def go_on(step: Callable[[], bool], what: str, defects: Defects, is_ours: bool = True) -> None:
    """Call *step* until it returns False; what it raises is told to *defects*, as one of *what*, and it is called again.

    A step has to see for itself, and first, whether it is the end: one that raises is repeated. For threads of our
    own only: in the main thread this would swallow Ctrl-C. is_ours: see `is_our_thread`; False for one that sends.
    """
    was_ours, _here.is_ours = is_our_thread(), is_ours
    in_a_row = 0
    while True:
        try:
            if not step():
                break
            in_a_row = 0
        except BaseException as error:
            defects.tell(what, error)
            in_a_row += 1
            if in_a_row > 1:
                time.sleep(PAUSE_SECONDS)
    _here.is_ours = was_ours
