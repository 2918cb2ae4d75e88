"""The transport: idle connections hold no thread, and strangers stop nobody."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from Pyro5 import protocol

from pyrochat import Server
from pyrochat.core.pace import Pace
from pyrochat.pyro.remote import RemoteObject
from pyrochat.pyro.workers import Workers
from tests.support import QUICK_PACE, Running, address_of, bare, eventually, raw_connection, together

HALF_A_FRAME = protocol.SendingMessage(protocol.MSG_CONNECT, 0, 0, 1, b"x" * 100).data[:60]


def workers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("pyrochat-worker")]


def connection_count(server: Server) -> int:
    return server._daemon.transportServer.connection_count  # type: ignore[union-attr]


@pytest.fixture
def server(host_lobby: Callable[..., Server], request: pytest.FixtureRequest) -> Server:
    """A server, with the pace that a test is parametrized with."""
    return host_lobby(pace=getattr(request, "param", QUICK_PACE))


@pytest.fixture
def connect(server: Server) -> Iterator[Callable[[str], RemoteObject]]:
    """Opens connections to the room; all closed at the end."""
    opened: list[RemoteObject] = []

    def connect_(name: str) -> RemoteObject:
        opened.append(RemoteObject(address_of(server), "pyrochat.lobby", {"name": name}, timeout=20))
        return opened[-1]

    yield connect_
    for remote in opened:
        remote.close()


@pytest.mark.parametrize("server", [Pace(linger_seconds=0.05, spare_worker_seconds=0.05)], indirect=True)
def test_idle_connections_hold_no_thread_and_are_still_served(
    server: Server, connect: Callable[[str], RemoteObject]
) -> None:
    remotes = [connect(f"m{number}") for number in range(100)]
    for remote in remotes:
        assert remote.call("members") == []
    assert workers()
    eventually(lambda: not workers())
    assert connection_count(server) == 100
    for remote in remotes:
        assert remote.call("members") == []


def test_many_calls_at_once_are_all_answered(connect: Callable[[str], RemoteObject]) -> None:
    remotes = [connect(f"m{number}") for number in range(40)]
    results = together([lambda remote=remote: [remote.call("post", "x") for _ in range(10)] for remote in remotes])
    ids = [message[0] for messages in results for message in messages]  # type: ignore[attr-defined]
    assert sorted(ids) == list(range(1, 401))


@pytest.mark.parametrize("first_words", [b"", HALF_A_FRAME, HALF_A_FRAME[:3]], ids=["silent", "half a frame", "a bit"])
def test_strangers_who_do_not_go_on_stop_nobody(server: Server, first_words: bytes) -> None:
    with contextlib.ExitStack() as strangers:
        for _ in range(60):
            strangers.enter_context(raw_connection(server)).sendall(first_words)

        def post() -> list[object]:
            with bare(server, "Erick") as proxy:
                return proxy.post("hi")

        assert Running(post).result(20)[3] == "hi"  # type: ignore[index]


@pytest.mark.parametrize("noise", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 3, b"\x00" * 200, b"PYRO" + b"\xff" * 100])
def test_noise_is_cut_off(server: Server, noise: bytes) -> None:
    with raw_connection(server) as sock:
        sock.sendall(noise)
        with contextlib.suppress(ConnectionResetError):
            while sock.recv(4096):
                pass
    with bare(server, "Erick") as proxy:
        assert proxy.post("hi")[0] == 1


@pytest.mark.parametrize("first_words", [b"", HALF_A_FRAME], ids=["silent", "half a frame"])
def test_a_stranger_is_cut_off_after_a_while(host_lobby: Callable[..., Server], first_words: bytes) -> None:
    server = host_lobby(pace=Pace(frame_seconds=0.2))
    with raw_connection(server) as sock:
        sock.sendall(first_words)
        sock.settimeout(10)
        while sock.recv(4096):  # a refusal, perhaps
            pass
    eventually(lambda: connection_count(server) == 0)


def test_closed_connections_are_forgotten(server: Server, connect: Callable[[str], RemoteObject]) -> None:
    for number in range(20):
        connect(f"m{number}").close()
    eventually(lambda: connection_count(server) == 0)


def test_a_server_that_is_closed_cuts_off_its_clients_soon(
    server: Server, connect: Callable[[str], RemoteObject]
) -> None:
    remotes = [connect(f"m{number}") for number in range(50)]
    for remote in remotes:
        remote.call("members")
    Running(server.close).result(20)
    for remote in remotes:
        sock: socket.socket = remote._connection.sock
        assert sock.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        raw_connection(server).__enter__()


class ImpatientQueue(queue.Queue[object]):
    """Whoever waits gives up, and just then, before it can say so, somebody brings work."""

    bring: Callable[[], None] | None = None

    def get(self, block: bool = True, timeout: float | None = None) -> object:
        if self.bring is not None:
            bring, self.bring = self.bring, None
            bring()
            raise queue.Empty
        return super().get(block, timeout)


def test_a_connection_that_comes_when_the_last_worker_gives_up_is_served() -> None:
    served: list[object] = []
    waiting = ImpatientQueue()

    def serve(connection: object, frame: object) -> None:
        served.append(connection)
        if connection == "first":
            waiting.bring = lambda: workers.lend("second", None)  # type: ignore[arg-type]

    workers = Workers(serve, 8)
    workers._waiting = waiting  # type: ignore[assignment]
    workers.lend("first", None)  # type: ignore[arg-type]
    try:
        eventually(lambda: served == ["first", "second"], 2)
    finally:
        waiting.put(None)
