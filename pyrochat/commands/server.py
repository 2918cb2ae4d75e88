"""``pyrochat-server``: host rooms."""

import contextlib
import logging
import queue
import resource
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

from pyrochat import __version__
from pyrochat.commands.access import (
    PasswordFileOption,
    PasswordOption,
    TlsCertOption,
    TlsKeyOption,
    given_password,
    warn_if_open,
)
from pyrochat.commands.announcing import EVERYWHERE, announce, network_address
from pyrochat.commands.dashboard import Dashboard
from pyrochat.commands.maintenance import (
    archive_room,
    back_up_room,
    export_log,
    redact_message,
    repair_room,
    verify_rooms,
)
from pyrochat.commands.registry import app as registry_app
from pyrochat.commands.rooms import app as rooms_app
from pyrochat.commands.shell import DONE, end_on_signals, make_app, run_app
from pyrochat.commands.storage import (
    MOST_PEER_BYTES,
    MOST_ROOM_BYTES,
    DiskReserveOption,
    PeerBytesOption,
    RoomBytesOption,
    storage_of,
)
from pyrochat.core.rates import DEFAULT_RATE, rate_of
from pyrochat.folders import data_folder, server_key_file
from pyrochat.pyro.tls import ServerTls
from pyrochat.room.door.door import Access
from pyrochat.room.server import MOST_DESCRIPTORS, Server, descriptor_limit
from pyrochat.terminal.hints import as_options
from pyrochat.terminal.progress import ProgressBar
from pyrochat.threads import Defects
from pyrochat.values.addresses import checked_host
from pyrochat.values.errors import CannotHost, InvalidArgument
from pyrochat.values.protocol import DEFAULT_PORT, DEFAULT_ROOM, Timing

log = logging.getLogger(__name__)

_status_log = logging.getLogger(f"{__name__}.status")
_status_log.setLevel(logging.INFO)  # whoever asks gets it, whatever else is logged

_FEWEST_DESCRIPTORS = 128
_TIMING = Timing()

DataOption = Annotated[Path | None, typer.Option(help="The folder for the logs; default: your data folder.")]
VerifyOption = Annotated[bool, typer.Option("--verify", help="Say whether the logs are whole, instead of hosting.")]
ExpectOption = Annotated[
    str | None,
    typer.Option(metavar="ID:DIGEST", help="With --verify: what the log has to be at message ID; 8 digits do."),
]
BackupOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Copy the room's log to FILE, instead of hosting.")
]
AcceptLossOption = Annotated[
    bool, typer.Option("--accept-loss", help="Go on with a log that has lost messages, as another log.")
]
ServerKeyOption = Annotated[
    Path | None,
    typer.Option(help="The server's key, by which clients know it; default: yours, or the data folder's own."),
]
ClientCaOption = Annotated[
    Path | None, typer.Option(help="Clients have to show a certificate of these authorities (PEM).")
]


