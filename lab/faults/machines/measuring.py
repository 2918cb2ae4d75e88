"""One process of the benchmark of three machines: ``python -m lab.faults.machines.measuring WHAT …``; it prints a line of JSON.

- ``chat post SENDERS SECONDS AT …``: bare calls of `post`, each sender one text after another, spread over the servers
- ``chat many SENDERS SECONDS AT …``: the same with `post_many` of 100 texts
- ``chat latency SENDS MEMBERS AT …``: one sender, members of the room on all servers: when the last of them has each text
- ``jetstream …``: the same by the brokers' own client: SECRET MACHINES instead of AT …
"""

import asyncio
import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nats

from lab.benchmarks.peers.posting import post_in_threads
from pyrochat import join
from pyrochat.orders.cluster.broker.connecting import options
from pyrochat.orders.cluster.broker.nodes import nodes
from pyrochat.pyro.remote import RemoteObject
from pyrochat.trust.cluster_secret import ClusterSecret
from pyrochat.values.addresses import parse_address

TEXT = "x" * 150
MANY = 100
_GAP_SECONDS = 0.05  # between the sends of which the latency is measured
_STREAM, _SUBJECT = "MEASURED", "measured"


class _Poster:
    """A connection that only posts."""

    def __init__(self, at: str, number: int, many: bool) -> None:
        self._prefix = f"{time.time_ns() // 1_000_000:011x}p{number:04d}"
        self._many = many
        self._remote = RemoteObject(parse_address(at, 0), "pyrochat.lobby", {"name": self._prefix}, timeout=60.0)
        self._counter = 0
        self.seconds: list[float] = []

    def send(self, text: str) -> None:
        self._counter += 1
        begun = time.monotonic()
        if self._many:
            self._remote.call("post_many", [text] * MANY, f"{self._prefix}-{self._counter:08x}")
        else:
            self._remote.call("post", text, f"{self._prefix}-{self._counter:08x}")
        self.seconds.append(time.monotonic() - begun)

    def burst(self, texts: Sequence[str]) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self._remote.close()


def _chat_post(senders: int, seconds: float, ats: Sequence[str], many: bool) -> dict[str, float]:
    posters: list[Any] = []

    def opened(number: int) -> Any:
        posters.append(_Poster(ats[number % len(ats)], number, many))
        return posters[-1]

    posting = post_in_threads(opened, senders, TEXT, seconds)
    texts = posting.posts * (MANY if many else 1)
    return _rates(
        texts, (posting.done_ns - posting.first_ns) / 1e9, [s for poster in posters for s in poster.seconds[1:]]
    )


def _rates(texts: int, seconds: float, each: list[float]) -> dict[str, float]:
    return {"per_second": texts / seconds, "p50_ms": sorted(each)[len(each) // 2] * 1000}


def _chat_latency(sends: int, members: int, ats: Sequence[str]) -> dict[str, float]:
    arrivals = _Arrivals(members)
    chats = [join(f"member{number}", at=ats[number % len(ats)], read="never") for number in range(members)]
    for chat in chats:
        chat.on_message(lambda message: arrivals.came(message.text))
    sender = join("sender", at=ats[0], read="never")
    measured = arrivals.measure(sends, lambda text: sender.send(text) and None)
    for chat in [sender, *chats]:
        chat.leave()
    return measured


class _Arrivals:
    """When each text has come to the last of *members*."""

    def __init__(self, members: int) -> None:
        self._members = members
        self._counts: dict[str, int] = {}
        self._last: dict[str, float] = {}
        self._mutex = threading.Lock()

    def came(self, text: str) -> None:
        with self._mutex:
            self._counts[text] = self._counts.get(text, 0) + 1
            self._last[text] = time.monotonic()

    def measure(self, sends: int, send: Callable[[str], object]) -> dict[str, float]:
        begun: dict[str, float] = {}
        for number in range(sends):
            text = f"timed {number}"
            begun[text] = time.monotonic()
            send(text)
            time.sleep(_GAP_SECONDS)
        until = time.monotonic() + 20
        while any(self._counts.get(text, 0) < self._members for text in begun) and time.monotonic() < until:
            time.sleep(0.01)
        seconds = sorted(
            self._last[text] - at for text, at in begun.items() if self._counts.get(text, 0) >= self._members
        )
        return {"p50_ms": seconds[len(seconds) // 2] * 1000, "all": float(len(seconds) == sends)}


# -- the brokers' own client -------------------------------------------------------------------------------------


async def _client(secret: Path, machines: str, number: int = 0) -> Any:
    found = nodes(machines)
    return await nats.connect(**options(found, found[number % len(found)], ClusterSecret.read_from(secret)))


async def _make_stream(secret: Path, machines: str) -> None:
    client = await _client(secret, machines)
    jetstream = client.jetstream(timeout=30)
    try:
        await jetstream.stream_info(_STREAM)
    except nats.js.errors.NotFoundError:
        await jetstream.add_stream(name=_STREAM, subjects=[_SUBJECT], num_replicas=3)
    await client.close()


async def _follow(client: Any, come: Callable[[Any], Any]) -> None:
    await client.jetstream(timeout=30).subscribe(
        _SUBJECT, cb=come, ordered_consumer=True, deliver_policy=nats.js.api.DeliverPolicy.NEW
    )


async def _ignore(message: Any) -> None:
    """It has come."""


async def _jetstream_post(senders: int, seconds: float, secret: Path, machines: str) -> dict[str, float]:
    await _make_stream(secret, machines)
    followers = [await _client(secret, machines, number) for number in range(len(nodes(machines)))]
    for follower in followers:  # as each room server does
        await _follow(follower, _ignore)
    clients = [await _client(secret, machines, number) for number in range(senders)]
    each: list[float] = []
    begun = time.monotonic()

    async def post(client: Any) -> int:
        jetstream, count = client.jetstream(timeout=30), 0
        while (at := time.monotonic()) < begun + seconds:
            await jetstream.publish(_SUBJECT, TEXT.encode())
            each.append(time.monotonic() - at)
            count += 1
        return count

    counts = await asyncio.gather(*(post(client) for client in clients))
    done = time.monotonic() - begun
    await asyncio.gather(*(client.close() for client in [*clients, *followers]))
    return _rates(sum(counts), done, each)


async def _jetstream_latency(sends: int, members: int, secret: Path, machines: str) -> dict[str, float]:
    await _make_stream(secret, machines)
    arrivals = _Arrivals(members)

    async def come(message: Any) -> None:
        arrivals.came(message.data.decode())

    clients = [await _client(secret, machines, number) for number in range(members)]
    for client in clients:
        await _follow(client, come)
    sender = await _client(secret, machines)
    jetstream = sender.jetstream(timeout=30)
    loop = asyncio.get_running_loop()
    measured = await asyncio.to_thread(
        arrivals.measure,
        sends,
        lambda text: asyncio.run_coroutine_threadsafe(jetstream.publish(_SUBJECT, text.encode()), loop).result(),
    )
    await asyncio.gather(*(client.close() for client in [sender, *clients]))
    return measured


def main() -> None:
    """One measurement."""
    _, peer, what, count, length, *where = sys.argv
    if peer == "chat" and what == "latency":
        found = _chat_latency(int(count), int(length), where)
    elif peer == "chat":
        found = _chat_post(int(count), float(length), where, what == "many")
    elif what == "latency":
        found = asyncio.run(_jetstream_latency(int(count), int(length), Path(where[0]), where[1]))
    else:
        found = asyncio.run(_jetstream_post(int(count), float(length), Path(where[0]), where[1]))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
