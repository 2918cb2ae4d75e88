"""``pyrochat-client NAME``: chat in a terminal, or in a pipe."""

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from pyrochat.client.chat import Chat
from pyrochat.client.joining import join, open_poster
from pyrochat.client.poster import Poster
from pyrochat.client.reading import AUTO, MANUAL
from pyrochat.commands.access import (
    PasswordFileOption,
    PasswordOption,
    TlsCertOption,
    TlsKeyOption,
    given_password,
    warn_if_open,
)
from pyrochat.commands.configuration import (
    KeyOption,
    NotifyCommandOption,
    ThemeOption,
    TimeFormatOption,
    checked_rooms,
    configured,
    settings_of,
)
from pyrochat.commands.shell import DONE, FAILED, ended_by_signals, make_app, run_app
from pyrochat.folders import data_folder
from pyrochat.terminal.lines import JsonLines, Lines, PlainLines
from pyrochat.terminal.plain import PlainClient
from pyrochat.terminal.plain_loop import PlainLoop
from pyrochat.terminal.posting import PostingClient
from pyrochat.terminal.progress import ProgressBar
from pyrochat.terminal.settings import DEFAULT_TIME_FORMAT, Settings
from pyrochat.terminal.streams import write_line, write_status
from pyrochat.terminal.typed import Typist, Write
from pyrochat.values.errors import InvalidArgument, WrongPassword
from pyrochat.values.protocol import DEFAULT_ROOM

Entered = TypeVar("Entered")

RoomOption = Annotated[
    list[str] | None, typer.Option(help="A room to join; may be given more than once; default: lobby.")
]
AtOption = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT[,HOST:PORT…]",
        help="Where the room's server is, or the URI that it prints; several: the next when one is gone; default: ask the "
        "name server.",
    ),
]
PlainOption = Annotated[bool, typer.Option("--plain/--no-plain", help="Lines instead of an interactive screen.")]
FingerprintOption = Annotated[
    str | None, typer.Option(metavar="HEX", help="The certificate that the server has to show; needed once.")
]
JsonOption = Annotated[bool, typer.Option("--json/--no-json", help="One JSON object per line.")]
FollowOption = Annotated[
    bool, typer.Option("--follow", help="Lines, without reading input: stays until it is ended (a service, a log).")
]

HistoryOption = Annotated[
    int | None,
    typer.Option(min=0, metavar="N", help="With lines: show so many messages of the history first; default: all."),
]
QuietOption = Annotated[
    bool, typer.Option("--quiet/--no-quiet", help="With lines: no status on standard error; errors and warnings stay.")
]
NoJoinOption = Annotated[
    bool,
    typer.Option("--no-join", help="Post the lines without being a member: shows nothing, and nobody joins or leaves."),
]


def client(
    context: typer.Context,
    name: Annotated[str, typer.Argument(envvar="PYROCHAT_NAME", help="Your name in the room.")],
    room: RoomOption = None,
    at: AtOption = None,
    plain: PlainOption = False,
    json: JsonOption = False,
    follow: FollowOption = False,
    history: HistoryOption = None,
    quiet: QuietOption = False,
    no_join: NoJoinOption = False,
    ask_password: PasswordOption = False,
    password_file: PasswordFileOption = None,
    fingerprint: FingerprintOption = None,
    tls_ca: Annotated[Path | None, typer.Option(help="Authorities (PEM) that vouch for the server instead.")] = None,
    tls_cert: TlsCertOption = None,
    tls_key: TlsKeyOption = None,
    theme: ThemeOption = None,
    notify_command: NotifyCommandOption = None,
    time_format: TimeFormatOption = DEFAULT_TIME_FORMAT,
    key: KeyOption = None,
) -> int:
    """Chat in a room. Type to send; /help lists the commands.

    What you would type each time can stand in config.toml, in your configuration folder.
    """
    settings = settings_of(context, theme, notify_command, time_format, key)
    rooms = rooms_to_show(room, plain=plain or follow, json=json, no_join=no_join)
    warn_if_open(tls_key)
    shown: dict[str, Any] = {
        "password": given_password(ask_password, password_file), "fingerprint": fingerprint,
        "tls_ca": tls_ca, "tls_cert": tls_cert, "tls_key": tls_key,
    }  # fmt: skip
    if no_join:
        check_no_follow(follow)
        return post_lines(name, rooms[0], at, status_to(quiet), **shown)
    chats = join_rooms(name, rooms, at, read=reading(plain=plain or follow, json=json), **shown)
    shows: dict[str, Any] = {"plain": plain, "json": json, "history": history, "quiet": quiet, "follow": follow}
    return chat_in_terminal(chats, settings, restores=room is None, **shows)


