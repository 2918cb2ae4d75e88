"""The plain client: lines in, lines out. For pipes, scripts, screen readers, and simple terminals."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

from pyrochat.client.chat import Chat
from pyrochat.client.known_logs import other_log
from pyrochat.terminal.commands import Command, answer, parse
from pyrochat.terminal.hints import as_options
from pyrochat.terminal.lines import Lines
from pyrochat.values.errors import InvalidText, LogUncertain, OtherLog, PyroChatError, RoomUnreachable
from pyrochat.values.message import Message
from pyrochat.values.rules import MAX_TEXT_BYTES, checked_text
from pyrochat.values.visible import visible

__all__ = ["PlainClient", "input_groups", "is_hang_up", "write_line", "write_status"]

_CATCH_UP_SECONDS = 10.0
_MOST_LINES = 1000
_LONGEST_LINE = 2 * MAX_TEXT_BYTES
_MOST_UNSENT_LINES = 20  # that are shown
_MOST_UNSENT_CHARACTERS = 100  # of each

Write = Callable[[str], None]
Typed = str | Command | PyroChatError
"""A line that was typed: a text, a command, or what is wrong with it."""


class PlainClient:
    """Shows what is delivered to *chat*, which reads ``"auto"``, and does what is typed.

    chat: another one of the same room from when the room has another log; whoever made this leaves it. write: called with
    each line for standard output; raises OSError where it could not be written: then nothing more is written, nor counts
    as read. complain: with each line for standard error. output_lost: called, in any thread, when something could not be
    written.
    """

    def __init__(self, chat: Chat, lines: Lines, write: Write, complain: Write) -> None:
        self.chat = chat
        self._lines = lines
        self._write = write
        self._complain = complain
        self.output_lost: Callable[[], None] = lambda: None
        self._shown = 0
        self._due = 0  # this message has to be shown before the end
        self._sent = 0  # the newest of ours
        self._progress = threading.Condition()  # guards _shown
        self._output_mutex = threading.Lock()  # an answer of several lines stays in one piece
        self._doing: tuple[list[Typed], int, int] = (
            [],
            0,
            0,
        )  # what was typed, and from where to where it is being done
        self._may_be_sent = False  # that: the room could be reached since it was begun
        self._given_up = False
        self.output_error: OSError | None = None
        self.failed = False  # something that was typed to be sent has not been sent, or something was not written

    def start(self) -> None:
        """Show the history, then what comes; who ends at once has been shown the history all the same."""
        self._due = next((message.id for message in self.chat.history(last=1)), 0)
        self.chat.on_state(self._show_state)
        self.chat.on_notice(lambda text: self._say(f"warning: {text}"))
        self.chat.on_message(self._show, after=0)

    # -- what is typed ---------------------------------------------------------------------------------------

    def do(self, line: str) -> bool:
        """Send or answer one typed line; False for ``/quit``."""
        return self.do_all([line])

    def do_all(self, typed: Iterable[str]) -> bool:
        """Send or answer lines that came together: texts that follow each other share a call."""
        lines = [_read(line) for line in typed if line]
        at, goes_on = 0, True
        while at < len(lines) and goes_on and not self._given_up:
            first, end = lines[at], at + 1
            if isinstance(first, str):
                end = next((n for n in range(at, len(lines)) if not isinstance(lines[n], str)), len(lines))
            self._may_be_sent = self.chat.state == "connected"
            self._doing = (lines, at, end)
            if isinstance(first, str):
                self._send(_texts(lines[at:end]))
            elif isinstance(first, InvalidText):
                self._fail(first)
            elif isinstance(first, PyroChatError):
                self._say(f"error: {first}")
            elif first.name == "quit":
                goes_on = False
            else:
                self._answer(first)
            at = end
        self._doing = ([], 0, 0)
        return goes_on

    def _send(self, texts: list[str]) -> None:
        try:
            if len(texts) == 1:
                self._due = self._sent = self.chat.send(texts[0]).id
            else:
                self._due = self._sent = self.chat.send_many(texts)[-1].id
        except PyroChatError as error:
            self._fail(error)
            self._name([(text, isinstance(error, LogUncertain)) for text in texts])

    def _answer(self, command: Command) -> None:
        self._wait_until_shown(self._due)
        try:
            answered = answer(command, self.chat, self._lines)
        except PyroChatError as error:
            self._say(f"error: {as_options(str(error))}")
            return
        with self._output_mutex:
            for line in answered:
                self._put(line)

    # -- what is shown ---------------------------------------------------------------------------------------

    def _show(self, message: Message) -> None:
        with self._output_mutex:
            self._put(self._lines.message(message))
        if self.output_error is not None:
            raise self.output_error  # so the read mark stops before this message
        with self._progress:
            self._shown = message.id
            if message.id >= self._due:  # nobody waits for less, and each wake costs a change of threads
                self._progress.notify_all()

    def _put(self, line: str) -> None:
        """Write *line*, unless something could not be written before: what comes out has no gaps."""
        if self.output_error is None:
            try:
                self._write(line)
            except OSError as error:
                self._lose_output(error)

    def _lose_output(self, error: OSError) -> None:
        if not is_hang_up(error):  # else whoever reads it has had enough
            self.failed = True
            self._say(
                f"error: can't write to standard output ({error.strerror or error}): nothing after #{self._shown} was "
                "written whole, nor counts as read; make room there, and join again"
            )
        with self._progress:  # last: whoever waits for it ends the process
            self.output_error = error
            self._progress.notify_all()
        self.output_lost()

    def _show_state(self, state: str, reason: str) -> None:
        words = {
            "connected": "back in the room",
            "reconnecting": f"connection lost ({as_options(reason)}): trying to come back",
            "refused": f"can't come back: {as_options(reason)}",
        }
        self._may_be_sent = self._may_be_sent or state == "connected"
        if state == "refused" and isinstance(self.chat.refusal, OtherLog):
            self._begin_anew()
        elif state in words:
            self._say(words[state])

    def _begin_anew(self) -> None:
        """The room has another log now: what was shown stays above a line that says so, and the other log follows."""
        before = self.chat
        self._wait_until_shown(max((message.id for message in before.history(last=1)), default=0))
        try:
            fresh = before.join_room(before.room)
        except PyroChatError as error:
            self._say(f"can't come back: {error}")
            return
        before.leave(timeout=0.0)
        self._say(f"---- another log: {other_log(before.room, before.log_id, fresh.log_id)} ----")
        self._shown = self._due = self._sent = 0
        self.chat = fresh
        self.start()

    def _wait_until_shown(self, id: int) -> bool:
        with self._progress:
            self._progress.wait_for(lambda: self._shown >= id or self.output_error is not None, _CATCH_UP_SECONDS)
            return self._shown >= id

    # -- the end ---------------------------------------------------------------------------------------------

    @property
    def shown(self) -> int:
        """The id of the last message that was written."""
        return self._shown

    def leave(self, timeout: float | None = None) -> None:
        """Leave the chat, having read what was written (the handlers' threads tell it a little later). See `Chat`."""
        if self._shown:
            self.chat.mark_read(self._shown, wait=False)
        self.chat.leave(timeout=timeout)

    def has_shown(self, only_sent: bool = False) -> bool:
        """Whether what was sent has been delivered back and shown; and the history, unless *only_sent*."""
        return self._shown >= (self._sent if only_sent else self._due)

    def wait_for_change(self, seconds: float) -> None:
        """Wait until what is due is shown, or `touch` is called, for *seconds* at the most."""
        with self._progress:
            self._progress.wait(seconds)

    def touch(self) -> None:
        """End a `wait_for_change`."""
        with self._progress:
            self._progress.notify_all()

    def finish(self) -> None:
        """Wait until what was sent has been delivered back and shown, for 10 s at the most."""
        if not self._wait_until_shown(self._due):
            self.say_not_back()

    def say_not_back(self) -> None:
        """The end has come before what was sent has been delivered back."""
        if self.output_error is None:
            self._fail(RoomUnreachable("the end came before all that was sent was delivered back: see what is there"))

    def give_up(self, typed: Iterable[str]) -> None:
        """Say which texts were not sent, as far as is known: of those that are being done, and of *typed* after them.

        Nothing is said after that: `leave` makes the call that is under way fail.
        """
        lines, at, end = self._doing
        texts = [(text, self._may_be_sent) for text in _texts(lines[at:end])]
        texts += [(text, False) for text in _texts([*lines[end:], *(_read(line) for line in typed if line)])]
        if texts:
            count = "1 line was" if len(texts) == 1 else f"{len(texts):,} lines were"
            self._fail(RoomUnreachable(f"{count} not sent, the room did not answer: send them when it is back"))
            self._name(texts)
        self._given_up = True

    def _name(self, texts: Sequence[tuple[str, bool]]) -> None:
        """Name texts that were not sent, each with whether it may have been all the same."""
        for text, may_be_sent in texts[:_MOST_UNSENT_LINES]:
            cropped = text if len(text) <= _MOST_UNSENT_CHARACTERS else f"{text[:_MOST_UNSENT_CHARACTERS]}…"
            self._say(f"{'perhaps not' if may_be_sent else 'not'} sent: {cropped}")
        if len(texts) > _MOST_UNSENT_LINES:
            self._say(f"not sent: {len(texts) - _MOST_UNSENT_LINES:,} more")

    def _fail(self, error: PyroChatError) -> None:
        self.failed = True
        self._say(f"error: {as_options(str(error))}")

    def _say(self, line: str) -> None:
        if not self._given_up:
            self._complain(line)


def _read(line: str) -> Typed:
    try:
        parsed = parse(line)
        return checked_text(parsed) if isinstance(parsed, str) else parsed
    except PyroChatError as error:
        return error


def _texts(lines: Iterable[Typed]) -> list[str]:
    return [line for line in lines if isinstance(line, str)]


def input_groups(descriptor: int, goes_on: Callable[[], bool] = lambda: True) -> Iterator[list[str]]:
    """The lines that can be read from *descriptor*, in groups of those that were there together.

    goes_on: called before each read; False ends it. What was typed of a line that is not whole then is dropped.
    """
    rest = b""
    while goes_on():
        chunk = _next_chunk(descriptor)
        if not chunk:
            if rest:
                yield [_decoded(rest)]
            return
        *whole, rest = (rest + chunk).split(b"\n")
        rest = rest[:_LONGEST_LINE]  # too long to be sent anyway: it is refused when it ends
        for start in range(0, len(whole), _MOST_LINES):
            yield [_decoded(line) for line in whole[start : start + _MOST_LINES]]


def _next_chunk(descriptor: int) -> bytes:
    """What comes next; empty at the end."""
    try:
        return os.read(descriptor, 65_536)
    except OSError as error:
        if error.errno == errno.EIO:  # the terminal is gone
            return b""
        raise


def _decoded(line: bytes) -> str:
    return line.removesuffix(b"\r").decode(errors="surrogateescape")


def write_line(line: str) -> None:
    """Write to standard output, all of it and past its buffer: what failed is not tried again at the end. Raises OSError."""
    stream = sys.stdout
    stream.flush()
    data = f"{line}\n".encode(stream.encoding, stream.errors or "strict")
    while data:
        try:
            data = data[os.write(stream.fileno(), data) :]
        except BlockingIOError:  # somebody who shares the pipe has made it so
            select.select([], [stream], [])


def is_hang_up(error: OSError) -> bool:
    """Whether nobody reads any more: the end of a pipe, which is no failure."""
    return isinstance(error, BrokenPipeError | ConnectionResetError)


def write_status(line: str) -> None:
    """Write to standard error."""
    with contextlib.suppress(OSError):
        print(visible(line), file=sys.stderr, flush=True)
