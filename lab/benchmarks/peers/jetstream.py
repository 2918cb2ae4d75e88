"""NATS JetStream with nats-py: one node, file storage, `sync_interval: always`."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lab.benchmarks.peers.interface import HOST, Handler, Peer, Posting, Sender
from lab.benchmarks.peers.nats_core import SUBJECT, handle_messages, open_client, payload, run_members
from lab.benchmarks.peers.processes import start_listening
from lab.ports import free_port
from lab.processes import Process

if TYPE_CHECKING:
    from nats.aio.client import Client

STREAM = "LOBBY"
_WINDOW = 500
_TIMEOUT_SECONDS = 30.0
_CONFIGURATION = """\
listen: "{host}:{port}"
jetstream {{
  store_dir: "{folder}"
  sync_interval: always
}}
"""


class JetStream(Peer):
    """Each member reads the stream by an ordered consumer of its own, from the next message on."""

    name = "jetstream"
    title = "NATS JetStream"
    lacks = ("confirmed",)
    remark = "`sync_interval: always`; ordered consumers without acknowledgements; at most 500 publishes outstanding"

    def start_server(self, folder: Path) -> tuple[Process, list[int]]:
        port = free_port()
        configuration = folder / "nats.conf"
        configuration.write_text(_CONFIGURATION.format(host=HOST, port=port, folder=folder / "store"))
        process = start_listening(["nats-server", "--config", str(configuration)], port, folder)
        asyncio.run(_make_stream(port))
        return process, [port]

    def connect_members(self, ports: Sequence[int], handlers: Sequence[Handler]) -> None:
        async def subscribe(client: Client, handler: Handler) -> None:
            stream = client.jetstream(timeout=_TIMEOUT_SECONDS)
            await stream.subscribe(SUBJECT, cb=handle_messages(handler), ordered_consumer=True)

        run_members(ports[0], handlers, subscribe)

    def open_sender(self, ports: Sequence[int]) -> Sender:
        return _JetStreamSender(ports[0])

    def post(self, ports: Sequence[int], senders: int, text: str, seconds: float) -> Posting:
        return asyncio.run(_post(ports[0], senders, text, seconds))


async def _make_stream(port: int) -> None:
    client = await open_client(port)
    await client.jetstream().add_stream(name=STREAM, subjects=[SUBJECT])
    await client.close()


async def _post(port: int, senders: int, text: str, seconds: float) -> Posting:
    """A connection and a task for each sender, in one event loop."""
    clients = [await open_client(port) for _ in range(senders)]
    first_ns = time.monotonic_ns()
    end = time.monotonic() + seconds

    async def post_until_end(client: Client) -> int:
        stream = client.jetstream(timeout=_TIMEOUT_SECONDS)
        count = 0
        while time.monotonic() < end:
            await stream.publish(SUBJECT, payload(text))
            count += 1
        return count

    posts = sum(await asyncio.gather(*map(post_until_end, clients)))
    done_ns = time.monotonic_ns()
    await asyncio.gather(*(client.close() for client in clients))
    return Posting(posts, first_ns, done_ns)


class _JetStreamSender(Sender):
    def __init__(self, port: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._client = self._loop.run_until_complete(open_client(port))
        self._stream = self._client.jetstream(timeout=_TIMEOUT_SECONDS)

    def send(self, text: str) -> None:
        self._loop.run_until_complete(self._stream.publish(SUBJECT, payload(text)))

    def burst(self, texts: Sequence[str]) -> None:
        for start in range(0, len(texts), _WINDOW):
            self._loop.run_until_complete(self._publish(texts[start : start + _WINDOW]))

    async def _publish(self, texts: Sequence[str]) -> None:
        answers = [await self._stream.publish_async(SUBJECT, payload(text)) for text in texts]
        await asyncio.gather(*answers)

    def close(self) -> None:
        self._loop.run_until_complete(self._client.close())
        self._loop.close()
