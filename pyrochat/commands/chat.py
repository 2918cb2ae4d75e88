"""``pyrochat [NAME]``: join the room that is there, or host one in this process and join it."""

import getpass
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pyrochat.client.chat import Chat
from pyrochat.clock import monotonic
from pyrochat.commands.access import PasswordFileOption, PasswordOption, given_password
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
from pyrochat.commands.server import DataOption, raise_descriptor_limit, serve_until_signal
from pyrochat.commands.shell import make_app, run_app
from pyrochat.commands.storage import (
    MOST_PEER_BYTES,
    MOST_ROOM_BYTES,
    DiskReserveOption,
    PeerBytesOption,
    RoomBytesOption,
    storage_of,
)
from pyrochat.core.space import Storage
from pyrochat.folders import data_folder, server_key_file
from pyrochat.room.door.door import Access
from pyrochat.room.server import Server
from pyrochat.terminal.settings import DEFAULT_TIME_FORMAT
from pyrochat.terminal.streams import write_status
from pyrochat.values.errors import (
    InvalidName,
    LogInUse,
    NameServerNotFound,
    NameServerRefused,
    PortInUse,
    RoomClosing,
    RoomNotFound,
    RoomUnreachable,
)
from pyrochat.values.protocol import DEFAULT_PORT
from pyrochat.values.rules import checked_name

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
    if no_join:  # nobody hosts a room only to say something there
        check_no_follow(follow)
        return post_lines(name, rooms[0], at, status, password=secret, fingerprint=fingerprint)
    shown: dict[str, Any] = {"plain": plain, "json": json, "history": history, "quiet": quiet, "follow": follow}
    shown["restores"] = room is None
    how = {"password": secret, "read": reading(plain=plain or follow, json=json)}
    folder = data_folder() if data is None else data
    found = _joined_or_hosted(
        lambda: join_rooms(name, rooms, at, fingerprint=fingerprint, **how),
        None if at else lambda: _host(rooms, folder, secret, storage),
    )
    if not isinstance(found, Server):
        notice = _same_member(found[0]) if given is None and found[0].sessions > 1 else None
        return chat_in_terminal(found, settings, notice=notice, **shown)
    with found as server:
        which = f"room {rooms[0]}: it is" if len(rooms) == 1 else f"rooms {', '.join(rooms)}: they are"
        status(f"nobody hosts {which} hosted here now, at {server.at}")
        code = chat_in_terminal(join_rooms(name, rooms, server.at, **how), settings, **shown)
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


def _host(rooms: Sequence[str], data: Path, password: str | None, storage: Storage) -> Server:
    """A server on the usual port, or on any where that is taken."""
    access, key_file = Access(password), server_key_file()
    raise_descriptor_limit()
    try:
        return Server(rooms, data, port=DEFAULT_PORT, access=access, storage=storage, key_file=key_file)
    except PortInUse:
        return Server(rooms, data, access=access, storage=storage, key_file=key_file)


def _others(server: Server) -> int:
    return sum(session.connected for room in server.status() for session in room.sessions)


def _comings(server: Server) -> int:
    """How many are here, those included who have just joined and are still connecting, or may come back."""
    return sum(len(room.sessions) for room in server.status())


def _stays(server: Server) -> bool:
    """Tell, and where somebody can answer ask, what becomes of the others; who only pipes some lines can finish before.

    Our own chats have been left by now.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        server.admit_no_more()
        until = monotonic() + _LINGER_SECONDS
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
