"""An order: who decides what happens next in a room.

A port. Commands go in (`submit`), and what was ordered comes out: the room's own function is called with it, in one
thread. Everything on either side of it is the same for all orders; the room is a deterministic follower (`core.room`).
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from pyrochat.core.commands import Command, Entry
from pyrochat.core.marks import Mark
from pyrochat.core.room import Outcome
from pyrochat.values.errors import LogUnavailable, PyroChatError
from pyrochat.values.message import Message


class Applied(NamedTuple):
    """What came of entries. outcomes: for each entry those of its commands. error: why nothing could be made durable;
    the outcomes say then what that means for each command."""

    outcomes: list[list[Outcome]]
    error: LogUnavailable | None = None


class Follower(ABC):
    """Whom an order calls: a room. `apply` and `due_seconds` in the order's one thread, `heard` in any."""

    @property
    @abstractmethod
    def entry(self) -> int:
        """The number of the last entry that was applied."""

    @abstractmethod
    def apply(self, entries: Sequence[Entry]) -> Applied:
        """*entries* are next, in this order. Returns when what they do is durable. One without commands makes durable
        all that was heard before; without entries, what is due of it is made durable."""

    @abstractmethod
    def due_seconds(self) -> float | None:
        """Until `apply` wants to be called even where nothing is next; None: not before there is something."""

    @abstractmethod
    def heard(self, marks: Mapping[str, Mark]) -> None:
        """Members say how far they have got: what `Order.tell` was told, here or elsewhere, perhaps again."""


class Order(ABC):
    """What a room is given."""

    @abstractmethod
    def start(self, follower: Follower) -> None:
        """Call *follower* from now on."""

    @abstractmethod
    def submit(self, *commands: Command) -> Submission:
        """Hand in *commands*, which stay together. Without any: all that was heard is made durable. Raises RoomClosing."""

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
