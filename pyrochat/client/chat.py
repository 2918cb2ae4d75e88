"""The chat as a program sees it."""

from __future__ import annotations

import atexit
import contextlib
import logging
import weakref
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import Self, TypeVar, overload

from pyrochat.client.credentials import Credentials
from pyrochat.client.finding import Finder
from pyrochat.client.handlers import Handler, HandlerThreads
from pyrochat.client.listening import follow
from pyrochat.client.messages import Messages, SearchResult
from pyrochat.client.outbox import Outbox
from pyrochat.client.reading import Reading
from pyrochat.client.replica import Replica
from pyrochat.client.session import CLOSED, ClientSession
from pyrochat.core.query import parse_query
from pyrochat.values.addresses import shown_address
from pyrochat.values.confirmations import Confirmations
from pyrochat.values.errors import ChatClosed, InvalidArgument, PyroChatError, UnknownMessage, WaitTimeout
from pyrochat.values.message import Message
from pyrochat.values.protocol import MAX_FOUND, Timing
from pyrochat.values.rules import checked_integer, checked_key, checked_room_name, checked_text, checked_texts
from pyrochat.values.verification import Verification

__all__ = ["AUTO", "MANUAL", "Chat"]

log = logging.getLogger("pyrochat")

AUTO = "auto"
MANUAL = "manual"

_BRIEFLY_SECONDS = 2.0
_ASK_SECONDS = 10.0
_PARTING_SECONDS = 5.0
_MOST = 1 << 62

Progress = Callable[[int, int], object]
MessageHandler = TypeVar("MessageHandler", bound=Callable[[Message], object])
NoticeHandler = TypeVar("NoticeHandler", bound=Callable[[str], object])
StateHandler = TypeVar("StateHandler", bound=Callable[[str, str], object])

_open_chats: weakref.WeakSet[Chat] = weakref.WeakSet()


