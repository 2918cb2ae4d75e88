"""``pyrochat [NAME]``: join the room that is there, or host one in this process and join it."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer

from pyrochat.client.chat import Chat
from pyrochat.commands.access import PasswordFileOption, PasswordOption, given_password
from pyrochat.commands.client import (
    AtOption,
    FingerprintOption,
    JsonOption,
    PlainOption,
    RoomOption,
    chat_in_terminal,
    join_with_progress,
)
from pyrochat.commands.keys import key_app, servers_app
from pyrochat.commands.server import DataOption, raise_descriptor_limit, serve_until_signal
from pyrochat.commands.shell import make_app, run_app
from pyrochat.folders import data_folder
from pyrochat.room.door import Access
from pyrochat.room.server import Server
from pyrochat.terminal.plain import write_status
from pyrochat.values.errors import InvalidName, NameServerNotFound, PortInUse, RoomNotFound, RoomUnreachable
from pyrochat.values.protocol import DEFAULT_PORT, DEFAULT_ROOM
from pyrochat.values.rules import checked_name

__all__ = ["run"]


def chat(
    name: Annotated[str | None, typer.Argument(help="Your name in the room; default: your login name.")] = None,
    room: RoomOption = DEFAULT_ROOM,
    at: AtOption = None,
    data: DataOption = None,
    plain: PlainOption = False,
    json: JsonOption = False,
    ask_password: PasswordOption = False,
    password_file: PasswordFileOption = None,
    fingerprint: FingerprintOption = None,
) -> int:
    """Join the room that is there, or host it here and join it.

    pyrochat key --help: your key, and how to take it to another machine. pyrochat servers --help: the servers
    that you know.
    """
    secret = given_password(ask_password, password_file)
    name = _login_name() if name is None else checked_name(name)
    try:
        return chat_in_terminal(
            join_with_progress(name, room, at, password=secret, fingerprint=fingerprint), plain=plain, json=json
        )
    except (NameServerNotFound, RoomNotFound, RoomUnreachable):
        if at is not None:
            raise
    descriptors = raise_descriptor_limit()
    with _host(room, data_folder() if data is None else data, descriptors, secret) as server:
        write_status(f"nobody hosts room {room}: it is hosted here now, at {server.at}")
        guest = join_with_progress(name, room, server.at, password=secret)
        code = chat_in_terminal(guest, plain=plain, json=json)
        others = _others(server, guest)
        if others and _stays(others):
            write_status("serving on; Ctrl-C ends it")
            serve_until_signal(server)
        server.close("the host has left")
    return code


def _login_name() -> str:
    try:
        return checked_name(getpass.getuser())
    except (OSError, KeyError, InvalidName):
        raise InvalidName("your login name can't be a name here: say pyrochat NAME") from None


def _host(room: str, data: Path, descriptors: int, password: str | None) -> Server:
    """A server on the usual port, or on any where that is taken."""
    access = Access(password)
    try:
        return Server([room], data, port=DEFAULT_PORT, descriptor_limit=descriptors, access=access)
    except PortInUse:
        return Server([room], data, descriptor_limit=descriptors, access=access)


def _others(server: Server, guest: Chat) -> int:
    return sum(
        session.connected and session.name != guest.name for room in server.status() for session in room.sessions
    )


def _stays(others: int) -> bool:
    """Tell, and where somebody can answer ask, what becomes of the others."""
    who = "1 other is" if others == 1 else f"{others} others are"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        write_status(f"{who} still here: they are told that the host has left")
        return False
    try:
        return typer.confirm(f"{who} still here. Stay as a server for them?", default=True, err=True)
    except (typer.Abort, KeyboardInterrupt):
        return False


def run() -> None:
    """The console script."""
    run_app(make_app(chat), "pyrochat", {"key": key_app, "servers": servers_app})
