"""The chat as a program sees it."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterator
from types import TracebackType
from typing import NoReturn, Self

from pyrochat.client.answers import CONFIRMATIONS, DIGEST, MARK_READ, SEARCH, SUSPECTED
from pyrochat.client.beside import Beside
from pyrochat.client.called import Called
from pyrochat.client.credentials import Credentials
from pyrochat.client.finding import Finder
from pyrochat.client.handling import Handling
from pyrochat.client.known_logs import other_log
from pyrochat.client.lifetimes import leave_abandoned, open_chats, unless_gone
from pyrochat.client.listening import follow
from pyrochat.client.messages import Messages, SearchResult
from pyrochat.client.outbox import Outbox
from pyrochat.client.reading import MANUAL, NEVER, Reading
from pyrochat.client.replica import Replica
from pyrochat.client.saying import Saying
from pyrochat.client.session import ASK_SECONDS, CLOSED, CONNECTED, ClientSession
from pyrochat.client.unread import Unread
from pyrochat.clock import monotonic
from pyrochat.core.query import parse_query
from pyrochat.pyro.forks import LeftToParent, leave_to_parent
from pyrochat.values.confirmations import Confirmations
from pyrochat.values.current import Current
from pyrochat.values.errors import ChatClosed, InvalidArgument, PyroChatError, UnknownMessage, WaitTimeout
from pyrochat.values.message import Message
from pyrochat.values.progress import Progress
from pyrochat.values.protocol import MAX_FOUND, Timing
from pyrochat.values.rules import (
    MAX_ID,
    checked_id,
    checked_integer,
    checked_timeout,
    fold,
)
from pyrochat.values.verification import Verification

log = logging.getLogger("pyrochat")

_BRIEFLY_SECONDS = 2.0
_AGAIN_SECONDS = 0.05


class Chat(Saying, Handling, Beside, Called):
    """One member's place in a room: made by `join`, a context manager, safe for use by many threads.

    name, room: as they were joined. Messages arrive by themselves, in the room's order, in a local
    replica; when the connection is lost the Chat comes back by itself, without loss or repetition.
    It belongs to the process that has joined: in a child that was forked from it, all but its name raises ChatClosed.
    flush_seconds, parting_seconds: how long `leave` waits for what is to be sent, and for the room's answer.
    """

    def __init__(
        self, name: str, room: str, finder: Finder, credentials: Credentials, read: str, timing: Timing, *,
        flush_seconds: float = 5.0, parting_seconds: float = 3.0,
    ) -> None:  # fmt: skip
        self.name = name
        self.room = room
        self._credentials, self._timing = credentials, timing  # for `_beside`
        replica = Replica(room)
        reading = Reading(replica, name, read)
        self._unread = Unread(replica, reading, name)
        tell_state, tell_notice = unless_gone(self, "_tell_state"), unless_gone(self, "_tell_notice")
        self._session = ClientSession(
            credentials, finder, replica, reading, tell_state, tell_notice, timing, parting_seconds,
            unless_gone(self, "_tell_unnumbered"),
        )  # fmt: skip
        self._flush_seconds = flush_seconds
        self._outbox = outbox = Outbox(self._session, replica, reading, tell_notice)
        super().__init__(replica, reading, outbox.mark, unless_gone(self, "confirmations"))
        self._abandoned = weakref.finalize(self, leave_abandoned, name, room, self._session, outbox, flush_seconds)
        self._abandoned.atexit = False  # `_leave_all` is for that

    def _open(self, progress: Progress | None) -> None:
        """Join, and wait until the replica has reached the log's end as it is now."""
        try:
            if progress is not None and not callable(progress):
                raise InvalidArgument(f"progress has to be a function, not {progress!r:.40}")
            tail = self._session.open()
            open_chats.add(self)
            if self.replaced_log_id:
                log.warning("%s", other_log(self.room, self.replaced_log_id, self.log_id))
            while not self._replica.wait(lambda: self._replica.end >= tail or self._is_closed(), 0.05):
                self._session.check_comes(tail)
                if progress is not None:
                    progress(self._replica.end, tail)
            if progress is not None:
                progress(self._replica.end, tail)
        except BaseException:
            self._session.close()
            raise

    # -- what is here --------------------------------------------------------------------------------------

    def history(self, last: int | None = None, *, after: int = 0) -> Messages:
        """The local replica, in order: all of it, the *last* N messages, or those *after* an id."""
        checked_integer(after, "after", 0, MAX_ID)
        self._catch_up()
        end = self._replica.end
        if last is not None:
            after = max(after, end - checked_integer(last, "last", 0, MAX_ID))
        return Messages(self._replica.slice(after, end))

    def current(self, id: int) -> Current:
        """What message *id* is now: its newest text (None where it was deleted), who has reacted, which messages answer it.

        Of an edit: what it edits. Raises UnknownMessage where it is not here.
        """
        checked_id(id)
        self._catch_up()
        try:
            return self._replica.current(id)
        except IndexError:
            raise UnknownMessage(f"there is no message {id} here: the last one is {self._replica.end}") from None

    @property
    def topic(self) -> str:
        """What the room is about; empty: nothing in particular."""
        self._catch_up()
        return self._replica.topic

    @property
    def members(self) -> list[str]:
        """The names present, in the order in which they joined."""
        self._catch_up()
        return self._replica.members

    @property
    def member_count(self) -> int:
        """How many are present, without waiting for anything."""
        return self._replica.member_count

    def suspected(self, *, timeout: float | None = ASK_SECONDS) -> list[str]:
        """The names of the members whose connection is lost, and who may come back; asks the room. Raises WaitTimeout.

        timeout, here and in whatever else asks the room: seconds to wait while it can't be reached; None waits on.
        """
        return self._session.ask(SUSPECTED, timeout=checked_timeout(timeout))

    @property
    def log_id(self) -> str:
        """The identity of the room's log: another log under the same name has another one."""
        return self._replica.log_id or ""

    @property
    def replaced_log_id(self) -> str:
        """The identity of the log that this user knew in this room before, where the room has another one now; else empty.

        Then ids and messages are not those that were here before: the room was hosted anew, or its operator went on
        without what was lost. Said once, to the next Chat that joins.
        """
        known = self._session.known_log
        return known if known != self.log_id else ""

    @property
    def refusal(self) -> PyroChatError | None:
        """Why `state` is ``"refused"``: with OtherLog, ``chat.join_room(chat.room)`` is a Chat of the log that is there now."""
        return self._session.refusal

    @property
    def sessions(self) -> int:
        """How many sessions this member had in the room when this Chat joined, itself included."""
        return self._session.sessions

    @property
    def marks(self) -> dict[str, tuple[int, int]]:
        """``name: (delivered, read)`` of everybody present: ids, as the room told them last, without asking."""
        return self._replica.marks

    @property
    def all_marks(self) -> dict[str, tuple[int, int]]:
        """The same of all who were ever here, by folded name."""
        return self._replica.all_marks

    @property
    def first_joined(self) -> int:
        """The id of this member's very first "joined", as far as the replica goes; what was there before is history."""
        return self._replica.first_joined(fold(self.name))

    @property
    def read_mark(self) -> int:
        """Everything up to this id has been shown here, or is our own."""
        return self._reading.mark

    @property
    def state(self) -> str:
        """``"connected"``, ``"reconnecting"``, ``"refused"`` (the room won't have us back) or ``"closed"``."""
        return self._session.state

    @property
    def pending(self) -> int:
        """How many texts are being sent and not acknowledged yet."""
        return self._outbox.pending

    @property
    def held_up(self) -> str:
        """What keeps the room from going on, in a line for people: for whom it waits, or how many of its servers or sites are here;
        empty: nothing does, as far as the room has said."""
        return self._session.held_up if self.state == CONNECTED else ""

    @property
    def unnumbered(self) -> tuple[Message, ...]:
        """Texts in a ``lamport`` room that have no number yet, in the order that they would have now; their `id` is 0. They are in no
        history, and count for nothing, until they come as messages; one or the other may never come."""
        return self._session.unnumbered.messages

    def confirmations(self, id: int, *, timeout: float | None = ASK_SECONDS) -> Confirmations:
        """Who has message *id*, and who has read it; asks the room. Raises UnknownMessage, WaitTimeout."""
        checked_id(id)
        return Confirmations.of(id, *self._session.ask_again(CONFIRMATIONS, id, timeout=checked_timeout(timeout)))

    def search(
        self, words: str, *, before: int | None = None, limit: int = MAX_FOUND, timeout: float | None = ASK_SECONDS
    ) -> SearchResult:
        """The newest *limit* (1 to 50) messages with all of *words*, newest first; asks the room. Marks nothing read.

        words: ``"a phrase"`` in double quotes, ``begin*`` and ``from:NAME`` are understood; case and accents don't
        matter. before: only messages with ids below, to go on where another search ended. While the server
        is still indexing an old log, the result's `is_complete` is False.
        Raises InvalidArgument, SearchUnavailable, WaitTimeout where the room can't be reached.
        """
        parse_query(words)
        if before is not None:
            checked_integer(before, "before", 1, MAX_ID)
        checked_integer(limit, "limit", 1, MAX_FOUND)
        return SearchResult(*self._session.ask(SEARCH, words, before, limit, timeout=checked_timeout(timeout)))

    def verify(self, *, timeout: float | None = ASK_SECONDS) -> Verification:
        """Compare the whole replica with the room's log, by their digests; says up to where they are identical.

        timeout: for each of some 20 questions. Raises WaitTimeout where the room can't be reached.
        """
        timeout = checked_timeout(timeout)
        self._catch_up()
        probe = end = self._replica.end
        same, differs = 0, end + 1  # the chains begin with the same digest, or we would not be in this log
        while same + 1 < differs:
            if self._is_same(probe, timeout):
                same = probe
            else:
                differs = probe
            probe = (same + differs) // 2
        return Verification(same, end, self._replica.digest(same).hex(), self.log_id, self.replaced_log_id)

    def _is_same(self, id: int, timeout: float | None) -> bool:
        try:
            return self._session.ask(DIGEST, id, timeout=timeout) == self._replica.digest(id).hex()
        except UnknownMessage:
            return False  # the room's log ends before it

    def wait_for(self, id: int, timeout: float | None = None) -> Message:
        """Message *id*, as soon as it is here; raises WaitTimeout after *timeout* seconds, ChatClosed, and what
        the room refuses us with for good.
        """
        checked_id(id)
        timeout = checked_timeout(timeout)
        if not self._replica.wait(lambda: self._replica.end >= id or self._session.is_over, timeout):
            raise WaitTimeout(
                f"message {id} did not come within {timeout:g} s; the last one here is {self._replica.end}"
            )
        try:
            return self._replica.get(id)
        except IndexError:
            self._session.check_not_refused()
            raise ChatClosed(f"the chat was left before message {id} came") from None

    def wait_read(self, id: int, timeout: float | None = None) -> Confirmations:
        """The confirmations of message *id*, as soon as nobody is waited for any more who is here.

        Raises WaitTimeout after *timeout* seconds, ChatClosed, and what `wait_for` raises.
        """
        timeout = checked_timeout(timeout)
        deadline = None if timeout is None else monotonic() + timeout
        self.wait_for(id, timeout)
        while True:
            left = None if deadline is None else max(0.0, deadline - monotonic())
            if not self._replica.wait(lambda: self._session.is_over or not self._replica.waits_for(id), left):
                names = ", ".join(self._replica.waits_for(id))
                raise WaitTimeout(f"message {id} was not read within {timeout:g} s by {names}")
            self._session.check_not_refused()
            self._check_open()
            found = self.confirmations(id, timeout=ASK_SECONDS if left is None else left)
            if not found.waiting_for:
                return found
            self._replica.wait(lambda: self._session.is_over, _AGAIN_SECONDS)  # what is told here is on its way there

    def _beside(self, room: str, read: str, progress: Progress | None) -> Self:
        chat = type(self)(self.name, room, self._session.round.beside(room), self._credentials, read, self._timing)
        chat._open(progress)
        return chat

    # -- reading -------------------------------------------------------------------------------------------

    def unread(self) -> Messages:
        """What others wrote since this member's read mark, also while it was away; marks it read, save with
        ``read="never"``. Edits are among it where they newly mention this member. What was there before its very first
        join is history.
        """
        self._catch_up()
        end = self._replica.end
        found = self._unread.find(end)
        self._confirm(end)
        return Messages(found)

    @property
    def unread_count(self) -> int:
        """How many messages `unread` would return; marks nothing."""
        self._catch_up()
        return len(self._unread.find(self._replica.end))

    def mentions(self) -> Messages:
        """Those of the unread messages that mention this member (``@name``); marks nothing."""
        self._catch_up()
        return Messages(
            message for message in self._unread.find(self._replica.end) if self.is_mentioned_in(message.text)
        )

    def counts_as_unread(self, message: Message) -> bool:
        """Whether *message* is one of those that `unread` returns until they are read: a text of somebody else's, or an edit
        that newly mentions this member."""
        return self._unread.counts(message)

    def is_mentioned_in(self, text: str) -> bool:
        """Whether *text* has ``@name`` of this member."""
        return self._unread.mentions(text)

    def mark_read(self, id: int, *, wait: bool = True, timeout: float | None = ASK_SECONDS) -> None:
        """Confirm that everything up to message *id* has been shown; the room knows it when this returns.

        wait: False lets the room know soon, and comes back at once. Raises UnknownMessage, WaitTimeout where the room
        can't be reached, InvalidArgument with ``read="never"``.
        """
        checked_id(id)
        timeout = checked_timeout(timeout)
        if not self._reading.marks:
            raise InvalidArgument(f'this chat was joined with read="{NEVER}": join with "{MANUAL}" to mark by hand')
        if not wait and id <= self._replica.end:
            self._confirm(id)
            return
        self._catch_up()
        if id > self._replica.end:
            raise UnknownMessage(f"there is no message {id} here: the last one is {self._replica.end}")
        self._reading.advance(id)
        self._session.ask_again(MARK_READ, self._reading.tell(), timeout=timeout)

    def listen(self, timeout: float | None = None, *, after: int | None = None) -> Iterator[Message]:
        """The messages that come from now on (or after id *after*), one by one.

        Ends at `leave`, or when nothing has come for *timeout* seconds. With ``read="auto"`` what has
        been yielded counts as read, as far as all handlers (`on_message`) have returned from it.
        """
        self._check_open()
        start = self._replica.end if after is None else checked_integer(after, "after", 0, MAX_ID)
        return follow(self._replica, start, checked_timeout(timeout), self._is_closed, self._yielded)

    # -- the end --------------------------------------------------------------------------------------------

    def leave(self, *, timeout: float | None = None) -> None:
        """Send what is waiting (for *timeout* seconds at the most, 5 if None), tell the room, and end. Idempotent.

        A room that doesn't answer is waited for 3 s more, and handlers that are busy with a state or a notice 2 s.
        """
        timeout = checked_timeout(timeout)
        if self._is_closed():
            return
        reachable = self._session.is_connected
        patience = self._flush_seconds if timeout is None else timeout
        self._outbox.close(patience if reachable else 0.0)
        self._session.close()
        self._outbox.give_up()
        open_chats.discard(self)
        self._wait_for_handlers(_BRIEFLY_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Raise InvalidArgument: neither `copy` nor `pickle` can make another."""
        raise InvalidArgument(
            "a Chat is a connection, of which there is no copy: join again, or pass its name and room"
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._is_left_to_parent:
            self.leave()

    def __repr__(self) -> str:
        if self._is_left_to_parent:
            return f"<Chat of {self.name} in {self.room}: the parent process's>"
        members = self._replica.member_count
        size = f"{self._replica.end:,} messages, {members:,} member{'s' * (members != 1)}"
        return f"<Chat of {self.name} in {self.room}: {self.state}, {size}>"

    # -- within ---------------------------------------------------------------------------------------------

    def _is_closed(self) -> bool:
        return self._session.state == CLOSED

    def _check_open(self) -> None:
        if self._is_closed():
            raise ChatClosed("the chat has been left: join again")

    def _catch_up(self) -> None:
        """Wait briefly until the replica has what this chat has been acknowledged."""
        acknowledged = self._outbox.acknowledged
        if self._replica.end < acknowledged and self._session.is_connected:
            self._replica.wait(
                lambda: self._replica.end >= acknowledged or not self._session.is_connected, _BRIEFLY_SECONDS
            )

    def _yielded(self, id: int) -> None:
        if self._reading.shown(id):
            self._outbox.mark()

    def _confirm(self, id: int) -> None:
        if self._reading.advance(id):
            self._outbox.mark()

    @property
    def _is_left_to_parent(self) -> bool:
        return isinstance(self._session, LeftToParent)

    def _leave_to_parent(self) -> None:
        """In a child of the process: this is the parent's, and nothing here may touch what they share."""
        self._stop_handlers()
        self._abandoned.detach()
        leave_to_parent(self, lambda: ChatClosed("this Chat belongs to the parent process: join in the child"))
