"""ZeroMQ PUB/SUB: publishers and subscribers around a forwarder, `zmq.proxy`."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.interface import HOST, Handler, Peer, Sender
from benchmarks.peers.optional import optional
from benchmarks.peers.processes import start_python_server
from faults.processes import BenchError, Process

zmq = optional("zmq")

__all__ = ["ZeroMq"]

_MAX_SOCKETS = 8192
_NO_LIMIT = 0
_PROBE = b""
_CONNECT_SECONDS = 30.0


class ZeroMq(Peer):
    """Members are polled by one thread; the high-water marks are lifted, or most of a burst would be dropped."""

    name = "zeromq"
    title = "(g) ZeroMQ PUB/SUB"
    lacks = ("durable", "ordered", "confirmed", "history")
    remark = "high-water marks lifted: what waits for a slow member has no bound"

    def start_server(self, folder: Path) -> tuple[Process, list[int]]:
        return start_python_server("benchmarks.peers.zeromq", folder)

    def connect_members(self, ports: Sequence[int], handlers: Sequence[Handler]) -> None:
        context = zmq.Context()
        context.set(zmq.MAX_SOCKETS, _MAX_SOCKETS)
        subscribers = [_unlimited(context, zmq.SUB) for _ in handlers]
        for subscriber in subscribers:
            subscriber.setsockopt(zmq.SUBSCRIBE, b"")
            subscriber.connect(f"tcp://{HOST}:{ports[1]}")
        _wait_until_all_hear(context, ports[0], subscribers)
        threading.Thread(target=_receive, args=(subscribers, handlers), name="receive", daemon=True).start()

    def open_sender(self, ports: Sequence[int]) -> Sender:
        publisher = _unlimited(zmq.Context(), zmq.PUB)
        publisher.connect(f"tcp://{HOST}:{ports[0]}")
        publisher.poll(1000, zmq.POLLOUT)
        time.sleep(0.5)  # until the forwarder's subscriptions are here; PUB has no sign for that
        return _ZeroMqSender(publisher)


def _unlimited(context: zmq.Context[zmq.Socket[bytes]], kind: int) -> zmq.Socket[bytes]:
    sock = context.socket(kind)
    for option in (zmq.SNDHWM, zmq.RCVHWM):
        sock.setsockopt(option, _NO_LIMIT)
    return sock


def _wait_until_all_hear(
    context: zmq.Context[zmq.Socket[bytes]], port: int, subscribers: Sequence[zmq.Socket[bytes]]
) -> None:
    """Publish empty probes until every subscriber has had one."""
    deadline = time.monotonic() + _CONNECT_SECONDS
    waiting = list(subscribers)
    with _unlimited(context, zmq.PUB) as publisher:
        publisher.connect(f"tcp://{HOST}:{port}")
        while waiting:
            if time.monotonic() > deadline:
                raise BenchError(f"{len(waiting)} ZeroMQ members hear nothing")
            publisher.send(_PROBE)
            time.sleep(0.05)
            waiting = [subscriber for subscriber in waiting if not subscriber.poll(0)]


def _receive(subscribers: Sequence[zmq.Socket[bytes]], handlers: Sequence[Handler]) -> None:
    poller = zmq.Poller()
    for subscriber in subscribers:
        poller.register(subscriber, zmq.POLLIN)
    handler_of = dict(zip(subscribers, handlers, strict=True))
    while True:
        for subscriber, _ in poller.poll():
            _drain(subscriber, handler_of[subscriber])


def _drain(subscriber: zmq.Socket[bytes], handler: Handler) -> None:
    while True:
        try:
            data = subscriber.recv(zmq.NOBLOCK)
        except zmq.Again:
            return
        if data != _PROBE:
            handler(json.loads(data)["text"])


class _ZeroMqSender(Sender):
    acknowledges = False

    def __init__(self, publisher: zmq.Socket[bytes]) -> None:
        self._publisher = publisher

    def send(self, text: str) -> None:
        self._publisher.send(json.dumps({"sender": "sender", "text": text}).encode())

    def close(self) -> None:
        self._publisher.close()


def main() -> None:
    """Forward until killed."""
    context = zmq.Context()
    context.set(zmq.MAX_SOCKETS, _MAX_SOCKETS)
    inward, outward = _unlimited(context, zmq.XSUB), _unlimited(context, zmq.XPUB)
    ports = [sock.bind_to_random_port(f"tcp://{HOST}") for sock in (inward, outward)]
    print("ready", *ports, flush=True)
    zmq.proxy(inward, outward)


if __name__ == "__main__":
    main()
