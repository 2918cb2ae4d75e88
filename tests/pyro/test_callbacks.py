"""The client's end of a turned-around connection, and what a room can do to it."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator

import msgpack
import pytest
from Pyro5 import protocol
from Pyro5.serializers import MarshalSerializer
from Pyro5.socketutil import SocketConnection

from pyrochat.pyro import callbacks as callbacks_module
from pyrochat.pyro.callbacks import MOST_REQUESTED, CallbackServer, Served
from pyrochat.pyro.dispatch import expose
from pyrochat.pyro.frames import HEADER_BYTES
from pyrochat.pyro.serializers import MSGPACK, SERIALIZERS
from pyrochat.pyro.wire import request_frame
from pyrochat.values.errors import ServerFault
from tests.support import Running, eventually, stumbling


@expose
class Echo:
    def __init__(self) -> None:
        self.said: list[object] = []

    def say(self, word: object) -> object:
        self.said.append(word)
        return word

    def fail(self) -> None:
        raise ZeroDivisionError


class RoomEnd:
    """A room's end of the connection, spoken to in raw bytes."""

    def __init__(self, silent_seconds: float = 60) -> None:
        self.sock, theirs = socket.socketpair()
        self.sock.settimeout(10)
        self.callback = Echo()
        self.reasons: list[str] = []
        self.lost = threading.Event()
        self.server = CallbackServer.of_this_process()
        self.served = Served(theirs, self.callback, "callback", silent_seconds, self._lost)
        self.server.serve(self.served)

    def _lost(self, reason: Exception) -> None:
        self.reasons.append(str(reason))
        self.lost.set()

    def answer(self) -> protocol.ReceivingMessage:
        return protocol.recv_stub(SocketConnection(self.sock, keep_open=True), [protocol.MSG_RESULT])

    def close(self) -> None:
        self.sock.close()
        self.server.stop(self.served)
        eventually(lambda: self.served.ended)


@pytest.fixture
def room_end() -> Iterator[Callable[..., RoomEnd]]:
    made: list[RoomEnd] = []

    def make(silent_seconds: float = 60) -> RoomEnd:
        made.append(RoomEnd(silent_seconds))
        return made[-1]

    yield make
    for each in made:
        each.close()


def say(word: object, serializer_id: int = MSGPACK) -> bytes:
    return request_frame("callback", "say", [word], serializer_id)


@pytest.mark.parametrize("serializer_id", SERIALIZERS)
def test_a_call_is_answered_in_its_serializer(room_end: Callable[..., RoomEnd], serializer_id: int) -> None:
    room = room_end()
    room.sock.sendall(say("olá", serializer_id))
    assert room.answer().serializer_id == serializer_id
    assert room.callback.said == ["olá"]


def test_a_request_may_come_in_any_pieces(room_end: Callable[..., RoomEnd]) -> None:
    room = room_end()
    for byte in say("olá"):
        room.sock.sendall(bytes([byte]))
    assert msgpack.unpackb(room.answer().data) == "olá"
    large = "x" * 3_000_000
    sending = Running(lambda: room.sock.sendall(request_frame("callback", "say", [large], MSGPACK)))
    eventually(lambda: len(room.callback.said) == 2)
    sending.result()
    assert room.callback.said[1] == large


def test_half_a_request_of_one_room_does_not_hold_up_another(room_end: Callable[..., RoomEnd]) -> None:
    stuck, other = room_end(), room_end()
    stuck.sock.sendall(say("never whole")[:-1])
    for number in range(20):
        other.sock.sendall(say(number))
        assert msgpack.unpackb(other.answer().data) == number


def test_a_room_that_cuts_in_the_middle_of_a_request_is_lost(room_end: Callable[..., RoomEnd]) -> None:
    room = room_end()
    room.sock.sendall(say("whole"))
    room.answer()
    room.sock.sendall(say("not whole")[:-3])
    room.sock.close()
    assert room.lost.wait(20)
    assert room.callback.said == ["whole"]
    assert len(room.reasons) == 1


def frame(kind: int = protocol.MSG_INVOKE, serializer: int = MSGPACK, data: bytes = b"\xc0") -> bytes:
    return bytes(protocol.SendingMessage(kind, 0, 0, serializer, data).data)


