"""What only an enemy, or a defect, does to a cluster's brokers: ``python -m lab.faults.machines.broker SECRET MACHINES WHAT …``.

- ``leader``: the machine that leads the room's stream
- ``twice STEM SECONDS``: what is in that stream is published again, and what comes meanwhile, without the id by which brokers
  would know it; prints how many
- ``late N``: the N-th last entry of the room comes once more
- ``abandoned TEXT``: an entry that no stream has had, older than the last one of its server, posts TEXT
- ``last-of HOST``: the last entry of the server at HOST: its run, and its count there
- ``orphan RUN COUNT``: the run's next entry, with posts that another server's entry has brought
- ``delete``, ``poison``, ``cut N``: the stream is deleted, broken, or ends N entries earlier
"""

import asyncio
import contextlib
import json
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import nats
from nats.js.api import RawStreamMsg, StreamInfo
from nats.js.client import JetStreamContext
from nats.js.errors import NotFoundError

from pyrochat.core.commands import Entry, Post, entry_from_wire, entry_to_wire
from pyrochat.orders.cluster.broker.connecting import options
from pyrochat.orders.cluster.broker.nodes import nodes
from pyrochat.orders.cluster.cluster import stream_name
from pyrochat.orders.replicated.entries import Fields, read, to_bytes
from pyrochat.trust.cluster_secret import ClusterSecret

_ROOM = "lobby"
_SECONDS = 5.0
_LOOK_SECONDS = 0.05
_MESSAGE_ID = "Nats-Msg-Id"


class Tampered:
    """A stream of the cluster whose *secret* that is. stem: what its room's files are called."""

    def __init__(self, jetstream: JetStreamContext, secret: ClusterSecret, stem: str = _ROOM) -> None:
        self._jetstream = jetstream
        name = stream_name(stem)
        self.name, self._subject = f"{secret.space}_{name}", f"{secret.space}.log.{name}"

    async def info(self) -> StreamInfo:
        """Of the stream."""
        return await self._jetstream.stream_info(self.name)

    async def last(self) -> int:
        """The sequence of its last message."""
        return (await self.info()).state.last_seq

    async def publish(self, data: bytes) -> None:
        """One more message, as it is."""
        await self._jetstream.publish(self._subject, data, timeout=_SECONDS)

    async def message(self, sequence: int) -> RawStreamMsg:
        """What stands there."""
        return await self._jetstream.get_msg(self.name, sequence)

    async def entries(self, backwards_from: int) -> AsyncIterator[tuple[int, Entry]]:
        """The stream's entries, the newest first, with their sequences."""
        for sequence in range(backwards_from, 0, -1):
            content = read((await self.message(sequence)).data or b"")
            if isinstance(content, Fields):
                yield sequence, entry_from_wire(content.fields)

    async def newest(self, is_it: Callable[[Entry], bool]) -> Entry:
        """The newest entry of which that is true."""
        async for _, entry in self.entries(await self.last()):
            if is_it(entry):
                return entry
        sys.exit("the stream has no such entry")

    # -- what is done to it -----------------------------------------------------------------------------------

    async def twice(self, seconds: float) -> int:
        """Publish again whatever a server has published; returns how many."""
        until, sequence, count = time.monotonic() + seconds, 2, 0
        while time.monotonic() < until:
            try:
                message = await self.message(sequence)
            except NotFoundError:  # not yet
                await asyncio.sleep(_LOOK_SECONDS)
                continue
            sequence += 1
            if _MESSAGE_ID in (message.headers or {}):  # ours have none
                await self.publish(message.data or b"")
                count += 1
        return count

    async def abandoned(self, text: str) -> None:
        """What a server has given up arrives, behind later entries of it."""
        entry = await self.newest(
            lambda entry: entry.source is not None and any(isinstance(c, Post) for c in entry.commands)
        )
        key = secrets.token_hex(8)
        posts = [c for c in entry.commands if isinstance(c, Post)]
        post = posts[0]._replace(texts=(text,), keys=(key,), salts=posts[0].salts[:1], list_key=None)
        await self.publish(_data(entry._replace(commands=(post,))))

    async def orphan(self, run: str, count: int) -> None:
        """The entry *count* of *run*, which is gone, brings what another server has brought meanwhile."""
        entry = await self.newest(
            lambda entry: entry.source is not None and entry.source[0] != run and _brings_keys(entry)
        )
        posts = tuple(command for command in entry.commands if isinstance(command, Post))
        await self.publish(_data(entry._replace(source=(run, count), commands=posts)))

    async def poison(self) -> None:
        """The publish that is refused, and kept."""
        for _ in range(2):
            with contextlib.suppress(nats.errors.Error):
                headers = {"Nats-Expected-Last-Msg-Id": "nope"}
                await self._jetstream.publish(self._subject, b"{}", headers=headers, timeout=1)

    async def delete(self) -> None:
        """The stream is gone."""
        await self._jetstream.delete_stream(self.name)

    async def cut(self, count: int) -> None:
        """Its last *count* messages are gone."""
        info = await self.info()
        kept = [await self.message(sequence) for sequence in range(1, info.state.last_seq + 1 - count)]
        await self.delete()
        await self._jetstream.add_stream(info.config)
        for message in kept:
            await self.publish(message.data or b"")


def _brings_keys(entry: Entry) -> bool:
    return any(isinstance(command, Post) and None not in command.keys for command in entry.commands)


def _data(entry: Entry) -> bytes:
    return to_bytes(Fields(entry_to_wire(entry)))


async def _do(secret: ClusterSecret, machines: str, what: str, arguments: list[str]) -> None:
    client = await nats.connect(**options(nodes(machines), None, secret), connect_timeout=2, max_reconnect_attempts=1)
    jetstream = client.jetstream(timeout=_SECONDS)
    stream = Tampered(jetstream, secret)
    match what, arguments:
        case "leader", []:
            cluster = (await stream.info()).cluster
            print(cluster.leader if cluster else "")
        case "twice", [stem, seconds]:
            print(await Tampered(jetstream, secret, stem).twice(float(seconds)))
        case "late", [back]:
            await stream.publish((await stream.message(await stream.last() - int(back))).data or b"")
        case "abandoned", [text]:
            await stream.abandoned(text)
        case "last-of", [host]:
            entry = await stream.newest(
                lambda entry: entry.source is not None and entry.source[0].startswith(f"{host}/")
            )
            assert entry.source is not None
            print(json.dumps({"run": entry.source[0], "count": entry.source[1]}))
        case "orphan", [run, count]:
            await stream.orphan(run, int(count))
        case "poison", []:
            await stream.poison()
        case "delete", []:
            await stream.delete()
        case "cut", [count]:
            await stream.cut(int(count))
        case _:
            sys.exit(__doc__)
    await client.close()


if __name__ == "__main__":
    _, _secret, _machines, _what, *_arguments = sys.argv
    asyncio.run(_do(ClusterSecret.read_from(Path(_secret)), _machines, _what, _arguments))
