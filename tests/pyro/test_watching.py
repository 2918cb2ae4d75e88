"""What runs in the thread that watches all connections: nothing that others would have to wait for."""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from Pyro5 import protocol

from lab.attacks.wire import Attacked, Stranger, call_frame, frame, greeting, packed
from pyrochat.core.pace import Pace
from pyrochat.pyro.connection import Connection
from pyrochat.pyro.daemon import MOST_QUICK_BYTES, Daemon
from pyrochat.pyro.dispatch import Later, expose, quick
from pyrochat.pyro.frames import Frame
from pyrochat.pyro.listener import Listener
from pyrochat.pyro.serializers import JSON, MSGPACK, call_prefix
from pyrochat.pyro.tls import ServerTls
from pyrochat.pyro.transport import Transport
from pyrochat.pyro.workers import LARGE_BYTES, LARGE_WORKERS, STRANGERS_WORKERS, Workers
from pyrochat.values.errors import PyroChatError
from tests.security.support import Authority
from tests.support import Running, eventually, stumbling

QUICK_CALL = packed(["room", "note", ["x"], {}])


class Late(Later):
    """Has a result when it is told so; it is one that can't be sent, nor told that it can't."""

    def then(self, call: Callable[[], None]) -> None:
        self.finish = call

    def result(self) -> object:
        raise _Unspeakable


class _Unspeakable(PyroChatError):
    def __str__(self) -> str:
        raise KeyError("a defect")


@expose
class Room:
    """Notes which thread calls it; can be held up."""

    def __init__(self) -> None:
        self.threads: list[str] = []
        self.held = threading.Semaphore(0)
        self.open = threading.Event()
        self.later = Late()

    @quick
    def note(self, word: str) -> str:
        self.threads.append(threading.current_thread().name)
        return word

    @quick
    def note_that(self, word: str) -> str:
        return self.note(word)

    def word(self) -> str:
        return "a word"

    def ballast(self, size: int) -> str:
        return "x" * size

    def late(self) -> Later:
        self.held.release()
        return self.later

    def wait(self, ballast: str = "") -> None:
        self.held.release()
        assert self.open.wait(60)


def let_in(connection: Connection, data: object) -> None:
    connection.identity = connection.trusted = True


@pytest.fixture
def room() -> Room:
    return Room()


Start = Callable[..., Daemon]


@pytest.fixture
def start(room: Room) -> Iterator[Start]:
    """Starts daemons that serve *room*, in threads that are called test."""
    started: list[tuple[Daemon, Running]] = []

    def start_(**options: object) -> Daemon:
        daemon = Daemon("127.0.0.1", 0, greet=let_in, bid_farewell=lambda who: None, **options)  # type: ignore[arg-type]
        daemon.register(room, "room")
        started.append((daemon, Running(daemon.requestLoop)))
        return daemon

    yield start_
    room.open.set()
    for daemon, accepting in started:
        daemon.shutdown()
        accepting.result()


def call(method: str, *arguments: object, flags: int = 0) -> bytes:
    return call_frame(method, *arguments, object_id="room", flags=flags)


def entered(daemon: Daemon) -> Stranger:
    """A connection that is let in, and that no worker has any more."""
    stranger = Stranger(daemon.address)
    reply = stranger.ask(greeting("hello", "room"))
    assert not reply.is_refusal
    eventually(lambda: all(c in daemon.transportServer._watching for c in daemon.transportServer._connections))
    return stranger


def test_a_quick_call_is_served_in_the_watching_thread(start: Start, room: Room) -> None:
    with entered(start()) as member:
        assert member.ask(call("note", "x")).value == "x"
    assert room.threads == ["test"]


# -- who does not go on ---------------------------------------------------------------------------------------------

ANSWER_BYTES = 8 * 1024 * 1024  # more than any socket's buffers take


def only_connection(daemon: Daemon) -> Connection:
    (connection,) = daemon.transportServer._connections
    return connection  # type: ignore[no-any-return]


def deaf(daemon: Daemon) -> Stranger:
    """Somebody inside who has asked for a large answer, and has not read it."""
    member = entered(daemon)
    member.send(call("ballast", ANSWER_BYTES))
    eventually(lambda: only_connection(daemon).unsent)
    return member


@pytest.mark.parametrize("stuck", ["half a call", "an answer that is not read"])
def test_found_45_who_is_stuck_is_closed_when_its_time_is_over(start: Start, stuck: str) -> None:
    daemon = start(pace=Pace(frame_seconds=0.2))
    with entered(daemon) if stuck == "half a call" else deaf(daemon) as member:
        if stuck == "half a call":
            member.send(call("word")[:-3])
        eventually(lambda: daemon.transportServer.connection_count == 0)