def header(flags: int = 0, data_size: int = 0) -> bytes:
    """A request's header that Pyro5 itself would not send."""
    fields = list(struct.unpack(protocol._header_format, frame()[:HEADER_BYTES]))
    fields[4], fields[6] = flags, data_size
    return struct.pack(protocol._header_format, *fields)


@pytest.mark.parametrize(
    "noise",
    [
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        b"\x00" * 40,
        frame(protocol.MSG_RESULT),
        frame(protocol.MSG_CONNECT),
        header(flags=protocol.FLAGS_COMPRESSED, data_size=50),
        frame(serializer=MarshalSerializer.serializer_id, data=b"N"),
        header(data_size=MOST_REQUESTED.bytes + 1),
    ],
    ids=["http", "zeros", "an answer", "a handshake", "compressed", "marshal", "too large"],
)
def test_a_room_that_sends_what_no_room_sends_is_lost(room_end: Callable[..., RoomEnd], noise: bytes) -> None:
    room, other = room_end(), room_end()
    room.sock.sendall(noise)
    assert room.lost.wait(20)
    with contextlib.suppress(ConnectionError):
        while room.sock.recv(4096):
            pass
    other.sock.sendall(say("still served"))
    assert msgpack.unpackb(other.answer().data) == "still served"
    assert room.callback.said == []


def test_a_request_that_can_not_be_read_calls_nothing_and_ends_the_connection(room_end: Callable[..., RoomEnd]) -> None:
    room = room_end()
    room.sock.sendall(frame(data=b"\xc1"))
    assert room.lost.wait(20)
    assert isinstance(room.served.error, ServerFault)
    assert room.callback.said == []


def test_a_callback_that_fails_is_answered_and_served_on(room_end: Callable[..., RoomEnd]) -> None:
    room = room_end()
    room.sock.sendall(request_frame("callback", "fail", [], MSGPACK))
    assert room.answer().flags & protocol.FLAGS_EXCEPTION
    room.sock.sendall(say("next"))
    assert msgpack.unpackb(room.answer().data) == "next"


def test_a_room_that_says_nothing_for_too_long_is_lost(room_end: Callable[..., RoomEnd]) -> None:
    silent, talking = room_end(silent_seconds=0.3), room_end(silent_seconds=60)
    assert silent.lost.wait(20)
    assert silent.reasons == ["nothing heard for 0.3 s"]
    assert not talking.lost.is_set()


def test_a_connection_that_was_stopped_is_not_called_lost(room_end: Callable[..., RoomEnd]) -> None:
    room = room_end()
    room.server.stop(room.served)
    assert room.sock.recv(1) == b""
    assert not room.lost.is_set()


def test_a_connection_that_was_closed_before_its_turn_is_lost(room_end: Callable[..., RoomEnd]) -> None:
    room = room_end()
    room.server.stop(room.served)
    eventually(lambda: room.served.ended)
    room.server.serve(room.served)
    assert room.lost.wait(20)


def test_an_alarm_waits_until_what_has_come_is_served(room_end: Callable[..., RoomEnd]) -> None:
    """What has come may be what the alarm was set for, as an answer that tells the read mark."""
    busy, other = room_end(), room_end()
    all_sent, happened = threading.Event(), []

    def say_when_all_is_sent(word: object) -> None:
        assert all_sent.wait(20)
        busy.server.call_later(0.0, lambda: happened.append("alarm"))

    busy.callback.say = say_when_all_is_sent  # type: ignore[method-assign,assignment]
    say_when_all_is_sent._pyroExposed = True  # type: ignore[attr-defined]
    other.callback.said = happened
    busy.sock.sendall(say("wait"))
    eventually(lambda: not select.select([busy.served.sock], [], [], 0)[0])  # it was read
    other.sock.sendall(say("served"))
    all_sent.set()
    eventually(lambda: len(happened) == 2)
    assert happened == ["served", "alarm"]


def test_a_oneway_call_has_no_answer(room_end: Callable[..., RoomEnd]) -> None:
    room = room_end()
    for word in ("first", "second"):
        request = request_frame("callback", "say", [word], MSGPACK)
        data = protocol.SendingMessage(protocol.MSG_INVOKE, protocol.FLAGS_ONEWAY, 0, MSGPACK, request[HEADER_BYTES:])
        room.sock.sendall(data.data)
    room.sock.sendall(say("asks"))
    assert msgpack.unpackb(room.answer().data) == "asks"
    assert room.callback.said == ["first", "second", "asks"]


