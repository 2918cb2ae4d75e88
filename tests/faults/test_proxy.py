"""The proxy does to a connection what it is told, and nothing else."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from lab.faults.proxy import TO_CLIENT, TO_SERVER, Proxy
from tests.support import eventually


class Echo:
    """Sends back what it gets; remembers it too."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.received = b""
        self.connections: list[socket.socket] = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        while True:
            try:
                sock, _ = self.listening.accept()
            except OSError:
                return
            self.connections.append(sock)
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock: socket.socket) -> None:
        try:
            while data := sock.recv(65_536):
                self.received += data
                sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def close(self) -> None:
        for sock in (self.listening, *self.connections):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    echo = Echo()
    yield echo
    echo.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    with Proxy(echo.listening.getsockname()) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), 5) as sock:
        sock.sendall(b"hello")
        assert sock.recv(5) == b"hello"
        yield sock


def read_to_the_end(sock: socket.socket) -> None:
    while sock.recv(65_536):
        pass


def is_silent(sock: socket.socket, seconds: float = 0.15) -> bool:
    sock.settimeout(seconds)
    try:
        return sock.recv(1) is None
    except TimeoutError:
        return True
    finally:
        sock.settimeout(5)


def test_everything_passes_in_both_directions_also_when_it_is_large(client: socket.socket) -> None:
    data = bytes(range(256)) * 8192
    threading.Thread(target=client.sendall, args=(data,), daemon=True).start()
    got = b""
    while len(got) < len(data):
        got += client.recv(1 << 16)
    assert got == data


def test_an_end_of_one_direction_is_passed_on(client: socket.socket, proxy: Proxy) -> None:
    client.shutdown(socket.SHUT_WR)
    assert client.recv(1) == b""
    eventually(lambda: proxy.connection_count == 0)


def test_delayed_bytes_come_later_and_in_order(client: socket.socket, proxy: Proxy) -> None:
    proxy.delay(0.1)
    begun = time.monotonic()
    client.sendall(b"later")
    assert client.recv(5) == b"later"
    assert time.monotonic() - begun >= 0.2


@pytest.mark.parametrize(("direction", "arrives"), [(TO_SERVER, False), (TO_CLIENT, True)])
def test_held_bytes_come_when_they_are_released(
    client: socket.socket, proxy: Proxy, echo: Echo, direction: str, arrives: bool
) -> None:
    proxy.hold(direction)
    client.sendall(b"kept")
    assert is_silent(client)
    assert echo.received.endswith(b"kept") is arrives
    proxy.release()
    assert client.recv(4) == b"kept"


def test_a_swallowed_connection_stays_silent_and_a_new_one_works(client: socket.socket, proxy: Proxy) -> None:
    proxy.swallow()
    client.sendall(b"gone")
    proxy.release()
    assert is_silent(client)
    with socket.create_connection(("127.0.0.1", proxy.port), 5) as other:
        other.sendall(b"here")
        assert other.recv(4) == b"here"


def test_what_is_large_is_lost_with_all_that_follows_it_and_what_is_small_passes(
    client: socket.socket, proxy: Proxy
) -> None:
    proxy.lose_large(100)
    client.sendall(b"small")
    assert client.recv(5) == b"small"
    client.sendall(b"x" * 101)
    client.sendall(b"small again")
    assert is_silent(client)
    with socket.create_connection(("127.0.0.1", proxy.port), 5) as other:
        other.sendall(b"here")
        assert other.recv(4) == b"here"


def test_a_cut_is_a_reset_or_an_end(client: socket.socket, proxy: Proxy) -> None:
    proxy.cut(reset=False)
    assert client.recv(1) == b""
    with socket.create_connection(("127.0.0.1", proxy.port), 5) as other:
        eventually(lambda: proxy.connection_count == 1)
        proxy.cut(reset=True)
        with pytest.raises(ConnectionResetError):
            other.recv(1)


def test_a_cut_in_a_frame_lets_the_first_half_through(client: socket.socket, proxy: Proxy, echo: Echo) -> None:
    before = len(echo.received)
    proxy.cut(in_frame=True)
    client.sendall(b"0123456789")
    with pytest.raises(ConnectionResetError):
        read_to_the_end(client)
    eventually(lambda: len(echo.received) > before)
    assert echo.received[before:] == b"01234"


def test_refused_connections_are_reset(proxy: Proxy) -> None:
    def connect() -> None:
        with socket.create_connection(("127.0.0.1", proxy.port), 5) as sock:
            read_to_the_end(sock)

    proxy.refuse()
    with pytest.raises(ConnectionResetError):
        connect()
