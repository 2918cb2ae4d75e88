"""``pyrochat-server``: host rooms."""

import contextlib
import logging
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

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
from pyrochat.commands.cluster import (
    ClusterOption,
    ClusterOptions,
    CredentialsOption,
    ImportOption,
    Place,
    ReplicasOption,
    SecretOption,
    StatusOption,
    import_logs,
    join_cluster,
    make_own,
)
from pyrochat.commands.maintenance import (
    archive_room,
    back_up_room,
    export_log,
    rebuild_stream,
    redact_message,
    repair_room,
    verify_rooms,
)
from pyrochat.commands.registry import app as registry_app
from pyrochat.commands.rooms import app as rooms_app
from pyrochat.commands.serving import raise_descriptor_limit, serve_until_signal
from pyrochat.commands.shell import DONE, make_app, run_app
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
from pyrochat.room.server import Server
from pyrochat.storage.data_folder import open_data_folder
from pyrochat.terminal.hints import as_options
from pyrochat.terminal.progress import ProgressBar
from pyrochat.values.addresses import checked_host
from pyrochat.values.errors import InvalidArgument
from pyrochat.values.protocol import DEFAULT_PORT, DEFAULT_ROOM, Timing

if TYPE_CHECKING:
    from pyrochat.commands.dashboard import Dashboard

log = logging.getLogger(__name__)

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
    cluster: ClusterOption = None,
    cluster_secret: SecretOption = None,
    cluster_credentials: CredentialsOption = None,
    cluster_replicas: ReplicasOption = None,
    cluster_status: StatusOption = False,
    take_in: ImportOption = False,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None,
        typer.Option(help="What to log on standard error; default: info, in a terminal warning."),
    ] = None,
) -> int:
    """Host chat rooms until it is told to end (Ctrl-C, SIGTERM). SIGHUP makes it log its status: a line for each room.

    pyrochat-server names --help: which name belongs to which key, freeing names, banning.
    pyrochat-server rooms --help: the rooms that were created while a server ran.
    pyrochat-server rebuild --help: make a room's stream in a cluster anew.
    pyrochat-server repair --help: mend a damaged log from a backup. archive --help: begin a new log for a room.
    pyrochat-server export --help: write an archived log or a backup as text, JSON lines or a page.
    """
    rooms = room or [DEFAULT_ROOM]
    folder = data_folder() if data is None else data
    in_cluster = (
        None
        if cluster is None
        else ClusterOptions(cluster, cluster_secret, cluster_credentials, cluster_replicas, advertise)
    )
    if in_cluster is not None and cluster_status:
        from pyrochat.commands.cluster_status import show_cluster  # only who asks for it waits for it to load

        return show_cluster(in_cluster, folder, port)
    if in_cluster is not None and accept_loss:
        raise InvalidArgument("--accept-loss is for one machine: move the damaged file away, and the cluster fills it")
    if take_in and in_cluster is None:
        return make_own(folder)
    if verify or expect is not None:
        return verify_rooms(folder, rooms, expect)
    if backup is not None:
        return _back_up(folder, rooms, backup)
    access = Access(given_password(ask_password, password_file), guests, new_rooms)
    storage = storage_of(room_bytes, peer_bytes, disk_reserve)
    shown_tls = _tls(tls, tls_cert, tls_key, tls_client_ca)
    raise_descriptor_limit()
    interactive = sys.stdout.isatty() and sys.stderr.isatty()
    _log_to_stderr(log_level or ("warning" if interactive else "info"))
    listen, shown, named = _hosts(host, advertise, lan)
    with contextlib.ExitStack() as ends:
        place = None
        if in_cluster is not None:
            place = _joined(in_cluster, folder, port, rooms if take_in else (), ends)
        with ProgressBar("checking the log") as progress:
            serving = Server(
                rooms, folder, host=listen, port=port, advertise=named, timing=Timing(beat, silence, grace),
                accept_loss=accept_loss, progress=progress,
                access=access, rate=rate_of(rate, burst), storage=storage,
                tls=place.tls if place is not None and shown_tls is True else shown_tls,
                key_file=server_key or server_key_file(), key=place and place.key, cluster=place and place.cluster,
            )  # fmt: skip
        log.info("PyroChat %s serves at %s, its data is in %s", __version__, serving.at, folder.absolute())
        ends.enter_context(serving)
        serve_until_signal(
            serving, _dashboard_of(serving) if interactive else None,
            lambda: announce(serving, listen if host or lan else None, shown), stays=True,
        )  # fmt: skip
        log.info("stopping")
    log.info("stopped")
    return DONE


def _back_up(folder: Path, rooms: Sequence[str], target: Path) -> int:
    if len(rooms) > 1:
        raise InvalidArgument("--backup copies one room: name it with --room")
    return back_up_room(folder, rooms[0], target)


def _hosts(host: str | None, advertise: str | None, lan: bool) -> tuple[str, str | None, str | None]:
    """Where to listen; the host that is shown to others, and the one that stands in the URIs, where those are other ones."""
    listen = checked_host(host) if host else "0.0.0.0" if lan else "localhost"
    shown = checked_host(advertise) if advertise else network_address() if listen in EVERYWHERE else None
    return listen, shown, shown or (socket.gethostname() if listen in EVERYWHERE else None)


def _joined(
    in_cluster: ClusterOptions, folder: Path, port: int, rooms: Sequence[str], ends: contextlib.ExitStack
) -> Place:
    """The server's place in its cluster, which takes the logs of *rooms* in. ends: takes what ends with it."""
    open_data_folder(folder)
    place = join_cluster(in_cluster, folder, port)
    ends.push(place.ends)
    if rooms:
        import_logs(place.cluster, folder, rooms)
    return place


def _dashboard_of(serving: Server) -> "Dashboard":
    from pyrochat.commands.dashboard import Dashboard  # only who sees it waits for it to load

    return Dashboard(serving)


class _OptionsFormatter(logging.Formatter):
    """Names options to the operator, where the library names parameters."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return as_options(super().formatMessage(record))


def _log_to_stderr(level: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OptionsFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=level.upper())
    for chatty in ("Pyro5", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    logging.raiseExceptions = False  # a terminal that is gone, or a full disk, is no reason to write tracebacks there


def _tls(on: bool, certificate: Path | None, key: Path | None, client_ca: Path | None) -> ServerTls | bool:
    """What the server shows: nothing, a certificate that it makes itself, or the given one."""
    warn_if_open(key)
    if certificate is None:
        if key is not None or client_ca is not None:
            raise InvalidArgument("--tls-key and --tls-client-ca go with a certificate of your own: give --tls-cert")
        return on
    return ServerTls(certificate, key or certificate, client_ca)


def run() -> None:
    """The console script."""
    run_app(
        make_app(server),
        "pyrochat-server",
        {
            "names": registry_app,
            "rooms": rooms_app,
            "redact": make_app(redact_message),
            "rebuild": make_app(rebuild_stream),
            "repair": make_app(repair_room),
            "archive": make_app(archive_room),
            "export": make_app(export_log),
        },
    )