class Chat:
    """One member's place in a room: made by `join`, a context manager, safe for use by many threads.

    name, room: as they were joined. Messages arrive by themselves, in the room's order, in a local
    replica; when the connection is lost the Chat comes back by itself, without loss or repetition.
    """

    def __init__(
        self, name: str, room: str, finder: Finder, credentials: Credentials, read: str, timing: Timing
    ) -> None:
        if read not in (AUTO, MANUAL):
            raise InvalidArgument(f'read has to be "{AUTO}" or "{MANUAL}", not {read!r}')
        self.name = name
        self.room = room
        self._finder, self._credentials, self._timing = finder, credentials, timing  # for `join_room`
        self._auto = read == AUTO
        self._state_handlers: list[Callable[[str, str], object]] = []
        self._notice_handlers: list[Callable[[str], object]] = []
        self._replica = Replica(room)
        self._reading = Reading(self._replica, name)
        self._session = ClientSession(
            credentials, finder, self._replica, self._reading, self._tell_state, self._tell_notice, timing
        )  # fmt: skip
        self._outbox = Outbox(self._session, self._replica, self._reading, self._tell_notice)

    def _open(self, progress: Progress | None) -> None:
        """Join, and wait until the replica has reached the log's end as it is now."""
        tail = self._session.open()
        _open_chats.add(self)
        try:
            while not self._replica.wait(lambda: self._replica.end >= tail or self._is_closed(), 0.05):
                self._session.check_not_refused()
                if progress is not None:
                    progress(self._replica.end, tail)
            if progress is not None:
                progress(self._replica.end, tail)
        except BaseException:
            self._session.close()
            raise

    # -- sending ------------------------------------------------------------------------------------------

    def send(self, text: str, *, key: str | None = None, timeout: float | None = None) -> Message:
        """Send *text* (1 to 16,384 bytes of UTF-8); returns its Message once it is durable and ordered.

        key: an own key for this message (1 to 64 printable ASCII characters); the same text sent
        again with the same key appears once. timeout: seconds to wait; None waits over every lost
        connection. Raises InvalidText, SendTimeout (the message may or may not be in the log; its
        `key` makes a repeat safe), LogUnavailable, ChatClosed.
        """
        return self._outbox.send([checked_text(text)], checked_key(key), timeout)[0]

    def send_many(self, texts: Sequence[str], *, key: str | None = None, timeout: float | None = None) -> list[Message]:
        """Send texts in one call and one commit, with consecutive ids; see `send`; a key stands for the whole list."""
        texts = checked_texts(list(texts))
        return self._outbox.send(texts, checked_key(key), timeout) if texts else []

    # -- what is here --------------------------------------------------------------------------------------

    def history(self, last: int | None = None, *, after: int = 0) -> Messages:
        """The local replica, in order: all of it, the *last* N messages, or those *after* an id."""
        checked_integer(after, "after", 0, _MOST)
        self._catch_up()
        end = self._replica.end
        if last is not None:
            after = max(after, end - checked_integer(last, "last", 0, _MOST))
        return Messages(self._replica.slice(after, end))

    @property
    def members(self) -> list[str]:
        """The names present, in the order in which they joined."""
        self._catch_up()
        return self._replica.members

    def suspected(self) -> list[str]:
        """The names of the members whose connection is lost, and who may come back; asks the room. Raises WaitTimeout."""
        answer = self._session.call("suspected", timeout=_ASK_SECONDS)
        if not isinstance(answer, list):
            raise PyroChatError("the room's answer to suspected() makes no sense")
        return list(map(str, answer))

    @property
    def log_id(self) -> str:
        """The identity of the room's log: another log under the same name has another one."""
        return self._replica.log_id or ""

    @property
    def marks(self) -> dict[str, tuple[int, int]]:
        """``name: (delivered, read)`` of everybody present: ids, as the room told them last, without asking."""
        return self._replica.marks

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

    def confirmations(self, id: int) -> Confirmations:
        """Who has message *id*, and who has read it; asks the room. Raises UnknownMessage, WaitTimeout."""
        answer = self._session.call(
            "confirmations", checked_integer(id, "a message id", 1, _MOST), timeout=_ASK_SECONDS
        )
        match answer:
            case [list(delivered_to), list(read_by), list(waiting_for)]:
                return Confirmations.of(id, map(str, delivered_to), map(str, read_by), map(str, waiting_for))
        raise PyroChatError("the room's answer to confirmations() makes no sense")

    def search(self, words: str, *, before: int | None = None, limit: int = MAX_FOUND) -> SearchResult:
        """The newest *limit* (1 to 50) messages with all of *words*, newest first; asks the room. Marks nothing read.

        words: ``"a phrase"`` in double quotes, ``begin*`` and ``from:NAME`` are understood; case and accents don't
        matter. before: only messages with ids below, to go on where another search ended. While the server
        is still indexing an old log, the result's `is_complete` is False.
        Raises InvalidArgument, SearchUnavailable, WaitTimeout where the room can't be reached.
        """
        parse_query(words)
        if before is not None:
            checked_integer(before, "before", 1, _MOST)
        checked_integer(limit, "limit", 1, MAX_FOUND)
        answer = self._session.call("search", words, before, limit, timeout=_ASK_SECONDS)
        match answer:
            case [list(messages), int(indexed_up_to), int(end)] if all(isinstance(m, list) for m in messages):
                return SearchResult(map(Message.from_wire, messages), indexed_up_to, end)
        raise PyroChatError("the room's answer to search() makes no sense")

    def verify(self) -> Verification:
        """Compare the whole replica with the room's log, by their digests; says up to where they are identical.

        Raises WaitTimeout where the room can't be reached.
        """
        self._catch_up()
        probe = end = self._replica.end
        same, differs = 0, end + 1  # the chains begin with the same digest, or we would not be in this log
        while same + 1 < differs:
            if self._is_same(probe):
                same = probe
            else:
                differs = probe
            probe = (same + differs) // 2
        return Verification(same, end, self._replica.digest(same).hex())

    def _is_same(self, id: int) -> bool:
        try:
            return self._session.call("digest", id, timeout=_ASK_SECONDS) == self._replica.digest(id).hex()
        except UnknownMessage:
            return False  # the room's log ends before it

    def wait_for(self, id: int, timeout: float | None = None) -> Message:
        """Message *id*, as soon as it is here; raises WaitTimeout after *timeout* seconds, ChatClosed."""
        checked_integer(id, "a message id", 1, _MOST)
        if not self._replica.wait(lambda: self._replica.end >= id or self._is_closed(), timeout):
            raise WaitTimeout(
                f"message {id} did not come within {timeout:g} s; the last one here is {self._replica.end}"
            )
        try:
            return self._replica.get(id)
        except IndexError:
            raise ChatClosed(f"the chat was left before message {id} came") from None

    # -- the server's rooms ----------------------------------------------------------------------------------

    @property
    def at(self) -> str:
        """``host:port`` of the room's server, to be given to ``join(at=…)``."""
        return shown_address(self._session.address)

    def rooms(self) -> list[str]:
        """The names of the rooms on this server; asks it. Raises WaitTimeout, ChatClosed."""
        answer = self._session.call("rooms", timeout=_ASK_SECONDS)
        return [str(name) for name in answer] if isinstance(answer, list) else []

    def create_room(self, name: str) -> None:
        """Open room *name* on this server, for everybody, also after a restart; nothing happens where it is there.

        Raises InvalidRoomName, NewRoomsRefused, RateLimited, ServerFull, NameServerRefused, CannotHost,
        LogUnavailable, WaitTimeout, ChatClosed.
        """
        self._session.call("create_room", checked_room_name(name), timeout=_ASK_SECONDS)

    def join_room(self, room: str, *, read: str = AUTO, progress: Progress | None = None) -> Chat:
        """Join another room of this server as the same member; returns a Chat of its own. See `join`.

        Password, key and certificate are this Chat's. Raises InvalidRoomName, RoomNotFound, RoomUnreachable,
        and what else `join` raises.
        """
        room = checked_room_name(room)
        chat = Chat(self.name, room, self._finder.beside(room), self._credentials, read, self._timing)
        chat._open(progress)
        return chat

    # -- reading -------------------------------------------------------------------------------------------

    def unread(self) -> Messages:
        """What others wrote since the read mark; marks it read."""
        self._catch_up()
        end = self._replica.end
        messages = self._replica.slice(self._reading.mark, end)
        self._shown(end)
        return Messages(message for message in messages if not self._reading.is_own(message.id))

    def mark_read(self, id: int, *, wait: bool = True) -> None:
        """Confirm that everything up to message *id* has been shown; the room knows it when this returns.

        wait: False lets the room know soon, and comes back at once. Raises UnknownMessage, WaitTimeout where the room
        can't be reached.
        """
        checked_integer(id, "a message id", 1, _MOST)
        if not wait and id <= self._replica.end:
            self._shown(id)
            return
        self._catch_up()
        if id > self._replica.end:
            raise UnknownMessage(f"there is no message {id} here: the last one is {self._replica.end}")
        self._reading.advance(id)
        self._session.call("mark_read", self._reading.tell(), timeout=_ASK_SECONDS)

    @overload
    def on_message(self, handler: MessageHandler) -> MessageHandler: ...

    @overload
    def on_message(
        self, handler: None = None, *, after: int | None = None
    ) -> Callable[[MessageHandler], MessageHandler]: ...

    @overload
    def on_message(self, handler: MessageHandler, *, after: int | None = None) -> MessageHandler: ...

    def on_message(
        self, handler: MessageHandler | None = None, *, after: int | None = None
    ) -> MessageHandler | Callable[[MessageHandler], MessageHandler]:
        """Call *handler* with each message from now on, in another thread; usable as a decorator.

        after: begin with the message that follows this id; 0 begins with the whole history.
        A slow handler delays only itself; one that raises is reported to the log ``pyrochat`` and goes
        on. With ``read="auto"`` a message from which the handler has returned counts as read.
        """
        self._check_open()
        start = self._replica.end if after is None else checked_integer(after, "after", 0, _MOST)

        def register(handler: MessageHandler) -> MessageHandler:
            threads = HandlerThreads.of_this_process()
            cursor = Handler(handler, self._replica, start, self._seen)
            self._replica.follow(partial(threads.wake, cursor))
            threads.wake(cursor)
            threads.kick()
            return handler

        return register if handler is None else register(handler)

    def on_state(self, handler: StateHandler) -> StateHandler:
        """Call *handler* with ``(state, reason)`` whenever `state` changes; usable as a decorator.

        It should be quick: whoever noticed the change waits for it.
        """
        self._state_handlers.append(handler)
        return handler

    def on_notice(self, handler: NoticeHandler) -> NoticeHandler:
        """Call *handler* with what the room says beside the log (a text); usable as a decorator."""
        self._notice_handlers.append(handler)
        return handler

    def listen(self, timeout: float | None = None, *, after: int | None = None) -> Iterator[Message]:
        """The messages that come from now on (or after id *after*), one by one.

        Ends at `leave`, or when nothing has come for *timeout* seconds. With ``read="auto"`` what has
        been yielded counts as read.
        """
        self._check_open()
        start = self._replica.end if after is None else checked_integer(after, "after", 0, _MOST)
        return follow(self._replica, start, timeout, self._is_closed, self._seen)

    # -- the end --------------------------------------------------------------------------------------------

    def leave(self) -> None:
        """Send what is waiting (for 5 s at the most), tell the room, and end. Idempotent."""
        if self._is_closed():
            return
        reachable = self._session.is_connected
        self._outbox.close(_PARTING_SECONDS if reachable else 0.0)
        self._session.close()
        self._outbox.give_up()
        _open_chats.discard(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def __repr__(self) -> str:
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

    def _seen(self, id: int) -> None:
        if self._auto:
            self._shown(id)

    def _shown(self, id: int) -> None:
        if self._reading.advance(id):
            self._outbox.mark()

    def _tell_state(self, state: str, reason: str) -> None:
        for handler in list(self._state_handlers):
            handler(state, reason)

    def _tell_notice(self, text: str) -> None:
        log.warning("%s", text)
        for handler in list(self._notice_handlers):
            handler(text)


@atexit.register
def _leave_all() -> None:
    """An interpreter that ends without `leave` still tells the others."""
    for chat in list(_open_chats):
        with contextlib.suppress(PyroChatError):
            chat.leave()
