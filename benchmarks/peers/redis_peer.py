"""Redis pub/sub with redis-py: one connection and one thread a member."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.interface import HOST, Handler, Peer, Sender
from benchmarks.peers.optional import optional
from benchmarks.peers.processes import free_port, start_listening
from faults.processes import Process

redis = optional("redis")

__all__ = ["Redis"]

CHANNEL = "lobby"


class Redis(Peer):
    """`PUBLISH` waits for its answer; a burst goes through pipelines of 100, redis-py's fastest way."""

    name = "redis"
    title = "(d) Redis pub/sub"
    lacks = ("durable", "confirmed", "history")
    remark = "no limit on what waits for a slow member; pipelines of 100 without transaction"

    def start_server(self, folder: Path) -> tuple[Process, list[int]]:
        port = free_port()
        command = ["redis-server", "--bind", HOST, "--port", str(port), "--dir", str(folder), "--save", ""]
        command += ["--maxclients", "4000", "--client-output-buffer-limit", "pubsub", "0", "0", "0"]
        return start_listening(command, port, folder), [port]

    def connect_members(self, ports: Sequence[int], handlers: Sequence[Handler]) -> None:
        for handler in handlers:
            subscription = redis.Redis(HOST, ports[0]).pubsub()
            subscription.subscribe(CHANNEL)
            subscription.get_message(timeout=10.0)
            threading.Thread(target=_listen, args=(subscription, handler), daemon=True).start()

    def open_sender(self, ports: Sequence[int]) -> Sender:
        return _RedisSender(redis.Redis(HOST, ports[0]))


def _listen(subscription: redis.client.PubSub, handler: Handler) -> None:
    for message in subscription.listen():  # type: ignore[no-untyped-call]
        if message["type"] == "message":
            handler(json.loads(message["data"])["text"])


class _RedisSender(Sender):
    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def send(self, text: str) -> None:
        self._client.publish(CHANNEL, _payload(text))

    def burst(self, texts: Sequence[str]) -> None:
        for start in range(0, len(texts), 100):
            with self._client.pipeline(transaction=False) as pipeline:
                for text in texts[start : start + 100]:
                    pipeline.publish(CHANNEL, _payload(text))
                pipeline.execute()

    def close(self) -> None:
        self._client.close()


def _payload(text: str) -> str:
    return json.dumps({"sender": "sender", "text": text})