def test_found_45_an_answer_that_moves_by_a_byte_is_given_its_time_anew(start: Start) -> None:
    """The clock is the test's own: the daemon's would close nobody within an hour."""
    daemon = start(pace=Pace(frame_seconds=3600.0))
    with deaf(daemon) as member:
        connection, sweep = only_connection(daemon), daemon.transportServer._sweep
        stood = connection.progress_at
        eventually(lambda: member.sock.recv(65_536) and connection.progress_at > stood)
        stands = eventually(lambda: connection in daemon.transportServer._watching and connection.progress_at)
        sweep((stood + stands) / 2 + 3600.0)
        assert daemon.transportServer.connection_count == 1
        sweep(connection.progress_at + 3600.1)
        assert daemon.transportServer.connection_count == 0


def test_found_45_a_frame_has_to_be_whole_in_time_and_whoever_is_idle_stays(start: Start) -> None:
    daemon = start(pace=Pace(frame_seconds=3600.0))
    with entered(daemon) as member:
        connection, sweep = only_connection(daemon), daemon.transportServer._sweep
        sweep(connection.born + 10 * 3600.0)
        assert daemon.transportServer.connection_count == 1, "it is idle"
        member.send(call("word")[:-3])
        begun = eventually(lambda: connection.reader.has_begun and connection.frame_begun)
        sweep(begun + 3599.9)
        assert daemon.transportServer.connection_count == 1
        sweep(begun + 3600.1)
        assert daemon.transportServer.connection_count == 0


def test_found_45_by_default_that_is_ten_seconds() -> None:
    assert Pace().frame_seconds == 10.0


# -- what is quick --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [protocol.FLAGS_BATCH, protocol.FLAGS_BATCH | protocol.FLAGS_ONEWAY])
def test_found_1_a_batch_that_calls_itself_a_quick_method_holds_up_nobody(start: Start, room: Room, flags: int) -> None:
    daemon = start()
    batch = frame(protocol.MSG_INVOKE, packed(["room", "note", [["wait", [], {}]], {}]), flags=flags)
    with entered(daemon) as hostile, entered(daemon) as other:
        hostile.send(batch)
        assert room.held.acquire(timeout=20)
        assert other.ask(call("note", "x")).value == "x"
        with Stranger(daemon.address) as newcomer:
            assert not newcomer.ask(greeting("hello", "room")).is_refusal


@pytest.mark.parametrize(
    ("what", "is_quick"),
    [
        ({}, True),
        ({"flags": protocol.FLAGS_ONEWAY}, True),
        ({"flags": protocol.FLAGS_BATCH}, False),
        ({"flags": protocol.FLAGS_KEEPSERIALIZED}, False),
        ({"flags": 0x8000}, False),
        ({"type": protocol.MSG_PING}, False),
        ({"type": protocol.MSG_CONNECT}, False),
        ({"serializer_id": JSON}, False),
        ({"payload": packed(["room", "note_that", ["x"], {}])}, True),
        ({"payload": packed(["room", "wait", [], {}])}, False),
        ({"payload": packed(["room", "not", [], {}])}, False),
        ({"payload": packed(["roo", "note", ["x"], {}])}, False),
        ({"payload": packed(["room2", "note", ["x"], {}])}, False),
        ({"payload": call_prefix("room", "note") + bytes(MOST_QUICK_BYTES)}, False),
        ({"payload": call_prefix("room", "note").ljust(MOST_QUICK_BYTES, b"\0")}, True),
    ],
)
def test_found_1_all_of_a_frame_decides_whether_it_is_quick(
    start: Start, what: dict[str, object], is_quick: bool
) -> None:
    called = Frame(protocol.MSG_INVOKE, MSGPACK, 0, 0, QUICK_CALL)._replace(**what)  # type: ignore[arg-type]
    assert start().is_quick(called) is is_quick


def test_found_1_of_a_thousand_calls_in_a_row_one_is_served_in_the_watching_thread(start: Start, room: Room) -> None:
    """The others would have to wait for the last one."""
    with entered(start()) as member:
        member.send(call("note", "x") * 3)
        assert [member.reply().value for _ in range(3)] == ["x"] * 3  # type: ignore[union-attr]
    assert room.threads[0] == "test"
    assert all(name.startswith("pyrochat-worker") for name in room.threads[1:])


def test_found_1_who_is_inside_takes_no_worker_of_the_strangers(start: Start, room: Room) -> None:
    """Also where it goes on without a pause after its greeting."""
    daemon = start()
    inside = [Stranger(daemon.address) for _ in range(STRANGERS_WORKERS)]
    try:
        for member in inside:
            member.send(greeting("hello", "room") + call("wait"))
        for _ in inside:
            assert room.held.acquire(timeout=20)
        with Stranger(daemon.address) as newcomer:
            assert not newcomer.ask(greeting("hello", "room")).is_refusal
    finally:
        room.open.set()
        for member in inside:
            member.sock.close()


def test_found_3_of_large_requests_a_few_are_served_at_once_and_the_others_go_on(start: Start, room: Room) -> None:
    """They are large in memory; whoever asks for little has other workers."""
    daemon = start()
    large = call("wait", "x" * LARGE_BYTES)
    with contextlib.ExitStack() as stack:
        members = [stack.enter_context(entered(daemon)) for _ in range(LARGE_WORKERS + 1)]
        for member in members:
            member.send(large)
        for _ in range(LARGE_WORKERS):
            assert room.held.acquire(timeout=20)
        with Stranger(daemon.address) as other:
            assert not other.ask(greeting("hello", "room")).is_refusal
            assert other.ask(call("word")).value == "a word"
            assert not room.held.acquire(blocking=False)
        room.open.set()
        assert all(member.reply() is not None for member in members)
        assert room.held.acquire(timeout=20)


