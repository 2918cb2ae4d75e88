"""``pyrochat-client NAME``: chat in a terminal, or in a pipe."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pyrochat.client.chat import Chat
from pyrochat.client.joining import join
from pyrochat.commands.access import PasswordFileOption, PasswordOption, TlsCertOption, TlsKeyOption, given_password
from pyrochat.commands.shell import DONE, FAILED, end_on_signals, make_app, run_app
from pyrochat.terminal.lines import JsonLines, PlainLines
from pyrochat.terminal.plain import PlainClient, input_groups, write_line, write_status
from pyrochat.terminal.progress import ProgressBar
from pyrochat.terminal.prompt import run_prompt
from pyrochat.values.errors import WrongPassword
from pyrochat.values.protocol import DEFAULT_ROOM

__all__ = [
    "AtOption",
    "FingerprintOption",
    "JsonOption",
    "PlainOption",
    "RoomOption",
    "chat_in_terminal",
    "join_with_progress",
    "run",
]

RoomOption = Annotated[str, typer.Option(help="The room to join.")]
AtOption = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="Where the room's server is; default: ask the name server.")
]
PlainOption = Annotated[bool, typer.Option("--plain", help="Lines instead of an interactive screen.")]
FingerprintOption = Annotated[
    str | None, typer.Option(metavar="HEX", help="The certificate that the server has to show; needed once.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object per line.")]


def client(
    name: Annotated[str, typer.Argument(help="Your name in the room.")],
    room: RoomOption = DEFAULT_ROOM,
    at: AtOption = None,
    plain: PlainOption = False,
    json: JsonOption = False,
    ask_password: PasswordOption = False,
    password_file: PasswordFileOption = None,
    fingerprint: FingerprintOption = None,
    tls_ca: Annotated[Path | None, typer.Option(help="Authorities (PEM) that vouch for the server instead.")] = None,
    tls_cert: TlsCertOption = None,
    tls_key: TlsKeyOption = None,
) -> int:
    """Chat in a room. Type to send; /help lists the commands."""
    chat = join_with_progress(
        name, room, at, password=given_password(ask_password, password_file), fingerprint=fingerprint,
        tls_ca=tls_ca, tls_cert=tls_cert, tls_key=tls_key,
    )  # fmt: skip
    return chat_in_terminal(chat, plain=plain, json=json)


def join_with_progress(name: str, room: str, at: str | None, **options: Any) -> Chat:
    """Join with a progress bar for a long history; *options* as `join` takes them."""
    try:
        with ProgressBar(f"history of {room}") as progress:
            return join(name, room, at, progress=progress, **options)
    except WrongPassword:
        if options.get("password") is not None or not sys.stdin.isatty():
            raise
    return join_with_progress(name, room, at, **options | {"password": given_password(True, None)})


def chat_in_terminal(chat: Chat, *, plain: bool, json: bool) -> int:
    """Be *chat*'s terminal until its user has enough; leaves it. Returns the exit code."""
    logging.getLogger("pyrochat").addHandler(logging.NullHandler())  # what is worth saying is said below
    end_on_signals(_interrupt)
    with chat:
        if not plain and not json and sys.stdin.isatty() and sys.stdout.isatty():
            run_prompt(chat)
            return DONE
        shown = PlainClient(chat, JsonLines() if json else PlainLines(), write_line, write_status)
        try:
            write_status(f"joined room {chat.room} as {chat.name}")
            shown.start()
            for lines in input_groups(sys.stdin.fileno()):
                if not shown.do_all(lines):
                    break
            shown.finish()
        except KeyboardInterrupt:
            return DONE  # asked to end: leaving says so to the others
        return FAILED if shown.failed else DONE


def _interrupt() -> None:
    raise KeyboardInterrupt


def run() -> None:
    """The console script."""
    run_app(make_app(client), "pyrochat-client")
