"""NATS core with nats-py: one connection a member, all in one event loop."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lab.benchmarks.peers.interface import HOST, Handler, Peer, Sender
from lab.benchmarks.peers.optional import optional
from lab.benchmarks.peers.processes import start_listening
from lab.ports import free_port
from lab.processes import Process

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

nats = optional("nats")

SUBJECT = "lobby"


class NatsCore(Peer):
    """`publish` only buffers; a single send is followed by a flush, which the server answers."""

    name = "nats"
    title = "NATS core"
    lacks = ("durable", "ordered", "confirmed", "history")
    remark = "ordered for each publisher only"

    def start_server(self, folder: Path) -> tuple[Process, list[int]]:
        port = free_port()
        return start_listening(["nats-server", "--addr", HOST, "--port", str(port)], port, folder), [port]

    def connect_members(self, ports: Sequence[int], handlers: Sequence[Handler]) -> None:
        async def subscribe(client: Client, handler: Handler) -> None:
            await client.subscribe(SUBJECT, cb=handle_messages(handler))
            await client.flush()

        run_members(ports[0], handlers, subscribe)

    def open_sender(self, ports: Sequence[int]) -> Sender:
        return NatsSender(ports[0])


async def open_client(port: int) -> Client:
    """A connection to the server at *port*."""
    return await nats.connect(f"nats://{HOST}:{port}")


def payload(text: str) -> bytes:
    """What is published for *text*."""
    return json.dumps({"sender": "sender", "text": text}).encode()


def handle_messages(handler: Handler) -> Callable[[Msg], Awaitable[None]]:
    """A callback for a subscription, which hands the texts to *handler*."""

    async def handle(message: Msg) -> None:
        handler(json.loads(message.data)["text"])

    return handle


def run_members(
    port: int, handlers: Sequence[Handler], subscribe: Callable[[Client, Handler], Coroutine[object, object, None]]
) -> None:
    """Connect and subscribe a member for each handler, in an event loop in a thread of its own."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="members", daemon=True).start()

    async def connect_all() -> None:
        for handler in handlers:
            await subscribe(await open_client(port), handler)

    asyncio.run_coroutine_threadsafe(connect_all(), loop).result()


class NatsSender(Sender):
    """Runs its event loop while it sends; for one thread."""

    def __init__(self, port: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._client = self._loop.run_until_complete(open_client(port))

    def send(self, text: str) -> None:
        self._loop.run_until_complete(self._publish([text]))

    def burst(self, texts: Sequence[str]) -> None:
        self._loop.run_until_complete(self._publish(texts))

    async def _publish(self, texts: Sequence[str]) -> None:
        for text in texts:
            await self._client.publish(SUBJECT, payload(text))
        await self._client.flush()

    def close(self) -> None:
        self._loop.run_until_complete(self._client.close())
        self._loop.close()
