"""What is typed into a client that takes lines: read, sent or answered, and told where it could not be sent."""

import threading
from collections.abc import Callable, Iterable, Sequence

from pyrochat.terminal.commands import ChatCommand, parse
from pyrochat.terminal.hints import as_options
from pyrochat.values.errors import InvalidText, LogUncertain, PyroChatError, RoomUnreachable
from pyrochat.values.rules import checked_text

_MOST_UNSENT_LINES = 20  # that are shown
_MOST_UNSENT_CHARACTERS = 100  # of each

Write = Callable[[str], None]
Typed = str | ChatCommand | PyroChatError
"""A line that was typed: a text, a command, or what is wrong with it."""


class Typist:
    """Does what is typed, as `PlainLoop` asks it to. To be derived from.

    complain: called with each line for standard error that tells what went wrong. status: with each that tells how it
    goes. output_lost: called, in any thread, when something could not be written.
    """

    def __init__(self, complain: Write, status: Write | None = None) -> None:
        self._complain = complain
        self._status = status or complain
        self.output_lost: Callable[[], None] = lambda: None
        self.output_error: OSError | None = None
        self._progress = threading.Condition()
        # What was typed, and from where to where it is being done.
        self._doing: tuple[list[Typed], int, int] = ([], 0, 0)
        self._may_be_sent = False  # that: the room could be reached since it was begun
        self._giving_up = threading.Lock()  # guards the next, and what is begun before it
        self._given_up = False
        self._is_silent = False
        self.failed = False  # something that was typed to be sent has not been sent, or something was not written

    @property
    def state(self) -> str:
        """As a `Chat`'s."""
        raise NotImplementedError

    @property
    def shown(self) -> int:
        """The id of the last message that was written."""
        return 0

    def on_change(self, call: Callable[[], object]) -> None:
        """Call *call*, in any thread, whenever `state` changes."""

    def start(self) -> None:
        """Begin to show what is to be shown."""

    def _post(self, texts: list[str]) -> None:
        """Send *texts*, which came together. Raises PyroChatError."""
        raise NotImplementedError

    def _answer(self, command: ChatCommand) -> None:
        """Do *command*, which is any but ``/quit``."""
        raise NotImplementedError

    def leave(self, timeout: float | None = None) -> None:
        """Leave the room. See `Chat`."""
        raise NotImplementedError

    # -- what is typed ---------------------------------------------------------------------------------------

    def do(self, line: str) -> bool:
        """Send or answer one typed line; False for ``/quit``."""
        return self.do_all([line])

    def do_all(self, typed: Iterable[str]) -> bool:
        """Send or answer lines that came together: texts that follow each other share a call."""
        self.take(typed)
        return self.do_taken()

    def take(self, typed: Iterable[str]) -> None:
        """These lines are next: from now on `give_up` knows of them. They are done by `do_taken`."""
        self._doing = ([_read(line) for line in typed if line], 0, 0)

    def do_taken(self) -> bool:
        """Do what was taken; False for ``/quit``."""
        lines, at, _ = self._doing
        goes_on = True
        while at < len(lines) and goes_on:
            first, end = lines[at], at + 1
            if isinstance(first, str):
                end = next((n for n in range(at, len(lines)) if not isinstance(lines[n], str)), len(lines))
            with self._giving_up:
                if self._given_up:
                    break
                self._may_be_sent = self.state == "connected"
                self._doing = (lines, at, end)
            if isinstance(first, str):
                self._send(_texts(lines[at:end]))
            elif isinstance(first, InvalidText):
                self._fail(first)
            elif isinstance(first, PyroChatError):
                self._say(f"error: {as_options(str(first))}")
            elif first.name == "quit":
                goes_on = False
            else:
                self._answer(first)
            at = end
        self._doing = ([], 0, 0)
        return goes_on

    def _send(self, texts: list[str]) -> None:
        try:
            self._post(texts)
        except PyroChatError as error:
            self._fail(error)
            self._name([(text, isinstance(error, LogUncertain)) for text in texts])

    def _show_state(self, state: str, reason: str) -> None:
        reason = as_options(reason)
        words = {
            "connected": "back in the room",
            "reconnecting": f"connection lost ({reason}): trying to come back",
        }
        self._may_be_sent = self._may_be_sent or state == "connected"
        if state == "refused":
            self._say(f"can't come back: {reason}")
        elif state in words and not self._given_up:
            self._status(words[state])

    # -- the end ---------------------------------------------------------------------------------------------

    def has_shown(self, only_sent: bool = False) -> bool:
        """Whether what was sent has been delivered back and shown; and the history, unless *only_sent*."""
        return True

    def wait_for_change(self, seconds: float) -> None:
        """Wait until what is due is shown, or `touch` is called, for *seconds* at the most."""
        with self._progress:
            self._progress.wait(seconds)

    def touch(self) -> None:
        """End a `wait_for_change`."""
        with self._progress:
            self._progress.notify_all()

    def say_not_back(self) -> None:
        """The end has come before what was sent has been delivered back."""
        if self.output_error is None:
            self._fail(RoomUnreachable("the end came before all that was sent was delivered back: see what is there"))

    def give_up(self, typed: Iterable[str]) -> None:
        """Say which texts were not sent, as far as is known: of those that are being done, and of *typed* after them.

        Nothing is said after that: `leave` makes the call that is under way fail.
        """
        with self._giving_up:
            self._given_up = True
            lines, at, end = self._doing
        texts = [(text, self._may_be_sent) for text in _texts(lines[at:end])]
        texts += [(text, False) for text in _texts([*lines[end:], *(_read(line) for line in typed if line)])]
        if texts:
            count = "1 line was" if len(texts) == 1 else f"{len(texts):,} lines were"
            self._fail(RoomUnreachable(f"{count} not sent, the room did not answer: send them when it is back"))
            self._name(texts)
        self._is_silent = True

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
        if not self._is_silent:
            self._complain(line)


def _read(line: str) -> Typed:
    try:
        parsed = parse(line)
        return checked_text(parsed) if isinstance(parsed, str) else parsed
    except PyroChatError as error:
        return error


def _texts(lines: Iterable[Typed]) -> list[str]:
    return [line for line in lines if isinstance(line, str)]
