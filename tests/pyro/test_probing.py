"""Who is behind an address: a room, nobody, something that hangs, or something else by now."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from pyrochat import Server
from pyrochat.pyro.probing import Presence, look
from pyrochat.values.addresses import Address
from tests.support import address_of, free_port

SECONDS = 1.0  # for one step: what answers here has that much to do it, beside busy cores too


def seen(address: Address, room: str = "lobby", seconds: float = 10.0) -> Presence:
    return look(address, f"pyrochat.{room}", seconds).presence


@contextlib.contextmanager
def web_server(protocol: str) -> Iterator[Address]:
    """Python's own, which waits for the end of a line before it answers."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        protocol_version = protocol

        def log_message(self, *arguments: object) -> None:
            """Nobody looks."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="test")
        thread.start()
        yield "127.0.0.1", server.server_port
        server.shutdown()
        thread.join()


@contextlib.contextmanager
def answering(answer: bytes, closes: bool) -> Iterator[Address]:
    """Something that says *answer* to whatever comes, and then nothing or the end."""
    with socket.create_server(("127.0.0.1", 0)) as listening, contextlib.ExitStack() as taken:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    if not closes:
                        taken.enter_context(connection)
                    connection.sendall(answer)
                    if closes:
                        connection.close()

        thread = threading.Thread(target=serve, name="test")
        thread.start()
        yield "127.0.0.1", listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_room_is_served_and_its_server_says_its_key(server: Server) -> None:
    found = look(address_of(server), "pyrochat.lobby", 10.0)
    assert (found.presence, found.is_here) == (Presence.SERVED, True)
    assert len(found.server_key) == 64


def test_a_room_behind_tls_is_served(host_lobby: Callable[..., Server]) -> None:
    server = host_lobby(tls=True)
    found = look(address_of(server), "pyrochat.lobby", 10.0)
    assert (found.presence, found.is_here) == (Presence.SERVED, True)
    assert found.server_key, "its server says its key there too"
    assert seen(address_of(server), "another") == Presence.ABSENT


def test_another_room_of_a_server_is_absent(server: Server) -> None:
    assert seen(address_of(server), "coffee") is Presence.ABSENT


def test_found_23_what_can_not_be_an_address_is_absent() -> None:
    for host in ("a..b", "x" * 64, "\udcff", "no such host.invalid"):
        assert seen((host, 5679)) is Presence.ABSENT
    assert seen(("127.0.0.1", free_port())) is Presence.ABSENT


@pytest.mark.parametrize("protocol", ["HTTP/1.0", "HTTP/1.1"])
def test_found_23_a_web_server_is_no_room(protocol: str) -> None:
    with web_server(protocol) as address:
        assert seen(address, seconds=SECONDS) is Presence.ABSENT


@pytest.mark.parametrize("closes", [True, False])
@pytest.mark.parametrize("answer", [b"220 mail.example.org ESMTP\r\n", b"SSH-2.0-x\r\n", b"\0" * 100, b"{}\n" * 50])
def test_found_23_what_speaks_another_language_is_no_room(answer: bytes, closes: bool) -> None:
    with answering(answer, closes) as address:
        assert seen(address, seconds=SECONDS) is Presence.ABSENT


def test_what_takes_connections_and_says_nothing_is_silent() -> None:
    """As a server that was stopped (SIGSTOP): the system takes its connections, and nobody reads them."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert look(listening.getsockname(), "pyrochat.lobby", 0.1).presence is Presence.SILENT


def test_found_23_what_can_not_be_reached_in_time_is_absent() -> None:
    """Where every packet vanishes: the kernel drops what comes for a full queue of connections."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        address = listening.getsockname()
        with contextlib.ExitStack() as waiting:
            for _ in range(4):
                sock = waiting.enter_context(socket.socket())
                sock.setblocking(False)
                sock.connect_ex(address)
            assert seen(address, seconds=0.1) is Presence.ABSENT