def test_found_1_tls_greetings_cost_the_peers_share_of_the_servers_time(start: Start, tmp_path: object) -> None:
    pem = Authority(tmp_path).issue("server")  # type: ignore[arg-type]
    charged: list[float] = []

    def charge(connection: Connection, seconds: float) -> None:
        assert not connection.trusted
        if seconds:  # none when it comes
            charged.append(seconds)
            connection.rest(60.0)

    daemon = start(tls=ServerTls(pem, pem).context(), charge=charge)
    with Stranger(daemon.address, tls=True) as stranger:
        stranger.send(greeting("hello", "room"))
        eventually(lambda: daemon.transportServer._resting)
        assert sum(charged) > 0


# -- the port ---------------------------------------------------------------------------------------------------------


class FullSocket(socket.socket):
    """Has no descriptor for a newcomer as long as it is told so."""

    is_full = True

    def accept(self) -> tuple[socket.socket, object]:
        if self.is_full:
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


@pytest.fixture
def port() -> Iterator[FullSocket]:
    with FullSocket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(1024)
        yield sock


def test_found_1_newcomers_are_accepted_some_at_a_time(port: FullSocket) -> None:
    port.is_full = False
    with selectors.DefaultSelector() as selector:
        listener = Listener(port, selector)
        crowd = [socket.create_connection(port.getsockname()) for _ in range(100)]
        try:
            rounds = []
            while sum(rounds) < len(crowd):
                assert selector.select(10)
                accepted = list(listener.accept())
                rounds.append(len(accepted))
                for sock in accepted:
                    sock.close()
            assert max(rounds) <= 64
        finally:
            for sock in crowd:
                sock.close()


def test_found_1_without_descriptors_nobody_waits_for_the_port(
    port: FullSocket, caplog: pytest.LogCaptureFixture
) -> None:
    """It is left alone for a moment, said once, and looked at again."""
    with selectors.DefaultSelector() as selector:
        listener = Listener(port, selector)
        with socket.create_connection(port.getsockname()):
            for _ in range(3):
                assert list(listener.accept()) == []
                assert listener.is_resting
                assert selector.select(0) == []
                listener.look(time.monotonic() + 60)
                assert not listener.is_resting
                assert len(selector.select(10)) == 1
            port.is_full = False
            [accepted] = listener.accept()
            accepted.close()
    assert [record.getMessage() for record in caplog.records] == [
        "can't accept connections: [Errno 24] Too many open files"
    ]


# -- it goes on, whatever happens -------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [KeyError("a race"), SystemExit(1)], ids=["KeyError", "SystemExit"])
@pytest.mark.parametrize("where", ["_round", "_give_place", "_watch", "_look_at", "_take_up", "_sweep"])
def test_found_10_whatever_the_watching_thread_stumbles_over_it_serves_on(
    start: Start, where: str, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    transport = stumbling(Transport, where, times=2, error=error)
    daemon = start(transport=transport)

    def is_served() -> bool:
        with contextlib.suppress(Attacked, OSError), entered(daemon) as newcomer:
            return newcomer.ask(call("note", "x")).value == "x" and transport.stumbles == 2
        return False

    eventually(is_served)
    assert any(record.exc_info for record in caplog.records)


def test_found_10_what_is_wrong_with_one_connection_costs_that_one(
    start: Start, room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    """And others whose bytes came at the same time are served in the same round."""
    transport = stumbling(Transport, "_serve_here", error=KeyError("a defect"))
    daemon = start(transport=transport)
    with entered(daemon) as unlucky, entered(daemon) as other:
        unlucky.send(call("note", "x"))
        assert unlucky.reply() is None
        assert other.ask(call("note", "y")).value == "y"
    assert room.threads == ["test"]


def test_found_10_a_worker_that_stumbles_serves_the_next_one(caplog: pytest.LogCaptureFixture) -> None:
    served: list[str] = []

    def serve(connection: str, frame: object) -> None:
        served.append(connection)
        if connection != "good":
            raise SystemExit(connection)

    workers = Workers(serve, most=1)  # type: ignore[arg-type]
    try:
        for connection in ("bad", "worse", "good"):
            workers.lend(connection, None)  # type: ignore[arg-type]
        eventually(lambda: served == ["bad", "worse", "good"])
    finally:
        workers.stop()
    assert len(caplog.records) == 2


def test_found_10_a_late_answer_that_can_not_be_made_costs_its_connection(
    start: Start, room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    with entered(start()) as member:
        member.send(call("late"))
        assert room.held.acquire(timeout=20)
        room.later.finish()
        assert member.reply() is None
    assert any(record.exc_info for record in caplog.records)
