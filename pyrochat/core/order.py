"""An order: who decides what happens next in a room.

A port. Commands go in (`submit`), and what was ordered comes out: the room's own function is called with it, in one
thread. Everything on either side of it is the same for all orders; the room is a deterministic follower (`core.room`).
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pyrochat.core.commands import Command, Declare, Entry
from pyrochat.core.log import Log
from pyrochat.core.marks import Mark
from pyrochat.core.room import Outcome, RoomState, Transition
from pyrochat.values.errors import LogUnavailable, PyroChatError
from pyrochat.values.message import Message


class Applied(NamedTuple):
    """What came of entries. outcomes: for each entry those of its commands. error: why nothing could be made durable;
    the outcomes say then what that means for each command."""

    outcomes: list[list[Outcome]]
    error: LogUnavailable | None = None


class Rules(NamedTuple):
    """How a room follows: what a log tells of it, and what entries do to it. beside: called in the order's thread with what is
    about to be made durable; what has to be in the same step (`Log.append`)."""

    state_of: Callable[[Log], RoomState] = RoomState.of
    transition: Callable[[RoomState, Log, Iterable[Entry]], Transition] = Transition
    beside: Callable[[Transition], object] = lambda transition: None


class Follower(ABC):
    """Whom an order calls: a room. `apply` and `due_seconds` in the order's one thread, `heard` in any."""

    @property
    @abstractmethod
    def entry(self) -> int:
        """The number of the last entry that was applied."""

    @property
    def version(self) -> int:
        """Of the entries that may be handed in."""
        return 1

    @property
    def tip(self) -> tuple[int, str]:
        """What `Entry.tip` says of here."""
        return 0, ""

    @abstractmethod
    def apply(self, entries: Sequence[Entry]) -> Applied:
        """*entries* are next, in this order. Returns when what they do is durable. One without commands makes durable
        all that was heard before; without entries, what is due of it is made durable."""

    @abstractmethod
    def due_seconds(self) -> float | None:
        """Until `apply` wants to be called even where nothing is next; None: not before there is something."""

    def compare(self, entry: Entry) -> None:  # noqa: B027
        """Is what *entry*, which was applied here before, says of its server's log so here? Else `loss` is there. Raises
        LogUnavailable."""

    @property
    def loss(self) -> str | None:
        """What to say where this log is known not to be whole: then nothing that it says may be handed in any more."""
        return None

    def declare(self, loss: str) -> LogUnavailable | None:
        """*loss* proves that this log is not whole; returns why that can't be noted."""
        raise NotImplementedError

    @property
    def copying(self) -> bool:
        """Whether it is in the middle of a copy."""
        return False

    def adopt(self, number: int, identity: str, about: Mapping[str, Any]) -> None:
        """Entry *number*: the log *identity* begins here, or goes on from a copy, whose parts follow; *about*: what else that
        says of itself. Raises LogLost where what is here is another log, or more of it."""
        raise NotImplementedError

    def paste(self, number: int, kind: str, rows: Sequence[Any]) -> None:
        """Entry *number*: a part of the copy. Raises LogLost, LogUnavailable."""
        raise NotImplementedError

    def stopped(self, error: PyroChatError) -> None:  # noqa: B027
        """Nothing is applied here any more, until the server is started again; *error* says why."""

    def said(self, trouble: str | None) -> None:  # noqa: B027
        """What keeps the order from going on, for people; None: nothing any more."""

    def told(self, text: str) -> None:  # noqa: B027
        """Something that people should know of the order's other servers, once."""

    def pending(self, entries: Sequence[Entry]) -> None:  # noqa: B027
        """*entries* were handed in, here or elsewhere, and have no place yet: perhaps they never get one. In place of what was said
        before; for people."""

    def marks_of(self, members: Sequence[str]) -> list[Mark]:
        """``(delivered, read)`` of each of *members*, as far as they are durable. Any thread may call it."""
        return [(0, 0)] * len(members)

    @abstractmethod
    def heard(self, marks: Mapping[str, Mark]) -> None:
        """Members say how far they have got: what `Order.tell` was told, here or elsewhere, perhaps again."""


