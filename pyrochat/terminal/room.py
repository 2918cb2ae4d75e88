"""A room that is open on the screen: what comes from the network, what was seen, what is being written.

Knows no screen. All but what its docstring says is for the screen's thread.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from pyrochat.client.chat import Chat
from pyrochat.terminal.conversation.layout import Look, name_cells
from pyrochat.terminal.conversation.markup import has_word
from pyrochat.terminal.conversation.page import Page, Past, Row
from pyrochat.terminal.conversation.progress import ReadProgress
from pyrochat.terminal.conversation.seen import Seen
from pyrochat.terminal.conversation.transcript import Transcript
from pyrochat.terminal.habits import ALL, MENTIONS, Habits
from pyrochat.terminal.writing.draft_file import DraftFile
from pyrochat.terminal.writing.drafts import Draft, Unsent, draft_file
from pyrochat.terminal.writing.sending import Sending
from pyrochat.terminal.writing.typed import TypedText
from pyrochat.values.errors import OtherLog, PyroChatError, Unavailable
from pyrochat.values.message import CHAT, Message
from pyrochat.values.rules import CLOSED, fold

_MOST_NOTICES = 20  # that wait to be shown


class OpenRoom:
    """*chat*, which reads "manual", and its draft in the folder *drafts*.

    changed: called with this room, in any thread, when there is something new to `take_in`. before: the same room with
    the log that it had before, which stays visible above this one's. habits: what the user wants to be told of.
    """

    def __init__(
        self, chat: Chat, look: Look, drafts: Path, changed: Callable[[OpenRoom], None], before: OpenRoom | None = None,
        habits: Callable[[], Habits] = Habits,
    ) -> None:  # fmt: skip
        self._habits = habits
        self.chat = chat
        self.name = chat.room
        self._own = fold(chat.name)
        self._changed = changed
        self._mutex = threading.Lock()  # guards the next two
        self._inbox: deque[Message] = deque()
        self._refused: list[tuple[Unsent, PyroChatError]] = []
        self.notices: deque[str] = deque(maxlen=_MOST_NOTICES)
        self._state = chat.state
        self.transcript = Transcript()
        self.progress = ReadProgress(chat.name)
        self.page = Page(
            self.transcript, self.progress, chat.name, look, past=_past(chat, before), ignores=self.ignores
        )
        self._is_renewed = False  # somebody opens it with the log that it has now
        history = chat.history()
        self._extend(history)
        start = max(chat.read_mark, chat.first_joined)
        self.seen = Seen(start, lambda id: fold(self.transcript.message(id).sender) == self._own)
        self._unread: list[int] = []
        self._mentions: list[int] = []
        self._count_unread(history[start:])
        self.page.new_after = start if self._unread else None
        self.told = start
        self._file = DraftFile(draft_file(drafts, chat.log_id, chat.name))
        self.notices.extend(self._file.notices)
        draft = self._file.draft
        self.draft = draft.text
        self.typed = TypedText(draft.typed)
        known = {message.key for message in history if message.key is not None and fold(message.sender) == self._own}
        self._outgoing = {unsent.key: unsent for unsent in draft.unsent if unsent.key not in known}
        self._sending = Sending(chat, lambda: changed(self), self._take_back)
        self._sending.add(draft.unsent)
        self._show_outgoing()
        self._unnumbered: tuple[tuple[Message, ...], int] = ((), 0)  # what `Chat.on_unnumbered` has told last
        chat.on_unnumbered(self._took_unnumbered)
        chat.on_message(self._took, after=len(history))
        chat.on_state(self._state_changed)
        chat.on_notice(self._noticed)

    # -- what the network says, in its threads ---------------------------------------------------------------

    def _took(self, message: Message) -> None:
        with self._mutex:
            self._inbox.append(message)
        self._changed(self)

    def _took_unnumbered(self, messages: tuple[Message, ...], after: int) -> None:
        self._unnumbered = messages, after
        self._changed(self)

    def _take_back(self, unsent: Unsent, error: PyroChatError) -> None:
        with self._mutex:
            self._refused.append((unsent, error))

    def _state_changed(self, state: str, reason: str) -> None:
        still_away = state == self._state == "reconnecting"  # and for a reason that somebody has to do something about
        if still_away or (state == "refused" and not isinstance(self.chat.refusal, OtherLog)):
            self.notices.append(reason)
        self._state = state
        self._changed(self)

    def _noticed(self, text: str) -> None:
        self.notices.append(text)
        self._changed(self)

    def is_to_be_renewed(self) -> bool:
        """Whether the room has another log now than the one that is here, and nobody was told yet; in any thread."""
        if not isinstance(self.chat.refusal, OtherLog):
            return False
        with self._mutex:
            was, self._is_renewed = self._is_renewed, True
        return not was

    def succeed(self, before: OpenRoom) -> None:
        """Take over what was being written in the same room *before* it had this log, and what it has refused."""
        self.draft, before.draft = before.draft or self.draft, ""
        self._refused += before.refused()

    # -- what has come ---------------------------------------------------------------------------------------

    def take_in(self, looking: bool) -> list[Message]:
        """Take in what has come; returns it. looking: somebody follows the conversation at its end."""
        with self._mutex:
            messages, self._inbox = list(self._inbox), deque()
        if not messages:
            self._show_unnumbered()
            return []
        before = self.transcript.end
        self._extend(messages)
        for message in messages:
            if message.key is not None and fold(message.sender) == self._own:
                self._outgoing.pop(message.key, None)
        self._show_outgoing()
        self._show_unnumbered()
        self._count_unread(messages)
        if looking:  # it went by in front of somebody's eyes, however much it was
            self.seen.show(before + 1, self.transcript.end)
        elif self.page.new_after is None and self.unread:
            self.page.new_after = before
        self.settle()
        return messages

    def _extend(self, messages: Sequence[Message]) -> None:
        if self.transcript.extend(messages):
            self.page.forget_lines()
        self.progress.follow(messages)
        senders = {message.sender for message in messages if message.kind == CHAT}
        self.page.look = name_cells(self.page.look, {self.chat.name, *senders})

    def _count_unread(self, messages: Sequence[Message]) -> None:
        others = [m for m in messages if self.chat.counts_as_unread(m) and not self.ignores(m.sender)]
        self._unread += [message.id for message in others]
        self._mentions += [message.id for message in others if self.concerns(message)]

    def concerns(self, message: Message) -> bool:
        """Whether *message* mentions this member, or has a word that concerns it, and somebody else wrote it."""
        if not self.chat.counts_as_unread(message) or self.ignores(message.sender):
            return False
        return self.chat.is_mentioned_in(message.text) or has_word(message.text, self._habits().highlight)

    def ignores(self, sender: str) -> bool:
        """Whether the user wants to see nothing of *sender*."""
        return fold(sender) in map(fold, self._habits().ignored)

    def is_told_of(self, message: Message) -> bool:
        """Whether the user wants to be told when *message* comes."""
        told = self._habits().told_of(self.name)
        if told == ALL:
            return self.chat.counts_as_unread(message) and not self.ignores(message.sender)
        return told == MENTIONS and self.concerns(message)

    @property
    def other(self) -> str:
        """Whom one talks to in a direct room; empty in all others."""
        names = self.name.split(CLOSED)
        if len(names) < 2 or not self.chat.is_direct:
            return ""
        return next((name for name in names[:2] if fold(name) != self._own), "")

    @property
    def unread(self) -> int:
        """How many messages of others are behind the read mark."""
        return len(self._unread) - bisect_right(self._unread, self.seen.mark)

    @property
    def mentions(self) -> int:
        """How many of those mention this member."""
        return len(self._mentions) - bisect_right(self._mentions, self.seen.mark)

    # -- reading ---------------------------------------------------------------------------------------------

    def saw(self, rows: Sequence[Row]) -> None:
        """*rows* are on the visible screen of a terminal that somebody looks at."""
        shown = [row for row in rows if row.is_last and row.id]
        if shown:
            self.seen.show(self.transcript.first_id(shown[0].entry), self.transcript.last_id(shown[-1].entry))
            self.settle()

    def read_all(self) -> None:
        """The user says so."""
        self.seen.show_all(self.transcript.end)
        self.page.new_after = None
        self.settle()

    def settle(self) -> bool:
        """Bring together how far this member has read here and elsewhere; tell the room. Whether that is news."""
        elsewhere = min(self.chat.read_mark, self.transcript.end)
        if elsewhere > self.seen.mark:
            self.seen.show_all(elsewhere)
        mark = self.seen.settle(self.transcript.end)
        if mark <= self.told:
            return False
        self.told = mark
        self.chat.mark_read(mark, wait=False)
        self._unread = self._unread[bisect_right(self._unread, mark) :]
        self._mentions = self._mentions[bisect_right(self._mentions, mark) :]
        return True

    def show_end(self) -> None:
        """Show the newest; the line above what was new has served where all is read."""
        self.page.view.show_end()
        if not self.unread:
            self.page.new_after = None

    # -- writing ---------------------------------------------------------------------------------------------

    def send(self, text: str) -> None:
        """Send *text*, now or as soon as the room can be reached; it is kept in a file until it is in the log.

        Raises Unavailable where it can't be kept: then it is not sent.
        """
        unsent = Unsent(text)
        self._outgoing[unsent.key] = unsent
        self.typed.add(text)
        self.draft = ""
        try:
            self.keep()
        except Unavailable:
            del self._outgoing[unsent.key]
            self.draft = text
            raise
        self._sending.add([unsent])
        self._show_outgoing()
        self.show_end()

    def refused(self) -> list[tuple[Unsent, PyroChatError]]:
        """What the room has not taken since this was asked last, and why."""
        with self._mutex:
            refused, self._refused = self._refused, []
        for unsent, _ in refused:
            self._outgoing.pop(unsent.key, None)
        self._show_outgoing()
        return refused

    @property
    def outgoing(self) -> int:
        """How many texts are not in the conversation yet."""
        return len(self._outgoing)

    def _show_outgoing(self) -> None:
        self.page.outgoing = [unsent.text for unsent in self._outgoing.values()]

    def _show_unnumbered(self) -> None:
        """Those of others, and of other sessions of this member. What has got its number meanwhile stays until it has come as a message."""
        messages, after = self._unnumbered
        if after <= self.transcript.end:
            own = self._outgoing.keys()
            shown = [
                message
                for message in messages
                if not self.ignores(message.sender) and not (fold(message.sender) == self._own and message.key in own)
            ]
            self.page.look = name_cells(self.page.look, {message.sender for message in shown})
            self.page.unnumbered = shown

    def keep(self) -> None:
        """Keep what is written, and what is not sent, for the next time. Raises Unavailable."""
        self._file.keep(Draft(self.draft, self._unsent(), tuple(self.typed.texts)))

    def _unsent(self) -> tuple[Unsent, ...]:
        waiting = {unsent.key: unsent for unsent in self._sending.waiting}
        return tuple((waiting | self._outgoing).values())

    def leave(self, timeout: float) -> None:
        """Send what can be sent within *timeout* seconds, keep the rest, and leave the room."""
        left = self._sending.end(timeout)
        self._outgoing = {unsent.key: unsent for unsent in left}
        try:
            self.keep()
        finally:
            self._file.close()


def _past(chat: Chat, before: OpenRoom | None) -> Past | None:
    """What is shown above the log of *chat*, where the room had another one before."""
    if before is not None:
        logs = before.page.past.logs if before.page.past is not None else ()
        return Past(
            "another log: the room was archived or hosted anew; what is above is not in it", [*logs, before.transcript]
        )
    if chat.replaced_log_id:
        return Past("another log than the one that you knew: the room was archived or hosted anew")
    return None
