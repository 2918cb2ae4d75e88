"""Brokers for tests: real nats-server processes on loopback addresses, in folders of their own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

import nats
from nats.aio.client import Client
from nats.js.api import StreamConfig

from lab import ports
from pyrochat.orders.cluster.broker.child import BrokerChild
from pyrochat.orders.cluster.broker.connecting import options
from pyrochat.orders.cluster.broker.nodes import Node
from pyrochat.trust.cluster_secret import ClusterSecret
from tests.support import eventually

SECRET = ClusterSecret(b"the secret of a cluster for tests")
SPACE = "tests"
HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


def free_ports(hosts: tuple[str, ...] = HOSTS) -> int:
    """The first of three ports that are free on each of *hosts*."""
    return ports.free_ports(hosts, range(3))


def program() -> str:
    return str(Path(sys.executable).with_name("nats-server"))


class Machines:
    """Three machines on loopback, each with a broker."""

    def __init__(self, folder: Path) -> None:
        port = free_ports()
        self.nodes = [Node(host, port) for host in HOSTS]
        self.children = [BrokerChild(node, self.nodes, SECRET, folder / node.host) for node in self.nodes]
        self.has_stream()

    def has_stream(self) -> None:
        """Wait until there is a stream that all of them keep."""
        eventually(lambda: run(takes_messages(options(self.nodes, self.nodes[0], SECRET))), 20)

    def close(self) -> None:
        for child in self.children:
            child.close()


@contextlib.asynccontextmanager
async def connected(given: Mapping[str, Any], seconds: float = 20.0) -> AsyncIterator[Client]:
    """A connection, as soon as there is somebody."""

    async def ignore(error: Exception) -> None:
        """Not there yet."""

    async with asyncio.timeout(seconds):
        client = await nats.connect(
            **given, connect_timeout=1, reconnect_time_wait=0.05, max_reconnect_attempts=-1, error_cb=ignore
        )  # fmt: skip
    try:
        yield client
    finally:
        await client.close()


async def takes_messages(given: Mapping[str, Any]) -> bool:
    """Whether there is a stream that three machines keep, made where it was not, and it takes one message more."""
    async with connected(given) as client:
        jetstream = client.jetstream(timeout=1)
        with contextlib.suppress(nats.errors.Error):
            await jetstream.add_stream(StreamConfig(name=f"{SPACE}_A", subjects=["a"], num_replicas=3))
            await jetstream.publish("a", b"one", timeout=1)
            return True
    return False


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine)


@contextlib.contextmanager
def single(folder: Path, text: str) -> Iterator[str]:
    """A nats-server as somebody else would start it, with the configuration *text*; its address."""
    port = free_ports(HOSTS[:1])
    configuration, said = folder / "single.conf", folder / "single.log"
    configuration.write_text(f'listen: "127.0.0.1:{port}"\n{text}\n'.replace("FOLDER", str(folder / "single")))
    with open(said, "wb") as output:
        process = subprocess.Popen([program(), "-c", str(configuration)], stdout=output, stderr=output)
    try:
        eventually(lambda: answers("127.0.0.1", port), 10, said.read_text)
        yield f"nats://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def answers(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), 1):
        return True
    return False


def is_running(pid: int) -> Callable[[], bool]:
    """Whether the process *pid* runs; one that has ended and was not waited for does not."""

    def check() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    return check
