"""Where a consumer is gone with its machine, what it would have said is fetched."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nats.js.api import ConsumerConfig

from pyrochat.orders.cluster.engine import Engine
from pyrochat.orders.cluster.nats_stream import BESIDE, NatsStream
from pyrochat.orders.cluster.reading import Listener, Reader
from pyrochat.orders.replicated.stream import Arrival, Event, Fate, Latest
from tests.orders.cluster.broker.brokers import SPACE, single
from tests.support import eventually

BROKER = 'max_payload: 8MB\njetstream { store_dir: "FOLDER", sync_interval: always }\n'


class DeafListener(Listener):
    async def consume(self, config: ConsumerConfig) -> None:
        """Its machine is gone."""
        await self._odd.wait()


class DeafReader(Reader):
    async def consume(self, config: ConsumerConfig) -> None:
        """Its machine is gone."""
        await self._odd.wait()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with single(tmp_path, BROKER) as server, contextlib.closing(Engine({"servers": [server]}, SPACE, 1)) as engine:
        yield engine


@pytest.fixture
def stream(engine: Engine) -> NatsStream:
    stream = NatsStream(engine, "room")
    stream.begin(b"first")
    return stream


def stored(hand_in: Callable[[Callable[[Fate], None]], None]) -> None:
    """Do that until it is stored."""

    def is_stored() -> bool:
        fates: queue.SimpleQueue[Fate] = queue.SimpleQueue()
        hand_in(fates.put)
        return fates.get(timeout=20) is Fate.STORED

    eventually(is_stored)


def put(stream: NatsStream, label: str, data: bytes) -> None:
    stored(lambda then: stream.put(label, data, then))


def test_what_stands_beside_a_stream_is_heard_without_a_consumer(engine: Engine, stream: NatsStream) -> None:
    put(stream, "a", b"old")
    put(stream, "b", b"one")
    put(stream, "a", b"new")
    heard: list[Event] = []
    listener = Listener(engine, f"{SPACE}.beside.room", f"{stream.name}_{BESIDE}", heard.append)
    engine.call(listener.reach(3), 10)
    assert heard == [Latest("b", b"one"), Latest("a", b"new")]


def test_a_consumer_beside_a_stream_that_says_nothing_is_not_waited_for(engine: Engine, stream: NatsStream) -> None:
    heard: list[Event] = []
    listener = DeafListener(engine, f"{SPACE}.beside.room", f"{stream.name}_{BESIDE}", heard.append)
    engine.do(listener.go_on)
    put(stream, "a", b"one")
    eventually(lambda: heard[-1:] == [Latest("a", b"one")])
    put(stream, "a", b"two")
    eventually(lambda: heard[-1] == Latest("a", b"two"))


def test_a_consumer_that_says_nothing_is_not_waited_for(engine: Engine, stream: NatsStream) -> None:
    came: list[bytes] = []
    reader = DeafReader(
        engine, f"{SPACE}.log.room", stream.name, lambda: first(),
        lambda event: came.append(event.data) if isinstance(event, Arrival) else None,
    )  # fmt: skip

    async def first() -> bytes:
        return b"first"

    engine.do(reader.go_on, 0)
    eventually(lambda: came == [b"first"])
    stored(lambda then: stream.publish(b"second", "once", then))
    eventually(lambda: came == [b"first", b"second"])