def server(
    room: Annotated[list[str] | None, typer.Option(help="A room to host; may be given more than once.")] = None,
    data: DataOption = None,
    host: Annotated[str | None, typer.Option(help="Where to listen; default: localhost.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes any free one.")] = DEFAULT_PORT,
    advertise: Annotated[str | None, typer.Option(help="The host that others reach this server by.")] = None,
    lan: Annotated[
        bool, typer.Option("--lan", help="Open the rooms and the name server to the network; see --tls.")
    ] = False,
    verify: VerifyOption = False,
    expect: ExpectOption = None,
    backup: BackupOption = None,
    accept_loss: AcceptLossOption = False,
    beat: Annotated[float, typer.Option(help="Seconds between heartbeats.")] = _TIMING.beat_seconds,
    silence: Annotated[
        float, typer.Option(help="Seconds without an answer until a client is lost.")
    ] = _TIMING.silent_seconds,
    grace: Annotated[float, typer.Option(help="Seconds that a lost client has to come back.")] = _TIMING.grace_seconds,
    ask_password: PasswordOption = False,
    password_file: PasswordFileOption = None,
    guests: Annotated[bool, typer.Option("--guests/--no-guests", help="Let clients in that have no key.")] = True,
    new_rooms: Annotated[
        Literal["nobody", "members", "everyone"],
        typer.Option(help="Who may create rooms; members have a key. Created rooms are kept."),
    ] = "nobody",
    rate: Annotated[
        float,
        typer.Option(
            help="Messages a second from one member, and from all guests at one address; 0: no limits but on disk."
        ),
    ] = DEFAULT_RATE,
    burst: Annotated[float | None, typer.Option(help="Messages at once; default: what 10 s make.")] = None,
    room_bytes: RoomBytesOption = MOST_ROOM_BYTES,
    peer_bytes: PeerBytesOption = MOST_PEER_BYTES,
    disk_reserve: DiskReserveOption = None,
    tls: Annotated[
        bool, typer.Option("--tls", help="Encrypt; makes and keeps a certificate if none is given.")
    ] = False,
    tls_cert: TlsCertOption = None,
    tls_key: TlsKeyOption = None,
    tls_client_ca: ClientCaOption = None,
    server_key: ServerKeyOption = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None,
        typer.Option(help="What to log on standard error; default: info, in a terminal warning."),
    ] = None,
) -> int:
    """Host chat rooms until it is told to end (Ctrl-C, SIGTERM). SIGHUP makes it log its status: a line for each room.

    pyrochat-server names --help: which name belongs to which key, freeing names, banning.
    pyrochat-server rooms --help: the rooms that were created while a server ran.
    pyrochat-server repair --help: mend a damaged log from a backup. archive --help: begin a new log for a room.
    pyrochat-server export --help: write an archived log or a backup as text, JSON lines or a page.
    """
    rooms = room or [DEFAULT_ROOM]
    folder = data_folder() if data is None else data
    if verify or expect is not None:
        return verify_rooms(folder, rooms, expect)
    if backup is not None:
        if len(rooms) > 1:
            raise InvalidArgument("--backup copies one room: name it with --room")
        return back_up_room(folder, rooms[0], backup)
    access = Access(given_password(ask_password, password_file), guests, new_rooms)
    storage = storage_of(room_bytes, peer_bytes, disk_reserve)
    shown_tls = _tls(tls, tls_cert, tls_key, tls_client_ca)
    raise_descriptor_limit()
    interactive = sys.stdout.isatty() and sys.stderr.isatty()
    _log_to_stderr(log_level or ("warning" if interactive else "info"))
    listen = checked_host(host) if host else "0.0.0.0" if lan else "localhost"
    shown = checked_host(advertise) if advertise else network_address() if listen in EVERYWHERE else None
    named = shown or (socket.gethostname() if listen in EVERYWHERE else None)
    with ProgressBar("checking the log") as progress:
        serving = Server(
            rooms, folder, host=listen, port=port, advertise=named, timing=Timing(beat, silence, grace),
            accept_loss=accept_loss, progress=progress,
            access=access, rate=rate_of(rate, burst), storage=storage, tls=shown_tls,
            key_file=server_key or server_key_file(),
        )  # fmt: skip
    log.info("PyroChat %s serves at %s, its data is in %s", __version__, serving.at, folder.absolute())
    with serving:
        serve_until_signal(
            serving, Dashboard(serving) if interactive else None,
            lambda: announce(serving, listen if host or lan else None, shown), stays=True,
        )  # fmt: skip
        log.info("stopping")
    log.info("stopped")
    return DONE


class _OptionsFormatter(logging.Formatter):
    """Names options to the operator, where the library names parameters."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return as_options(super().formatMessage(record))


def _log_to_stderr(level: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OptionsFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=level.upper())
    logging.getLogger("Pyro5").setLevel(logging.CRITICAL)
    logging.raiseExceptions = False  # a terminal that is gone, or a full disk, is no reason to write tracebacks there


def _tls(on: bool, certificate: Path | None, key: Path | None, client_ca: Path | None) -> ServerTls | bool:
    """What the server shows: nothing, a certificate that it makes itself, or the given one."""
    warn_if_open(key)
    if certificate is None:
        if key is not None or client_ca is not None:
            raise InvalidArgument("--tls-key and --tls-client-ca go with a certificate of your own: give --tls-cert")
        return on
    return ServerTls(certificate, key or certificate, client_ca)


def serve_until_signal(
    serving: Server, dashboard: Dashboard | None = None, begin: Callable[[], object] = lambda: None,
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
    serving: Server, dashboard: Dashboard | None, asked: queue.SimpleQueue[int] | None = None, seconds: float = 1.0
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


def run() -> None:
    """The console script."""
    run_app(
        make_app(server),
        "pyrochat-server",
        {
            "names": registry_app,
            "rooms": rooms_app,
            "redact": make_app(redact_message),
            "repair": make_app(repair_room),
            "archive": make_app(archive_room),
            "export": make_app(export_log),
        },
    )
