"""The plain client: lines in, lines out. For pipes, scripts, screen readers, and simple terminals."""

import threading
from collections.abc import Callable

from pyrochat.client.chat import Chat
from pyrochat.client.known_logs import other_log
from pyrochat.terminal.asides import Asides
from pyrochat.terminal.commands import ChatCommand, answer, say, to_whom
from pyrochat.terminal.hints import as_options
from pyrochat.terminal.lines import Lines
from pyrochat.terminal.streams import is_hang_up
from pyrochat.terminal.typed import Typist, Write
from pyrochat.values.errors import OtherLog, PyroChatError
from pyrochat.values.message import Message

_CATCH_UP_SECONDS = 10.0


class PlainClient(Typist):
    """Shows what is delivered to *chat*, which reads ``"auto"``, and does what is typed. See `Typist`.

    chat: another one of the same room from when the room has another log; whoever made this leaves it. write: called with
    each line for standard output; raises OSError where it could not be written: then nothing more is written, nor counts
    as read. history: so many of the messages that are here already are shown; None: all.
    """

    def __init__(
        self, chat: Chat, lines: Lines, write: Write, complain: Write, status: Write | None = None,
        history: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__(complain, status)
        self.chat = chat
        self._lines = lines
        lines.speak_of(chat)
        self._write = write
        self._due = _end_of(chat)  # this has to be shown before the end
        self._after = 0 if history is None else max(0, self._due - history)
        self._shown = 0  # guarded by _progress
        self._sent = 0  # the newest of ours
        self._output_mutex = threading.Lock()  # an answer of several lines stays in one piece
        self._asides = Asides(self._show_aside)
        chat.on_state(self._show_state)  # from now on: what is lost before the start is said too

    @property
    def state(self) -> str:
        """As a `Chat`'s."""
        return self.chat.state

    def on_change(self, call: Callable[[], object]) -> None:
        def changed(state: str, reason: str) -> None:
            call()

        self.chat.on_state(changed)

    def start(self) -> None:
        """Show the history, then what comes; who ends at once has been shown the history all the same."""
        self.chat.on_notice(lambda text: self._say(f"warning: {text}"))
        self.chat.on_message(self._show, after=self._after)

    # -- what is typed ---------------------------------------------------------------------------------------

    def _post(self, texts: list[str]) -> None:
        if len(texts) == 1:
            self._due = self._sent = self.chat.send(texts[0]).id
        else:
            self._due = self._sent = self.chat.send_many(texts)[-1].id

    def _answer(self, command: ChatCommand) -> None:
        self._wait_until_shown(self._due)
        try:
            if command.name == "msg":
                self._asides.say(self.chat, *to_whom(command.argument))
                return
            said = say(command, self.chat)
        except PyroChatError as error:
            self._fail(error)
            return
        if said is not None:
            self._due = self._sent = said.id
            return
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

    def _show_aside(self, message: Message) -> None:
        """As `_show`, of a direct room."""
        with self._output_mutex:
            self._put(self._lines.beside(message))
        if self.output_error is not None:
            raise self.output_error

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
        if state == "refused" and isinstance(self.chat.refusal, OtherLog):
            self._begin_anew()
        else:
            super()._show_state(state, reason)

    def _begin_anew(self) -> None:
        """The room has another log now: what was shown stays above a line that says so, and the other log follows."""
        before = self.chat
        self._wait_until_shown(_end_of(before))
        try:
            fresh = before.join_room(before.room)
        except PyroChatError as error:
            self._say(f"can't come back: {error}")
            return
        before.leave(timeout=0.0)
        self._shown = self._sent = self._after = 0
        self._due = _end_of(fresh)
        self._lines.speak_of(fresh)
        self.chat = fresh  # before it is said: what is typed then goes there
        fresh.on_state(self._show_state)
        self._say(f"---- another log: {other_log(before.room, before.log_id, fresh.log_id)} ----")
        self.start()

    def _wait_until_shown(self, id: int) -> bool:
        with self._progress:
            self._progress.wait_for(lambda: self._is_shown(id) or self.output_error is not None, _CATCH_UP_SECONDS)
            return self._is_shown(id)

    def _is_shown(self, id: int) -> bool:
        return self._shown >= id or id <= self._after  # which nobody has asked to see

    # -- the end ---------------------------------------------------------------------------------------------

    @property
    def shown(self) -> int:
        """The id of the last message that was written."""
        return self._shown

    def leave(self, timeout: float | None = None) -> None:
        """Leave the chat, having read what was written (the handlers' threads tell it a little later). See `Chat`."""
        if self._shown:
            self.chat.mark_read(self._shown, wait=False)
        self._asides.leave(timeout)
        self.chat.leave(timeout=timeout)

    def has_shown(self, only_sent: bool = False) -> bool:
        """Whether what was sent has been delivered back and shown; and the history, unless *only_sent*."""
        return self._is_shown(self._sent if only_sent else self._due)

    def finish(self) -> None:
        """Wait until what was sent has been delivered back and shown, for 10 s at the most."""
        if not self._wait_until_shown(self._due):
            self.say_not_back()


def _end_of(chat: Chat) -> int:
    """The id of the last message that is here."""
    return next((message.id for message in chat.history(last=1)), 0)
