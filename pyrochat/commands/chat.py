"""``pyrochat [NAME]``: join the room that is there, or host one in this process and join it."""

import getpass
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from pyrochat.client.chat import Chat
from pyrochat.clock import monotonic
from pyrochat.commands.access import PasswordFileOption, PasswordOption, given_password
from pyrochat.commands.announcing import network_address
from pyrochat.commands.client import (
    AtOption,
    FingerprintOption,
    FollowOption,
    HistoryOption,
    JsonOption,
    NoJoinOption,
    PlainOption,
    QuietOption,
    RoomOption,
    chat_in_terminal,
    check_no_follow,
    join_rooms,
    post_lines,
    reading,
    rooms_to_show,
    status_to,
)
from pyrochat.commands.configuration import (
    KeyOption,
    NotifyCommandOption,
    ThemeOption,
    TimeFormatOption,
    configured,
    settings_of,
)
from pyrochat.commands.keys import key_app, servers_app
from pyrochat.commands.server import DataOption
from pyrochat.commands.serving import raise_descriptor_limit, serve_until_signal
from pyrochat.commands.shell import make_app, run_app
from pyrochat.commands.storage import (
    MOST_PEER_BYTES,
    MOST_ROOM_BYTES,
    DiskReserveOption,
    PeerBytesOption,
    RoomBytesOption,
    storage_of,
)
from pyrochat.folders import data_folder, server_key_file
from pyrochat.hosting import LOCAL, sites_of
from pyrochat.room.door.door import Access
from pyrochat.room.server import Server
from pyrochat.terminal.settings import DEFAULT_TIME_FORMAT
from pyrochat.terminal.streams import write_status
from pyrochat.values.errors import (
    InvalidArgument,
    InvalidName,
    LogInUse,
    LogUnavailable,
    NameServerNotFound,
    NameServerRefused,
    PortInUse,
    RoomClosing,
    RoomNotFound,
    RoomUnreachable,
)
from pyrochat.values.protocol import DEFAULT_PORT
from pyrochat.values.rules import checked_name

OrderOption = Annotated[
    Literal["local", "causal", "lamport"],
    typer.Option(
        help="Who decides what comes next: one server (local), nobody (causal), or all machines together (lamport): "
        "every machine is a site then."
    ),
]
PeerOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="HOST:PORT", help="With --order causal or lamport: where another site is; may be given more than once."
    ),
]
SiteOption = Annotated[
    str | None,
    typer.Option(
        metavar="LABEL", help="With --order causal or lamport: what this site is called; default: your login name."
    ),
]
PortOption = Annotated[
    int | None,
    typer.Option(min=0, max=65535, help="Where to host, if this machine does; 0: any free one; default: 5679."),
]
LanOption = Annotated[
    bool, typer.Option("--lan/--no-lan", help="With --order causal or lamport: sites on other machines reach this one.")
]

_RACE_SECONDS = 10.0  # longer than a host lingers that lets nobody in any more
_LOOK_AGAIN_SECONDS = 0.1
_LINGER_SECONDS = 5.0  # who hosts in a pipe serves so much longer for those who are still here


def chat(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(envvar="PYROCHAT_NAME", help="Your name in the room; default: your login name."),
    ] = None,
    room: RoomOption = None,
    at: AtOption = None,
    data: DataOption = None,
    plain: PlainOption = False,
    json: JsonOption = False,
    follow: FollowOption = False,
    history: HistoryOption = None,
    quiet: QuietOption = False,
    no_join: NoJoinOption = False,
    ask_password: PasswordOption = False,
    password_file: PasswordFileOption = None,
    fingerprint: FingerprintOption = None,
    theme: ThemeOption = None,
    notify_command: NotifyCommandOption = None,
    time_format: TimeFormatOption = DEFAULT_TIME_FORMAT,
    key: KeyOption = None,
    room_bytes: RoomBytesOption = MOST_ROOM_BYTES,
    peer_bytes: PeerBytesOption = MOST_PEER_BYTES,
    disk_reserve: DiskReserveOption = None,
    order: OrderOption = "local",
    peer: PeerOption = None,
    site: SiteOption = None,
    port: PortOption = None,
    lan: LanOption = False,
) -> int:
    """Join the room that is there, or host it here and join it.

    pyrochat key --help: your key, and how to take it to another machine. pyrochat servers --help: the servers
    that you know.
    """
    settings = settings_of(context, theme, notify_command, time_format, key)
    rooms = rooms_to_show(room, plain=plain or follow, json=json, no_join=no_join)
    status = status_to(quiet)
    secret = given_password(ask_password, password_file)
    storage = storage_of(room_bytes, peer_bytes, disk_reserve)
    given, name = name, _login_name() if name is None else checked_name(name)
    as_site = _as_site(order, peer, site, lan, at, no_join)
    if no_join:  # nobody hosts a room only to say something there
        check_no_follow(follow)
        return post_lines(name, rooms[0], at, status, password=secret, fingerprint=fingerprint)
    shown: dict[str, Any] = {"plain": plain, "json": json, "history": history, "quiet": quiet, "follow": follow}
    shown["restores"] = room is None
    how = {"password": secret, "read": reading(plain=plain or follow, json=json)}
    folder = data_folder() if data is None else data
    key_file = None if as_site and data is not None else server_key_file()  # two folders are two sites
    hosted: dict[str, Any] = {"access": Access(secret), "storage": storage, "key_file": key_file}
    found: list[Chat] | Server
    if as_site:
        status("looking for other sites of the room: who finds none within 5 s founds it")
        hosted["sites"] = sites_of(order, site, peer or (), secret, True)
        if lan:
            hosted |= {"host": "0.0.0.0", "advertise": network_address() or socket.gethostname()}
        found = _host(rooms, folder, port, hosted)
    else:
        found = _joined_or_hosted(
            lambda: join_rooms(name, rooms, at, fingerprint=fingerprint, **how),
            None if at else lambda: _host(rooms, folder, port, hosted),
        )
    if not isinstance(found, Server):
        notice = _same_member(found[0]) if given is None and found[0].sessions > 1 else None
        return chat_in_terminal(found, settings, notice=notice, **shown)
    with found as server:
        which = f"room {rooms[0]}: it is" if len(rooms) == 1 else f"rooms {', '.join(rooms)}: they are"
        if as_site:
            status(f"this is a site of {', '.join(rooms)} now, at {server.at}: others come with --peer {server.at}")
        else:
            status(f"nobody hosts {which} hosted here now, at {server.at}")
        chats = _joined_here(lambda: join_rooms(name, rooms, server.at, **how), server, status)
        code = chat_in_terminal(chats, settings, **shown)
        if _stays(server):
            status("serving on; Ctrl-C ends it")
            serve_until_signal(server)
        server.close("the host has left")
    return code


