"""Streams in memory: what a cluster order is tried on without an engine, as ill-behaved as a test says."""

from __future__ import annotations

import itertools
import queue
import random
import threading
from collections.abc import Callable, Iterable
from typing import Any, cast

from pyrochat.clock import monotonic
from pyrochat.orders.cluster.cluster import Cluster
from pyrochat.orders.replicated.entries import Origin, to_bytes
from pyrochat.orders.replicated.stream import Arrival, Event, Fate, Latest, Opened, Rebuildable, Silence

IDENTITY = "1b0a4b1e-0000-4000-8000-000000000000"


class MemoryBroker:
    """Holds a stream for several servers. seed: None behaves; else it doubles, loses answers and lets followers begin anew."""

    def __init__(self, seed: int | None = None, now_us: Callable[[], int] | None = None) -> None:
        self.messages: list[Arrival] = []
        self.latest: dict[str, bytes] = {}
        self.followers: dict[int, tuple[Callable[[Event], None], list[int]]] = {}
        self.is_there = True  # a majority
        self.chance = None if seed is None else random.Random(seed)
        self._now_us = now_us or itertools.count(1).__next__
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stream(self) -> MemoryStream:
        return MemoryStream(self)

    def do(self, task: Callable[[], None]) -> None:
        self._tasks.put(task)

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()

    def close(self) -> None:
        self._tasks.put(None)
        self._thread.join(20)

    # -- in the thread --------------------------------------------------------------------------------------

    def store(self, data: bytes) -> None:
        self.messages.append(Arrival(len(self.messages) + 1, self._now_us(), data))
        self.deliver()

    def deliver(self) -> None:
        for event, place in list(self.followers.values()):
            while place[0] < len(self.messages):
                place[0] += 1
                event(self.messages[place[0] - 1])

    def open(self, key: int, after: int, event: Callable[[Event], None]) -> None:
        first = self.messages[0].data if self.messages else None
        event(Opened(len(self.messages), first))
        for label, data in self.latest.items():
            event(Latest(label, data))
        if first is not None:
            self.followers[key] = (event, [after])
            self.deliver()

    def publish(self, data: bytes, then: Callable[[Fate], None]) -> None:
        if not self.is_there:
            then(Fate.REFUSED)
            return
        self.store(data)
        if self.chance is not None and self.chance.random() < 0.3:
            self.store(data)  # again
        if self.chance is not None and self.chance.random() < 0.2:
            then(Fate.UNKNOWN)
            return
        then(Fate.STORED)

    def put(self, label: str, data: bytes, then: Callable[[Fate], None]) -> None:
        if not self.is_there:
            then(Fate.REFUSED)
            return
        self.latest[label] = data
        for event, _ in list(self.followers.values()):
            event(Latest(label, data))
        then(Fate.STORED)

    # -- from the test --------------------------------------------------------------------------------------

    def set_there(self, is_there: bool) -> None:
        """Whether there is a majority from now on."""

        def task() -> None:
            self.is_there = is_there
            for event, _ in list(self.followers.values()):
                if is_there:
                    event(Opened(len(self.messages), self.messages[0].data))
                else:
                    event(Silence("no majority of the cluster's machines answers"))

        self.do(task)


