"""Orders to test, and whom they call."""

from __future__ import annotations

import itertools
import random
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pyrochat import Server
from pyrochat.core.commands import Entry, Post
from pyrochat.core.marks import Mark
from pyrochat.core.order import Applied, Follower, Order, Submission
from pyrochat.orders.graph.order import CausalOrder
from pyrochat.orders.lamport.site import LamportSite
from pyrochat.orders.lamport.stream import SiteStream
from pyrochat.orders.local import LocalOrder
from pyrochat.orders.replicated.entries import Origin, to_bytes
from pyrochat.orders.replicated.order import ReplicatedOrder
from pyrochat.storage.member_disk import SqliteMemberDisk
from pyrochat.storage.site_log import SqliteSiteLog
from pyrochat.trust.keys import Key
from tests.orders.groups import GROUPS, SERVERS, Group
from tests.orders.promises import PROMISES, choose
from tests.orders.streams import IDENTITY, MemoryBroker, begun
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
        self._sources: set[tuple[str, int]] = set()

    @property
    def entry(self) -> int:
        return self._entry

    def due_seconds(self) -> float | None:
        return self.due.pop() if self.due else None

    def heard(self, marks: Mapping[str, Mark]) -> None:
        self.marks.update(marks)

    def adopt(self, number: int, identity: str, about: Mapping[str, Any]) -> None:
        self._entry = number

    def apply(self, entries: Sequence[Entry]) -> Applied:
        self.threads.add(threading.current_thread())
        self.flushes += not any(entry.commands for entry in entries)
        new = []
        outcomes: list[list[object]] = []
        for entry in entries:
            if entry.number <= self._entry or (entry.source and entry.source in self._sources):
                outcomes.append([None] * len(entry.commands))
                continue
            if entry.source:
                self._sources.add(entry.source)
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
        assert self.open.wait(20)
        return Applied(outcomes)  # type: ignore[arg-type]


def _clustered(seed: int | None) -> Callable[..., Order]:
    def make(name: str, now_us: Callable[[], int], most: int = 2000) -> Order:
        broker = MemoryBroker(seed, now_us)
        return OfOneServer(broker, name, most)

    return make


class OfOneServer(ReplicatedOrder):
    """With a broker of its own, which ends with it."""

    def __init__(self, broker: MemoryBroker, name: str, most: int) -> None:
        self.broker = broker
        super().__init__(name, begun(broker), "home", "one", most=most)

    def close(self) -> None:
        super().close()
        self.broker.close()


class OfOneSite(CausalOrder):
    """With a folder of its own, which ends with it."""

    def __init__(self, name: str, now_us: Callable[[], int], most: int = 500) -> None:
        self.folder = tempfile.TemporaryDirectory()
        log = SqliteSiteLog(Path(self.folder.name) / "log.sqlite3", name)
        self.log = log
        super().__init__(name, now_us, log, Key.made(), "one", most)
        self.found()

    def close(self) -> None:
        super().close()
        self.log.close()
        self.folder.cleanup()


class OfOneOrderedSite(ReplicatedOrder):
    """The only site of a totally ordered room, with a folder of its own, which ends with it."""

    def __init__(self, name: str, now_us: Callable[[], int], most: int = 2000) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.site = LamportSite(
            SqliteMemberDisk(Path(self.folder.name) / "sites.sqlite3", name), Key.made(), "one", now_us
        )
        self.site.found(b"r" * 32, self.site.new_identity())
        self.site.start()
        stream = SiteStream(self.site, name)
        stream.begin(to_bytes(Origin(IDENTITY)))
        super().__init__(name, stream, self.site.home, self.site.me, most=most)

    def close(self) -> None:
        super().close()
        self.site.close()
        self.folder.cleanup()


ORDERS: dict[str, Callable[..., Order]] = {
    "local": LocalOrder, "unruly": Unruly, "cluster": _clustered(None), "cluster, unruly": _clustered(7),
    "causal": OfOneSite, "lamport": OfOneOrderedSite,
}  # fmt: skip

KINDS = {name: name.partition(",")[0] for name in ORDERS} | {"unruly": "local"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    choose(metafunc, "make", KINDS)
    for fixture in ("group", "servers"):
        choose(metafunc, fixture, {order: order for order in PROMISES})


@pytest.fixture
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
def group(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Group]:
    """Three sites of a room of each order."""
    group = GROUPS[request.param](tmp_path)
    yield group
    group.close()


@pytest.fixture
def servers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Server]]:
    """The servers of a room of each order, as clients come to them; of the order `local` there is one."""
    with SERVERS[request.param](tmp_path) as servers:
        yield servers


@pytest.fixture
def follower() -> Told:
    return Told()


@pytest.fixture
def order(make: Callable[..., Order], follower: Told) -> Order:
    order = make()
    order.start(follower)
    return order
