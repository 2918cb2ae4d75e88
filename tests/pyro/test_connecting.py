"""Connecting to callbacks: without blocking, within a deadline, in places of which each peer has a few."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from Pyro5 import protocol

from pyrochat.core.places import Bounds
from pyrochat.pyro.connecting import Connecting, Connector
from pyrochat.pyro.frames import FrameReader, whole_frame
from pyrochat.pyro.serializers import MSGPACK, encode_value
from pyrochat.values.errors import CallbackUnreachable, PyroChatError, RoomClosing, ServerFull
from tests.support import stumbling

HOST = "127.0.0.1"


@pytest.fixture
def connector() -> Iterator[Callable[..., Connector]]:
    """Makes connectors; all closed at the end."""
    made: list[Connector] = []

    def make(bounds: Bounds | None = None, seconds: float = 60.0) -> Connector:
        made.append(Connector(bounds or Bounds(), seconds))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """Where a callback is: connections to it are made, and nobody says a word."""
    with socket.create_server((HOST, 0)) as sock:
        yield sock


class Attempt:
    """One connection that is being made, and what comes of it."""

    def __init__(self, connector: Connector, port: int) -> None:
        self.connecting = Connecting((HOST, port), "callback", MSGPACK)
        self.over = threading.Event()
        self.connecting.then(self.over.set)
        connector.connect(self.connecting)

    def result(self) -> socket.socket:
        assert self.over.wait(20)
        return self.connecting.result()

    def error(self) -> PyroChatError:
        with pytest.raises(PyroChatError) as caught:
            self.result().close()
        assert self.connecting.sock is None or self.connecting.sock.fileno() == -1, "its descriptor is free"
        return caught.value


def port_of(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


def shake_hands(peer: socket.socket, answer: bytes) -> None:
    reader = FrameReader(1 << 16)
    while (frame := reader.next()) is None:
        data = peer.recv(4096)
        if not data:
            raise ConnectionError("the connector closed the connection")
        reader.feed(data)
    assert frame.type == protocol.MSG_CONNECT
    peer.sendall(answer)


WELCOME = whole_frame(protocol.MSG_CONNECTOK, encode_value({"handshake": "hello"}, MSGPACK), MSGPACK)


@pytest.mark.parametrize("pieces", [1, 7])
def test_a_callback_that_shakes_hands_is_connected_to(
    connector: Callable[..., Connector], listening: socket.socket, pieces: int
) -> None:
    attempt = Attempt(connector(), port_of(listening))
    peer, _ = listening.accept()
    with peer:
        size = len(WELCOME) // pieces + 1
        shake_hands(peer, WELCOME[:size])
        for start in range(size, len(WELCOME), size):
            peer.sendall(WELCOME[start : start + size])
        with attempt.result() as sock:
            sock.setblocking(True)
            sock.sendall(b"a delivery")
            assert peer.recv(100) == b"a delivery"


@pytest.mark.parametrize(
    "answer",
    [
        WELCOME * 2, WELCOME + b"x", whole_frame(protocol.MSG_CONNECTFAIL, b"\xc0", MSGPACK), b"HTTP/1.1 200 OK\r\n" * 9,
        whole_frame(protocol.MSG_CONNECTOK, bytes(70_000), MSGPACK),
        whole_frame(protocol.MSG_CONNECTOK, b"", MSGPACK, flags=protocol.FLAGS_COMPRESSED),
    ],
    ids=["two answers", "a byte more", "a refusal", "no Pyro", "much", "compressed"],
)  # fmt: skip
def test_whoever_answers_otherwise_is_no_callback(
    connector: Callable[..., Connector], listening: socket.socket, answer: bytes
) -> None:
    attempt = Attempt(connector(), port_of(listening))
    peer, _ = listening.accept()
    with peer:
        shake_hands(peer, answer)
        assert isinstance(attempt.error(), CallbackUnreachable)


def test_nobody_there_and_somebody_who_hangs_up_are_told(
    connector: Callable[..., Connector], listening: socket.socket
) -> None:
    ours = connector()
    attempt = Attempt(ours, port_of(listening))
    listening.accept()[0].close()
    assert isinstance(attempt.error(), CallbackUnreachable)
    port = port_of(listening)
    listening.close()
    assert "refused" in str(Attempt(ours, port).error())


def test_who_says_nothing_has_a_deadline(connector: Callable[..., Connector], listening: socket.socket) -> None:
    attempt = Attempt(connector(seconds=0.05), port_of(listening))
    assert "did not answer within 0.05 s" in str(attempt.error())


def test_found_6_the_slowest_of_a_peer_makes_room(
    connector: Callable[..., Connector], listening: socket.socket
) -> None:
    ours = connector(Bounds(callbacks_of_a_peer=3))
    attempts = [Attempt(ours, port_of(listening)) for _ in range(10)]
    for attempt in attempts[:7]:
        assert "try again" in str(attempt.error())
    assert not any(attempt.over.is_set() for attempt in attempts[7:])


def test_when_descriptors_are_few_none_is_taken(connector: Callable[..., Connector], listening: socket.socket) -> None:
    attempt = Attempt(connector(Bounds(kept_for_known=1 << 20)), port_of(listening))
    assert isinstance(attempt.error(), ServerFull)


def test_at_the_end_what_is_under_way_is_given_up(
    connector: Callable[..., Connector], listening: socket.socket
) -> None:
    ours = connector()
    attempt = Attempt(ours, port_of(listening))
    ours.close()
    assert isinstance(attempt.error(), RoomClosing)
    assert isinstance(Attempt(ours, port_of(listening)).error(), RoomClosing)


def test_a_defect_ends_one_connection_and_not_the_thread(
    connector: Callable[..., Connector], listening: socket.socket
) -> None:
    ours = connector()
    broken = Connecting((HOST, "no port"), "callback", MSGPACK)  # type: ignore[arg-type]
    over = threading.Event()
    broken.then(over.set)
    ours.connect(broken)
    assert over.wait(20)
    with pytest.raises(CallbackUnreachable):
        broken.result()

    def fail() -> None:
        raise KeyError("a defect")

    told = Attempt(ours, port_of(listening))
    told.connecting._then = fail
    listening.accept()[0].close()
    attempt = Attempt(ours, port_of(listening))
    with contextlib.closing(listening.accept()[0]) as peer:
        shake_hands(peer, WELCOME)
        attempt.result().close()


@pytest.mark.parametrize("error", [KeyError("a defect"), SystemExit(1)], ids=["KeyError", "SystemExit"])
@pytest.mark.parametrize("where", ["_round", "_begin", "_go_on", "_hear"])
def test_found_10_whatever_the_connector_stumbles_over_it_connects_on(
    listening: socket.socket, where: str, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    kind = stumbling(Connector, where, times=2, error=error)
    connector = kind(Bounds(), 60.0)
    try:
        outcomes = []
        for _ in range(3):
            attempt = Attempt(connector, port_of(listening))
            if where != "_begin" or len(outcomes) == 2:
                peer, _ = listening.accept()
                with contextlib.suppress(OSError), peer:
                    shake_hands(peer, WELCOME)
                    assert attempt.over.wait(20)
            try:
                attempt.result().close()
            except CallbackUnreachable:
                outcomes.append(False)
            else:
                outcomes.append(True)
        assert outcomes[-1]
    finally:
        connector.close()
    assert kind.stumbles == 2  # type: ignore[attr-defined]
    assert any(record.exc_info for record in caplog.records)