class Order(ABC):
    """What a room is given. home: what this server's run is called in the order; empty where there is only one. rules: by which the
    room follows it. rests: whether a room that nobody uses here may be closed for a while."""

    home: str = ""
    rules = Rules()
    rests = True

    def readers(self, id: int, members: Sequence[str]) -> list[Mark]:
        """Of each of *members* a mark that covers message *id* where other servers say so of that message itself; (0, 0) else."""
        return [(0, 0)] * len(members)

    def is_alive(self, home: str) -> bool:
        """Whether the server's run *home* may be there still."""
        return True

    def is_alone(self) -> bool:
        """Whether no other server is heard of, where there are others."""
        return False

    def is_held_up(self) -> bool:
        """Whether this server can't write what others go on with."""
        return False

    def hear_all(self) -> bool:
        """Return True when all marks that were durable anywhere before the call are known here; False where nobody can say."""
        return True  # where one decides, they are

    def newest_version(self) -> int:
        """The version of entries that all servers know."""
        return 1

    def catch_up(self) -> None:  # noqa: B027 - where one decides, everything was
        """Return when all is applied here that was ordered before the call. Raises LogUnavailable."""

    def bound(self, room_for: Callable[[int], PyroChatError | None]) -> None:  # noqa: B027 - else only clients make the log grow
        """Ask *room_for* before the log grows by what other servers have said: why it may not, by so many bytes; they count where it may."""

    @abstractmethod
    def start(self, follower: Follower) -> None:
        """Call *follower* from now on."""

    @abstractmethod
    def submit(self, *commands: Command) -> Submission:
        """Hand in *commands*, which stay together. Without any: all that was heard is made durable. Raises RoomClosing."""

    def declare(self, loss: str) -> Submission:
        """*loss* proves that this server's log is not whole: nothing is appended to it any more. Raises RoomClosing."""
        return self.submit(Declare(loss))

    @abstractmethod
    def tell(self, marks: Mapping[str, Mark]) -> None:
        """Pass on what needs no order, as each is the maximum of all that is heard: ``(delivered, read)`` by folded name."""

    @abstractmethod
    def check_open(self) -> None:
        """Raise RoomClosing where nothing is taken any more."""

    @abstractmethod
    def wake(self) -> None:
        """Ask `Follower.due_seconds` again."""

    @abstractmethod
    def end(self) -> None:
        """Take nothing more; doesn't wait. Idempotent."""

    @abstractmethod
    def close(self) -> None:
        """Take nothing more; return when all that was handed in has its outcome. Idempotent."""


_mutex = threading.Lock()  # of all submissions: held for two assignments


class Submission:
    """Commands that were handed in, and what will have come of them. size: about how many messages they are."""

    __slots__ = ("_done", "_outcomes", "_then", "commands", "done", "error", "refusal", "size")

    def __init__(self, commands: tuple[Command, ...], size: int = 1) -> None:
        self.commands = commands
        self.size = size
        self.done = False  # whether there is an outcome
        self.error: PyroChatError | None = None
        self.refusal: PyroChatError | None = None  # what `wait` raises where the outcome is None
        self._done = threading.Lock()
        self._done.acquire()
        self._outcomes: Sequence[Outcome] = ()
        self._then: Callable[[], None] | None = None

    def then(self, call: Callable[[], None]) -> None:
        """Call *call* as soon as there is an outcome: now, or in the order's thread. It must be quick."""
        with _mutex:
            if not self.done:
                self._then = call
                return
        call()

    def finish(self, outcomes: Sequence[Outcome], error: PyroChatError | None = None) -> None:
        """What came of it is known. *error*: for who has handed in no command."""
        self._outcomes, self.error = outcomes, error
        with _mutex:
            self.done, call = True, self._then
        self._done.release()
        if call is not None:
            call()

    def outcome(self) -> Outcome:
        """The outcome of its only command, waited for. Once."""
        self._done.acquire()
        return self._outcomes[0] if self._outcomes else self.error

    def wait(self) -> list[Message]:
        """The same, where it has to be messages: raises what it is else. Once."""
        outcome = self.outcome()
        if outcome is None:
            outcome = self.refusal or []
        if isinstance(outcome, PyroChatError):
            raise outcome
        return outcome