def _joined_or_hosted(join: Callable[[], list[Chat]], host: Callable[[], Server] | None) -> list[Chat] | Server:
    """The chats of the rooms that are there; or, where nobody hosts them, a server that does.

    Of several who begin at the same moment one hosts; the others find the log, the port or the name taken, look again,
    and join. host: None where only joining will do. Raises what keeps from both, 10 s later where it may have been that.
    """
    until = monotonic() + _RACE_SECONDS
    while True:
        try:
            return join()
        except (NameServerNotFound, RoomNotFound, RoomUnreachable, RoomClosing):
            if host is None:
                raise
        try:
            return host()
        except (LogInUse, NameServerRefused, PortInUse):
            if monotonic() > until:
                raise
        time.sleep(_LOOK_AGAIN_SECONDS)


def _joined_here(join: Callable[[], list[Chat]], server: Server, status: Callable[[str], None]) -> list[Chat]:
    """The chats of the rooms of our own server; where other sites have to be there first, when they are."""
    is_told = False
    while True:
        try:
            return join()
        except LogUnavailable:
            why = next((room.trouble for room in server.status() if room.trouble), None)
            if why is None:
                raise
        if not is_told:
            status(f"waiting for the other sites ({why}): you join as soon as enough of them are here; Ctrl-C ends it")
        is_told = True
        time.sleep(_LOOK_AGAIN_SECONDS)


def _same_member(chat: Chat) -> str:
    return (
        f"you are here as {chat.name} already: this is one more session of the same member; to be another, say "
        "pyrochat NAME"
    )


def _login_name() -> str:
    try:
        return checked_name(getpass.getuser())
    except (OSError, KeyError, InvalidName):
        raise InvalidName("your login name can't be a name here: say pyrochat NAME") from None


def _as_site(
    order: str, peers: Sequence[str] | None, site: str | None, lan: bool, at: str | None, no_join: bool
) -> bool:  # fmt: skip
    """Whether this machine is a site of the room. Raises InvalidArgument."""
    if order == LOCAL and (peers or site or lan):
        raise InvalidArgument(
            "--peer, --site and --lan are for --order causal and lamport: a room of the order local has one server"
        )
    if order != LOCAL and (at or no_join):
        raise InvalidArgument(
            f"with --order {order} this machine is a site itself: name other sites with --peer, not --at"
        )
    return order != LOCAL


def _host(rooms: Sequence[str], data: Path, port: int | None, given: dict[str, Any]) -> Server:
    """A server on *port*; without one on the usual one, or on any where that is taken."""
    raise_descriptor_limit()
    if port is not None:
        return Server(rooms, data, port=port, **given)
    try:
        return Server(rooms, data, port=DEFAULT_PORT, **given)
    except PortInUse:
        return Server(rooms, data, **given)


def _others(server: Server) -> int:
    return sum(session.connected and session.is_here for room in server.status() for session in room.sessions)


def _comings(server: Server) -> int:
    """How many are here, those included who have just joined and are still connecting, or may come back."""
    return sum(session.is_here for room in server.status() for session in room.sessions)


def _stays(server: Server) -> bool:
    """Tell, and where somebody can answer ask, what becomes of the others; who only pipes some lines can finish before.

    Our own chats have been left by now.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        server.admit_no_more()
        until = monotonic() + _LINGER_SECONDS
        time.sleep(_LOOK_AGAIN_SECONDS)  # who was let in right before that is in by now
        while _comings(server) and monotonic() < until:
            time.sleep(_LOOK_AGAIN_SECONDS)
        if others := _others(server):
            write_status(f"{_counted(others)} still here: they are told that the host has left")
        return False
    if not (others := _others(server)):
        return False
    try:
        return typer.confirm(f"{_counted(others)} still here. Stay as a server for them?", default=True, err=True)
    except (typer.Abort, KeyboardInterrupt):
        return False


def _counted(others: int) -> str:
    return "1 other is" if others == 1 else f"{others} others are"


def run() -> None:
    """The console script."""
    run_app(make_app(chat), "pyrochat", {"key": key_app, "servers": servers_app}, configured)
