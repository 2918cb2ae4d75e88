"""Orders to test, and whom they call."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest

from pyrochat.core.commands import Entry, Post
from pyrochat.core.marks import Mark
from pyrochat.core.order import Applied, Follower, Order, Submission
from pyrochat.orders.local import LocalOrder
from tests.support import chat_message


class Unruly(LocalOrder):
    """An order that shuffles what waits at the same time, waits for more, and applies entries twice: all that the next
    orders may do too. Nobody may notice."""

    def __init__(self, name: str, now_us: Callable[[], int], most: int = 20_000, seed: int = 7) -> None:
        super().__init__(name, now_us, most)
        self._chance = random.Random(seed)
        self._before: list[Entry] = []

    def _gather(self, group: list[Submission], follower: Follower) -> None:
        super()._gather(group, follower)
        self._chance.shuffle(group)

    def _apply(self, entries: Sequence[Entry], follower: Follower) -> Applied:
        late = self._chance.choices(self._before, k=2) if self._before else []
        applied = follower.apply([*entries, *late, *entries])
        self._before = [*self._before[-20:], *entries]
        return Applied(applied.outcomes[: len(entries)], applied.error)


class Told(Follower):
    """A follower that notes what it is called with, and can be held up."""

    def __init__(self) -> None:
        self.groups: list[list[Entry]] = []
        self.threads: set[threading.Thread] = set()
        self.marks: dict[str, Mark] = {}
        self.open = threading.Event()
        self.open.set()
        self.under_way = threading.Event()
        self.due: list[float | None] = []
        self.flushes = 0
        self._entry = 0

    @property
    def entry(self) -> int:
        return self._entry

    def due_seconds(self) -> float | None:
        return self.due.pop() if self.due else None

    def heard(self, marks: Mapping[str, Mark]) -> None:
        self.marks.update(marks)

    def apply(self, entries: Sequence[Entry]) -> Applied:
        self.threads.add(threading.current_thread())
        self.flushes += not any(entry.commands for entry in entries)
        new = []
        outcomes: list[list[object]] = []
        for entry in entries:
            if entry.number <= self._entry:
                outcomes.append([None] * len(entry.commands))
                continue
            new.append(entry)
            self._entry = entry.number
            outcomes.append(
                [
                    [chat_message(1, text) for text in command.texts]
                    for command in entry.commands
                    if isinstance(command, Post)
                ]
            )
        self.groups.append(new)
        self.under_way.set()
        assert self.open.wait(10)
        return Applied(outcomes)  # type: ignore[arg-type]


ORDERS: dict[str, Callable[..., Order]] = {"local": LocalOrder, "unruly": Unruly}


@pytest.fixture(params=sorted(ORDERS))
def make(request: pytest.FixtureRequest) -> Iterator[Callable[..., Order]]:
    """Makes orders of each kind; all are closed at the end."""
    made: list[Order] = []
    clock = itertools.count(1)

    def make_(**options: int) -> Order:
        made.append(ORDERS[request.param]("test", lambda: next(clock), **options))
        return made[-1]

    yield make_
    for order in made:
        order.close()


@pytest.fixture
def follower() -> Told:
    return Told()


@pytest.fixture
def order(make: Callable[..., Order], follower: Told) -> Order:
    order = make()
    order.start(follower)
    return order