def test_the_same_bytes_are_served_again_for_each_connection(room_end: Callable[..., RoomEnd]) -> None:
    """They are read once; but not where they are the rest of something else."""
    one, other = room_end(), room_end()
    for room in (one, other, one):
        room.sock.sendall(say("same"))
        assert msgpack.unpackb(room.answer().data) == "same"
    other.sock.sendall(say("")[:-1])
    eventually(lambda: other.served.reader.has_begun)
    other.sock.sendall(say("same"))
    assert other.lost.wait(20)
    assert (one.callback.said, other.callback.said[:1]) == (["same", "same"], ["same"])


def test_one_rooms_bytes_are_not_read_as_the_rest_of_anothers(room_end: Callable[..., RoomEnd]) -> None:
    """A hostile room ends a frame of its own, one with annotations, with the very bytes that another is going to send."""
    hostile, other = room_end(), room_end()
    known = say("known")
    fields = list(struct.unpack(protocol._header_format, frame()[:HEADER_BYTES]))
    fields[2], fields[6], fields[7] = protocol.MSG_RESULT, len(known) - HEADER_BYTES, HEADER_BYTES + 1
    hostile.sock.sendall(struct.pack(protocol._header_format, *fields) + b"x")
    eventually(lambda: hostile.served.reader.has_begun)
    hostile.sock.sendall(known)
    assert hostile.lost.wait(20)
    other.sock.sendall(known)
    assert msgpack.unpackb(other.answer().data) == "known"


def test_one_thread_serves_all_of_a_process(room_end: Callable[..., RoomEnd]) -> None:
    rooms = [room_end() for _ in range(20)]
    for room in rooms:
        room.sock.sendall(say("hi"))
        room.answer()
    assert [t.name for t in threading.enumerate()].count("pyrochat-callbacks") == 1
    assert callbacks_module.CallbackServer.of_this_process() is rooms[0].server


# -- it goes on, whatever happens -------------------------------------------------------------------------------------


class SharedRoomEnd(RoomEnd):
    """A room's end whose callback is served by *server*."""

    def __init__(self, server: CallbackServer) -> None:
        self.sock, theirs = socket.socketpair()
        self.sock.settimeout(10)
        self.callback = Echo()
        self.reasons = []
        self.lost = threading.Event()
        self.server = server
        self.served = Served(theirs, self.callback, "callback", 60, self._lost)
        self.server.serve(self.served)

    def is_answered(self) -> bool:
        self.sock.sendall(say("olá"))
        return bool(msgpack.unpackb(self.answer().data) == "olá")


@pytest.mark.parametrize("error", [KeyError("a defect"), SystemExit(1)], ids=["KeyError", "SystemExit"])
@pytest.mark.parametrize("where", ["_serve_some", "_end_round", "_watch", "_sweep", "_sound_alarms", "_idle_seconds"])
def test_found_10_whatever_the_callbacks_thread_stumbles_over_it_serves_on(
    where: str, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    kind = stumbling(CallbackServer, where, times=2, error=error)
    server = kind()
    ends = [SharedRoomEnd(server) for _ in range(2)]
    eventually(lambda: server._orders or kind.stumbles == 2)  # type: ignore[attr-defined]
    last = SharedRoomEnd(server)  # the first ones may have been what it stumbled over
    assert last.is_answered()
    eventually(lambda: kind.stumbles == 2)  # type: ignore[attr-defined]
    assert last.is_answered()
    assert any(record.exc_info for record in caplog.records)
    for end in [*ends, last]:
        end.sock.close()


@pytest.mark.parametrize("error", [KeyError("a defect"), SystemExit(1)], ids=["KeyError", "SystemExit"])
def test_found_10_what_the_callbacks_thread_calls_may_raise_anything(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """At the end of each round, at alarms, and when a connection is lost; the answers go out all the same."""

    def fail(*_: object) -> None:
        raise error

    server = CallbackServer()
    server.round_ended = fail
    server.call_later(0.0, fail)
    lost, end = SharedRoomEnd(server), SharedRoomEnd(server)
    lost.served.lost = fail
    lost.sock.close()
    assert end.is_answered()
    assert end.is_answered()
    eventually(lambda: lost.served.ended)
    assert any(record.exc_info for record in caplog.records)
    server.round_ended = None  # its thread goes on, and other tests look at what is logged
    end.sock.close()