def rooms_to_show(rooms: Sequence[str] | None, *, plain: bool, json: bool, no_join: bool = False) -> list[str]:
    """The rooms to join. Raises InvalidRoomName, and InvalidArgument for several where lines are written."""
    names = checked_rooms(rooms or [DEFAULT_ROOM])
    if len(names) > 1 and (no_join or not _is_interactive(plain, json)):
        how = "--no-join posts to" if no_join else f"{'--json' if json else '--plain' if plain else 'a pipe'} shows"
        raise InvalidArgument(f"{how} one room: start one client for each")
    return names


def reading(*, plain: bool, json: bool) -> str:
    """Who confirms what has been read: lines are read when they are written, the screen says what it has shown."""
    return MANUAL if _is_interactive(plain, json) else AUTO


def join_rooms(name: str, rooms: Sequence[str], at: str | None, **options: Any) -> list[Chat]:
    """Join *rooms*, all or none, each with a progress bar for a long history; *options* as `join` takes them."""
    with contextlib.ExitStack() as undo:
        chats: list[Chat] = []
        for room in rooms:
            chat = _with_password(lambda room=room, **shown: _join_with_progress(name, room, at, **shown), options)
            chats.append(undo.enter_context(chat))
        undo.pop_all()
    return chats


def _with_password(enter: Callable[..., Entered], options: dict[str, Any]) -> Entered:
    """*enter* with *options*; where only a password is missing, and somebody can be asked, with that."""
    try:
        return enter(**options)
    except WrongPassword:
        if options.get("password") is not None or not sys.stdin.isatty():
            raise
        options["password"] = given_password(True, None)
        return enter(**options)


def _join_with_progress(name: str, room: str, at: str | None, **options: Any) -> Chat:
    with ProgressBar(f"history of {room}") as progress:
        return join(name, room, at, progress=progress, **options)


def chat_in_terminal(
    chats: Sequence[Chat],
    settings: Settings,
    *,
    plain: bool,
    json: bool,
    history: int | None = None,
    quiet: bool = False,
    follow: bool = False,
    notice: str | None = None,
    restores: bool = False,
) -> int:
    """Be the terminal of *chats* until their user has enough; leaves them. Returns the exit code.

    settings: of the interactive client; lines are the same for everybody. history: so many messages are shown first;
    quiet: no status is told; follow: no input is read. These are of lines. notice: what to say first. restores: whether the
    rooms that were open on the screen the last time are opened too.
    """
    logging.getLogger("pyrochat").addHandler(logging.NullHandler())  # what is worth saying is said below
    if _is_interactive(plain or follow, json):
        from pyrochat.terminal.screen.app import run_screen  # only who sees it waits for it to load

        for line in run_screen(chats, settings, data_folder(), notice, restores):
            write_status(line)
        return DONE
    with chats[0] as chat:
        lines = JsonLines() if json else PlainLines()
        return _chat_in_lines(chat, lines, status_to(quiet), history, follow, notice)


def _is_interactive(plain: bool, json: bool) -> bool:
    streams = (sys.stdin, sys.stdout, sys.stderr)  # Textual draws on the last one
    can_draw = os.environ.get("TERM") not in ("dumb", "unknown")
    return not plain and not json and can_draw and all(stream.isatty() for stream in streams)


def _chat_in_lines(
    chat: Chat, lines: Lines, status: Write, history: int | None, follow: bool, notice: str | None
) -> int:
    shown = PlainClient(chat, lines, write_line, write_status, status, history)

    def begin() -> None:
        status(f"joined room {chat.room} as {chat.name}")
        if notice is not None:
            status(notice)

    return _run_loop(shown, sys.stdout.fileno(), begin, follow)


def check_no_follow(follow: bool) -> None:
    """Raise InvalidArgument where somebody wants to post what is typed, and that nothing is read."""
    if follow:
        raise InvalidArgument("--no-join posts what is typed, and --follow reads nothing: give one of the two")


def post_lines(name: str, room: str, at: str | None, status: Write, **options: Any) -> int:
    """Post what is typed to *room*, without being a member; *options* as `join` takes them. Returns the exit code."""
    logging.getLogger("pyrochat").addHandler(logging.NullHandler())
    enter: Callable[..., Poster] = lambda **shown: open_poster(name, room, at, **shown)  # noqa: E731
    with _with_password(enter, options) as poster:
        posting = PostingClient(poster, write_status, status)
        return _run_loop(posting, None, lambda: status(f"posting to room {room} as {name}"))


def _run_loop(
    typist: Typist, output: int | None, begin: Callable[[], object] = lambda: None, follow: bool = False
) -> int:
    loop = PlainLoop(typist, None if follow else sys.stdin.fileno(), output)
    with contextlib.closing(loop), ended_by_signals(loop.interrupt, loop.wakes):
        begin()
        loop.run()
    return FAILED if typist.failed else DONE


def status_to(quiet: bool) -> Write:
    """Where status goes: nowhere, if it is to be *quiet*."""
    return (lambda line: None) if quiet else write_status


def run() -> None:
    """The console script."""
    run_app(make_app(client), "pyrochat-client", defaults=configured)
