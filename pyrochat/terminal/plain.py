"""The plain client: lines in, lines out. For pipes, scripts, screen readers, and simple terminals."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
from collections.abc import Callable, Iterable, Iterator

from pyrochat.client.chat import Chat
from pyrochat.terminal.commands import Command, answer, parse
from pyrochat.terminal.lines import Lines
from pyrochat.terminal.text import visible
from pyrochat.values.errors import InvalidText, PyroChatError, RoomUnreachable
from pyrochat.values.message import Message
from pyrochat.values.rules import MAX_TEXT_BYTES, checked_text

__all__ = ["PlainClient", "input_groups"]

_CATCH_UP_SECONDS = 10.0
_LOOK_SECONDS = 1.0
_MOST_LINES = 1000
_LONGEST_LINE = 2 * MAX_TEXT_BYTES

Write = Callable[[str], None]


class PlainClient:
    """Shows what is delivered to *chat*, which reads ``"manual"`` or not, and does what is typed.

    write: called with each line for standard output. complain: with each line for standard error.
    """

    def __init__(self, chat: Chat, lines: Lines, write: Write, complain: Write) -> None:
        self._chat = chat
        self._lines = lines
        self._write = write
        self._complain = complain
        self._shown = 0
        self._due = 0  # this message has to be shown before the end
        self._progress = threading.Condition()  # guards _shown
        self._output_mutex = threading.Lock()  # an answer of several lines stays in one piece
        self.failed = False  # something that was typed to be sent has not been sent

    def start(self) -> None:
        """Show the history, then what comes; who ends at once has been shown the history all the same."""
        self._due = next((message.id for message in self._chat.history(last=1)), 0)
        self._chat.on_state(self._show_state)
        self._chat.on_notice(lambda text: self._complain(f"warning: {text}"))
        self._chat.on_message(self._show, after=0)

    def do(self, line: str) -> bool:
        """Send or answer one typed line; False for ``/quit``."""
        return self.do_all([line])

    def do_all(self, typed: Iterable[str]) -> bool:
        """Send or answer lines that came together: texts that follow each other share a call."""
        texts: list[str] = []
        goes_on = True
        for line in typed:
            try:
                parsed = parse(line)
                if isinstance(parsed, str):
                    if parsed:
                        texts.append(checked_text(parsed))
                    continue
                self._send(texts)
                texts = []
                if parsed.name == "quit":
                    goes_on = False
                    break
                self._answer(parsed)
            except InvalidText as error:
                self._fail(error)
            except PyroChatError as error:
                self._complain(f"error: {error}")
        self._send(texts)
        return goes_on

    def finish(self) -> None:
        """Wait until what was sent has been delivered back and shown."""
        if not self._wait_until_shown(self._due):
            self._fail(RoomUnreachable("the connection was lost before all that was sent came back"))

    def _send(self, texts: list[str]) -> None:
        if not texts:
            return
        try:
            if len(texts) == 1:
                self._due = self._chat.send(texts[0]).id
            else:
                self._due = self._chat.send_many(texts)[-1].id
        except PyroChatError as error:
            self._fail(error)

    def _answer(self, command: Command) -> None:
        self._wait_until_shown(self._due)
        answered = answer(command, self._chat, self._lines)
        with self._output_mutex:
            for line in answered:
                self._write(line)

    def _fail(self, error: PyroChatError) -> None:
        self.failed = True
        self._complain(f"error: {error}")

    def _show(self, message: Message) -> None:
        with self._output_mutex:
            self._write(self._lines.message(message))
        with self._progress:
            self._shown = message.id
            self._progress.notify_all()

    def _show_state(self, state: str, reason: str) -> None:
        words = {
            "connected": "back in the room",
            "reconnecting": f"connection lost ({reason}): trying to come back",
            "refused": f"can't come back: {reason}",
        }
        if state in words:
            self._complain(words[state])

    def _wait_until_shown(self, id: int) -> bool:
        with self._progress:
            return self._progress.wait_for(lambda: self._shown >= id, _CATCH_UP_SECONDS)


def input_groups(descriptor: int) -> Iterator[list[str]]:
    """The lines that can be read from *descriptor*, in groups of those that were there together."""
    rest = b""
    while chunk := _read(descriptor):
        *whole, rest = (rest + chunk).split(b"\n")
        rest = rest[:_LONGEST_LINE]  # too long to be sent anyway: it is refused when it ends
        for start in range(0, len(whole), _MOST_LINES):
            yield [_decoded(line) for line in whole[start : start + _MOST_LINES]]
    if rest:
        yield [_decoded(rest)]


def _read(descriptor: int) -> bytes:
    """What comes next. Looks up each second: a signal that arrives right before the wait does not interrupt it."""
    while not select.select([descriptor], [], [], _LOOK_SECONDS)[0]:
        pass
    return os.read(descriptor, 65_536)


def _decoded(line: bytes) -> str:
    return line.removesuffix(b"\r").decode(errors="surrogateescape")


def write_line(line: str) -> None:
    """Write to standard output and flush. When nobody reads there any more, the rest goes nowhere."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write_status(line: str) -> None:
    """Write to standard error."""
    with contextlib.suppress(OSError):
        print(visible(line), file=sys.stderr, flush=True)