class MemoryStream(Rebuildable):
    """One server's way to a `MemoryBroker`."""

    def __init__(self, broker: MemoryBroker) -> None:
        self.broker = broker
        self._key = id(self)
        self.closed = False
        self.is_silent = False  # takes what is published, and does not let it be seen
        self.is_slow = False  # where it is silent: does not say so either
        self.kept: list[bytes] = []

    def begin(self, first: bytes) -> bytes:
        done = threading.Event()

        def task() -> None:
            if not self.broker.messages:
                self.broker.store(first)
            done.set()

        self.broker.do(task)
        assert done.wait(20)
        return self.broker.messages[0].data

    def first(self) -> bytes | None:
        return self.broker.messages[0].data if self.broker.messages else None

    def is_begun(self) -> bool:
        return len(self.broker.messages) > 1

    def freeze(self) -> int | None:
        done = threading.Event()

        def task() -> None:
            self.broker.is_there = False
            done.set()

        self.broker.do(task)
        assert done.wait(20)
        return len(self.broker.messages)

    def make_anew(self, messages: Iterable[bytes]) -> None:
        done = threading.Event()

        def task() -> None:
            self.broker.messages = [Arrival(n, n, message) for n, message in enumerate(messages, 1)]
            self.broker.is_there = True
            for key, (event, _) in list(self.broker.followers.items()):
                self.broker.open(key, len(self.broker.messages), event)
            done.set()

        self.broker.do(task)
        assert done.wait(20)

    def publish(self, data: bytes, id: str, then: Callable[[Fate], None]) -> None:
        if self.is_silent:
            self.kept.append(data)
            if not self.is_slow:
                then(Fate.UNKNOWN)
        else:
            self.broker.do(lambda: self.broker.publish(data, then))

    def late(self) -> None:
        """What was kept is in the stream after all."""
        for data in self.kept:
            self.broker.do(lambda data=data: self.broker.store(data))  # type: ignore[misc]

    def follow(self, after: int, event: Callable[[Event], None]) -> None:
        self.broker.do(lambda: self.broker.open(self._key, after, event))

    def hold(self) -> None:
        """From now on nothing arrives here."""
        done = threading.Event()

        def task() -> None:
            self._held = self.broker.followers.pop(self._key)
            done.set()

        self.broker.do(task)
        assert done.wait(20)

    def let_go(self) -> None:
        """What was held, and all that comes, arrives."""

        def task() -> None:
            self.broker.followers[self._key] = self._held
            self.broker.deliver()

        self.broker.do(task)

    def put(self, label: str, data: bytes, then: Callable[[Fate], None]) -> None:
        self.broker.do(lambda: self.broker.put(label, data, then))

    def hear_all(self, then: Callable[[bool], None]) -> None:
        self.broker.do(lambda: then(self.broker.is_there))

    def close(self) -> None:
        self.closed = True
        self.broker.do(lambda: self.broker.followers.pop(self._key, None) and None)


def begun(broker: MemoryBroker) -> MemoryStream:
    """A stream that has its first message."""
    stream = broker.stream()
    stream.begin(to_bytes(Origin(IDENTITY)))
    return stream


class MemoryNetwork:
    """What several servers of a cluster share: streams, and what is shouted."""

    def __init__(self) -> None:
        self.brokers: dict[str, MemoryBroker] = {}
        self.ears: list[tuple[MemoryEngine, str, Callable[[bytes], None]]] = []
        self.mutex = threading.RLock()

    def broker(self, name: str) -> MemoryBroker:
        with self.mutex:
            if name not in self.brokers:
                self.brokers[name] = MemoryBroker()
            return self.brokers[name]

    def set_there(self, is_there: bool) -> None:
        """A majority of all streams."""
        for broker in self.brokers.values():
            broker.set_there(is_there)

    def close(self) -> None:
        for broker in self.brokers.values():
            broker.close()


class MemoryEngine:
    """One server's place in a `MemoryNetwork`; see `Engine`."""

    def __init__(self, network: MemoryNetwork) -> None:
        self.network = network
        self.connected_at: float | None = monotonic()
        self.ended = threading.Event()

    def stream(self, name: str) -> MemoryStream:
        return self.network.broker(name).stream()

    def shout(self, subject: str, data: bytes) -> None:
        if not self.ended.is_set():
            for _, ear, heard in list(self.network.ears):
                if ear == subject:
                    heard(data)

    def listen(self, subject: str, heard: Callable[[bytes], None]) -> None:
        self.network.ears.append((self, subject, heard))

    def repeat(self, seconds: float, step: Callable[[], None]) -> None:
        def run() -> None:
            while not self.ended.wait(seconds / 10):
                step()

        threading.Thread(target=run, daemon=True).start()

    def close(self) -> None:
        self.ended.set()


def cluster_in(network: MemoryNetwork, label: str, servers: int, silent_seconds: float = 0.4) -> Cluster:
    """The place of the server *label* in *network*."""
    engine: Any = MemoryEngine(network)
    return Cluster(engine, label, servers, lambda engine, name: cast(Any, engine).stream(name), silent_seconds)
