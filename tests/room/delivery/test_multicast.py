"""The multicast: what a session gets, when it is lost, and that nobody can hold up another."""

from __future__ import annotations

import contextlib
import itertools
import marshal
import select
import socket
import threading
from collections.abc import Callable, Iterator

import msgpack
import pytest
from Pyro5 import errors as pyro_errors
from Pyro5 import protocol
from Pyro5.serializers import MarshalSerializer
from Pyro5.socketutil import SocketConnection

from pyrochat import Timing
from pyrochat.core.cursors import BLOCK_MESSAGES, WINDOW_BYTES
from pyrochat.core.marks import Mark
from pyrochat.core.memory_log import MemoryLog
from pyrochat.core.pace import Pace
from pyrochat.pyro.budget import MemoryBudget
from pyrochat.pyro.frames import HEADER_BYTES
from pyrochat.pyro.link import Link
from pyrochat.pyro.serializers import MSGPACK
from pyrochat.pyro.wire import WireMark
from pyrochat.room.delivery.audience import Outlet
from pyrochat.room.delivery.multicast import Multicaster
from pyrochat.room.door.identity import Identity
from pyrochat.room.room import Room
from pyrochat.trust.keys import Key
from pyrochat.trust.seals import checked_seal
from pyrochat.values.protocol import CALLBACK_OBJECT, TAKES_ONEWAY
from tests.support import Running, chat_message, eventually

PATIENT = Timing(beat_seconds=30, silent_seconds=60, grace_seconds=60)
HASTY = Timing(beat_seconds=0.1, silent_seconds=0.4, grace_seconds=0.3)


class Member:
    """A client's end of a turned-around connection, served by hand."""

    def __init__(self, room: Room, identity: Identity, position: int | None = None, oneway: bool = False) -> None:
        self.oneway = oneway
        self.sock, ours = socket.socketpair()
        self.sock.settimeout(10)
        self._connection = SocketConnection(self.sock)
        self.session_id, tail = room.join(identity, None)
        room.attach(identity, self.session_id, tail if position is None else position, ours)

    def request(self) -> tuple[str, list[object]]:
        """The next request that is no seal, which may come at any time: ``(method, arguments)``."""
        while (request := self.any_request())[0] == "seal":
            self.answer(None)
        return request

    def any_request(self) -> tuple[str, list[object]]:
        """The next request: ``(method, arguments)``."""
        frame = protocol.recv_stub(self._connection, [protocol.MSG_INVOKE])
        self.request_bytes = HEADER_BYTES + len(frame.data)
        object_id, method, arguments, _ = msgpack.unpackb(frame.data)
        assert object_id == CALLBACK_OBJECT
        return method, arguments

    def answer(self, value: object, flags: int = 0) -> None:
        data = msgpack.packb(value)
        self.sock.sendall(protocol.SendingMessage(protocol.MSG_RESULT, flags, 0, MSGPACK, data).data)

    def welcomed(self) -> Member:
        assert self.request() == ("welcome", [self.session_id])
        self.answer(TAKES_ONEWAY if self.oneway else None)
        return self

    def delivered(self) -> list[int]:
        """The ids of the next delivery that has messages; answers it, and what comes before it."""
        while True:
            method, (messages, _) = self.request()
            assert method in ("deliver", "deliver_oneway")
            ids = [message[0] for message in messages]  # type: ignore[index,attr-defined]
            if method == "deliver":
                self.answer([ids[-1] if ids else 0, 0])
            if ids:
                return ids

    def is_cut_off(self) -> bool:
        try:
            while self.sock.recv(65_536):
                pass
        except ConnectionResetError:
            return True
        return True


@pytest.fixture
def member(identity: Callable[[Room, str], Identity]) -> Iterator[Callable[..., Member]]:
    members: list[Member] = []

    def make(room: Room, name: str, position: int | None = None, oneway: bool = False) -> Member:
        members.append(Member(room, identity(room, name), position, oneway))
        return members[-1]

    yield make
    for each in members:
        each.sock.close()


def test_a_session_begins_where_its_replica_ends(open_room: Callable[..., Room], member: Callable[..., Member]) -> None:
    log = MemoryLog("lobby")
    log.append([chat_message(id) for id in range(1, 11)])
    room = open_room(log, timing=PATIENT)
    assert member(room, "Ana", 7).welcomed().delivered() == [8, 9, 10, 11]
    assert member(room, "Igor", 0).welcomed().delivered()[:10] == list(range(1, 11))


def test_what_comes_while_a_delivery_is_outstanding_is_the_next_one(
    open_room: Callable[..., Room], member: Callable[..., Member]
) -> None:
    room = open_room(MemoryLog("lobby"), timing=PATIENT)
    ana = member(room, "Ana").welcomed()
    room.post("Erick", ["first"], [None]).wait()
    method, (messages, _) = ana.request()
    assert (method, len(messages)) == ("deliver", 1)  # type: ignore[arg-type]
    for number in range(50):
        room.post("Erick", [str(number)], [None]).wait()
    ana.answer([2, 0])
    assert ana.delivered() == list(range(3, 53))


def test_small_deliveries_follow_one_that_waits_for_its_answer(
    open_room: Callable[..., Room], member: Callable[..., Member]
) -> None:
    """A member that takes them: the order stays, and so little goes out that any socket's buffer holds it."""
    room = open_room(MemoryLog("lobby"), timing=PATIENT)
    ana, watcher = member(room, "Ana", oneway=True).welcomed(), member(room, "Watcher").welcomed()
    assert ana.delivered() == [2]
    room.post("Erick", ["asks"], [None]).wait()
    method, (messages, _) = ana.request()
    seen: list[int] = [messages[0][0]]  # type: ignore[index]
    while method != "deliver":  # one that came right after the last one that asked
        method, (messages, _) = ana.request()
        seen += [message[0] for message in messages]  # type: ignore[attr-defined]
    last = 0
    for number in range(100):
        last = room.post("Erick", [f"{number} ".ljust(100, "x")], [None]).wait()[-1].id
        while watcher.delivered()[-1] < last:
            pass
    unasked = 0
    while select.select([ana.sock], [], [], 0)[0]:
        method, (messages, _) = ana.request()
        assert method == "deliver_oneway"
        seen += [message[0] for message in messages]  # type: ignore[attr-defined]
        unasked += ana.request_bytes
    assert WINDOW_BYTES / 2 < unasked < WINDOW_BYTES
    ana.answer([seen[-1], 0])
    while seen[-1] < last:
        seen += ana.delivered()
    assert seen == list(range(seen[0], last + 1))


def test_what_would_be_too_much_in_flight_waits_for_the_answer(
    open_room: Callable[..., Room], member: Callable[..., Member]
) -> None:
    room = open_room(MemoryLog("lobby"), timing=PATIENT)
    ana, watcher = member(room, "Ana", oneway=True).welcomed(), member(room, "Watcher").welcomed()
    assert ana.request()[0] == "deliver"
    for text in ("x" * (WINDOW_BYTES // 2), "y" * (WINDOW_BYTES // 2)):
        last = room.post("Erick", [text], [None]).wait()[-1].id
        while watcher.delivered()[-1] < last:
            pass
    assert ana.delivered() == [3]
    assert not select.select([ana.sock], [], [], 0)[0]
    ana.answer([2, 0])
    assert ana.delivered() == [4]


def test_what_follows_a_blocks_end_does_not_wait_for_an_answer(
    open_room: Callable[..., Room], member: Callable[..., Member]
) -> None:
    log = MemoryLog("lobby")
    log.append([chat_message(id) for id in range(1, BLOCK_MESSAGES - 1)])
    room = open_room(log, timing=PATIENT)
    ana = member(room, "Ana", oneway=True).welcomed()
    room.post("Erick", ["the last of its block", "the first of the next"], [None] * 2).wait()
    assert ana.request()[0] == "deliver"  # not answered
    assert ana.delivered() == [BLOCK_MESSAGES + 1]


def test_who_is_told_something_else_meanwhile_confirms_all_the_same(
    open_room: Callable[..., Room], member: Callable[..., Member]
) -> None:
    """The answer to a notice confirms no delivery, and nothing else may come that asks."""
    room = open_room(MemoryLog("lobby"), timing=PATIENT, pace=Pace(marks_interval=lambda members: 1.0))
    ana = member(room, "Ana", oneway=True).welcomed()
    room.post("Erick", ["asks"], [None]).wait()
    assert ana.delivered() == [2]
    while (request := ana.request())[0] != "deliver" or not request[1][1]:
        assert request[0] == "deliver"
        ana.answer([2, 0])
    ana.answer([2, 0])  # her marks have come back to her: no other marks are under way
    last = room.post("Erick", ["does not"], [None]).wait()[-1].id
    assert ana.request()[0] == "deliver_oneway"
    room._multicaster.tell(room, "by the way")
    while ana.request()[0] != "deliver":
        ana.answer(None)
    ana.answer([last, 0])
    eventually(lambda: room.marks_of("ana")[0] == last)


def test_what_was_not_asked_for_is_confirmed_soon_after(
    open_room: Callable[..., Room], member: Callable[..., Member]
) -> None:
    room = open_room(MemoryLog("lobby"), timing=PATIENT)
    ana = member(room, "Ana", oneway=True).welcomed()
    last = 0
    for _ in range(20):
        last = room.post("Erick", ["quick"], [None]).wait()[-1].id
    methods, seen = [], 1
    while not (methods and methods[-1] == "deliver" and seen == last):
        method, (messages, _) = ana.request()
        methods.append(method)
        seen = messages[-1][0] if messages else seen  # type: ignore[index]
        if method == "deliver":
            ana.answer([seen, 0])
    eventually(lambda: room.marks_of("ana") == (last, 0))


def test_who_stops_answering_is_lost_while_small_deliveries_go_on(
    open_room: Callable[..., Room], member: Callable[..., Member]
) -> None:
    room = open_room(MemoryLog("lobby"), timing=HASTY)
    silent, watcher = member(room, "Silent", oneway=True).welcomed(), member(room, "Watcher")
    answering = Running(lambda: _answer_until_closed(watcher.welcomed()))

    pause = threading.Event()

    def posted_and_left() -> bool:
        pause.wait(HASTY.beat_seconds * 2)  # seldom: the window would fill, and then nothing goes out anyway
        room.post("Erick", ["on"], [None]).wait()
        return room.members() == ["Watcher"]

    eventually(posted_and_left)
    received = 0
    with contextlib.suppress(OSError, pyro_errors.ConnectionClosedError):
        while silent.request():
            received += silent.request_bytes
    assert received < WINDOW_BYTES / 2
    watcher.sock.shutdown(socket.SHUT_RDWR)
    answering.result()


def _answer_until_closed(member: Member) -> None:
    with contextlib.suppress(OSError, pyro_errors.PyroError):
        while True:
            method, _ = member.request()
            member.answer([0, 0] if method == "deliver" else None)


def test_who_is_told_goodbye_has_confirmed_everything(
    open_room: Callable[..., Room], member: Callable[..., Member]
) -> None:
    room = open_room(MemoryLog("lobby"), timing=PATIENT)
    ana = member(room, "Ana", oneway=True).welcomed()
    last = [room.post("Erick", ["quick"], [None]).wait()[-1].id for _ in range(5)][-1]
    ending = Running(lambda: room._multicaster.close("over", 5.0))
    confirmed = seen = 0
    while (request := ana.request())[0] != "closing":
        method, (messages, *_) = request
        if method.startswith("deliver"):
            seen = messages[-1][0] if messages else seen  # type: ignore[index]
        if method == "deliver":
            confirmed = seen
        if method != "deliver_oneway":
            ana.answer([seen, 0] if method == "deliver" else None)
    assert confirmed == seen == last
    ana.sock.close()
    ending.result()


def test_who_does_not_answer_gets_nothing_more_and_holds_up_nobody(
    open_room: Callable[..., Room], member: Callable[..., Member]
) -> None:
    room = open_room(MemoryLog("lobby"), timing=PATIENT)
    stopped, ana = member(room, "Stopped").welcomed(), member(room, "Ana").welcomed()
    seen: list[int] = []
    for _ in range(40):
        last = room.post("Erick", ["x" * 16_000] * 50, [None] * 50).wait()[-1].id
        while not seen or seen[-1] < last:
            seen += ana.delivered()
    assert seen == list(range(3, last + 1))
    assert room.members() == ["Stopped", "Ana"]
    assert stopped.request()[0] == "deliver"


def test_who_is_silent_for_too_long_is_lost_and_leaves_after_the_grace(
    open_room: Callable[..., Room], member: Callable[..., Member]
) -> None:
    room = open_room(MemoryLog("lobby"), timing=HASTY)
    silent = member(room, "Silent").welcomed()
    eventually(lambda: room.members() == [])
    assert silent.is_cut_off()


def test_an_idle_session_gets_a_beat(open_room: Callable[..., Room], member: Callable[..., Member]) -> None:
    room = open_room(MemoryLog("lobby"), timing=HASTY)
    ana = member(room, "Ana").welcomed()
    beats = 0
    while beats < 3:
        assert ana.request()[0] == "deliver"
        beats += 1
        ana.answer([1, 0])
    assert room.members() == ["Ana"]


def test_a_session_gets_the_seal_of_what_it_has(open_room: Callable[..., Room], member: Callable[..., Member]) -> None:
    log, key = MemoryLog("lobby"), Key.made()
    room = open_room(log, timing=HASTY, key=key)
    ana = member(room, "Ana").welcomed()
    while (request := ana.any_request())[0] != "seal":
        ana.answer([1, 0])
    [id, text] = request[1]
    assert id == 1
    seal = checked_seal(text, key.public, log.identity, 1)
    assert seal is not None
    assert seal.digest == log.digest(1)


LONG = protocol.SendingMessage(protocol.MSG_RESULT, 0, 0, MSGPACK, b"x" * 5000).data
INVOKE = protocol.SendingMessage(protocol.MSG_INVOKE, 0, 0, MSGPACK, b"\xc0").data
EXCEPTION = protocol.SendingMessage(protocol.MSG_RESULT, protocol.FLAGS_EXCEPTION, 0, MSGPACK, b"\xc0").data
MARSHAL = protocol.SendingMessage(
    protocol.MSG_RESULT, 0, 0, MarshalSerializer.serializer_id, marshal.dumps([0, 0])
).data
TWO = 2 * protocol.SendingMessage(protocol.MSG_RESULT, 0, 0, MSGPACK, b"\xc0").data


@pytest.mark.parametrize(
    "answer", [b"GET / HTTP/1.1\r\n" * 4, LONG, INVOKE, EXCEPTION, MARSHAL, TWO],
    ids=["garbage", "too long", "a request", "an exception", "marshal", "two"],
)  # fmt: skip
def test_who_answers_what_no_client_does_is_cut_off(
    open_room: Callable[..., Room], member: Callable[..., Member], answer: bytes
) -> None:
    room = open_room(MemoryLog("lobby"), timing=Timing(30, 60, 0.2))
    hostile, ana = member(room, "Hostile").welcomed(), member(room, "Ana").welcomed()
    room.post("Erick", ["hi"], [None]).wait()
    hostile.request()
    hostile.sock.sendall(answer)
    assert hostile.is_cut_off()
    assert 3 in ana.delivered()
    eventually(lambda: room.members() == ["Ana"])


@pytest.mark.parametrize("claim", [[99, 99], [True, False], "nonsense", None, [1], [2, -5], [{}, []]])
def test_an_answer_that_lies_or_makes_no_sense_is_believed_up_to_what_was_sent(
    open_room: Callable[..., Room], member: Callable[..., Member], claim: object
) -> None:
    room = open_room(MemoryLog("lobby"), timing=PATIENT)
    ana = member(room, "Ana").welcomed()
    room.post("Erick", ["hi"], [None]).wait()
    ana.request()
    ana.answer(claim)
    room.post("Erick", ["ho"], [None]).wait()
    assert ana.delivered() == [3]
    eventually(lambda: room.marks_of("ana")[0] == 3)
    assert room.marks_of("ana")[1] <= 2


def test_an_answer_to_nothing_ends_the_connection(
    open_room: Callable[..., Room], member: Callable[..., Member]
) -> None:
    room = open_room(MemoryLog("lobby"), timing=PATIENT)
    ana = member(room, "Ana")
    assert ana.request()[0] == "welcome"
    ana.answer(None)
    ana.answer([0, 0])
    assert ana.is_cut_off()


def test_a_multicaster_that_has_ended_keeps_no_connection_open(
    open_room: Callable[..., Room],
) -> None:
    """A client may come back while the server is being stopped: it has to notice that nobody is there."""
    room = open_room(MemoryLog("lobby"), timing=PATIENT)
    cast = Multicaster()
    cast.open(room)
    cast.close("over", 0.0)
    client, ours = socket.socketpair()
    with client:
        client.settimeout(2)
        cast.admit(Outlet(room, "late", "ana", Link(ours, CALLBACK_OBJECT, MSGPACK), 0, True))
        assert client.recv(1) == b""


class Sparing(Multicaster):
    """Keeps 2 MiB at the most of what sessions don't take."""

    def __init__(self, pace: Pace) -> None:
        self.budget = MemoryBudget(2 * 1024 * 1024, "deliveries")
        super().__init__(self.budget, pace)


def test_found_3_deliveries_that_nobody_takes_have_a_budget(
    open_room: Callable[..., Room], member: Callable[..., Member]
) -> None:
    """Each begins at another place, so nobody shares anything; who reads gets all."""
    log = MemoryLog("lobby")
    log.append([chat_message(id, "x" * 16_000) for id in range(1, 101)])
    room = open_room(log, timing=PATIENT, multicaster=Sparing)
    budget = room._multicaster.budget  # type: ignore[attr-defined]
    deaf = [member(room, f"deaf{position}", position).welcomed() for position in range(10)]
    eventually(lambda: room.suspected())
    reader = member(room, "reader", 0).welcomed()
    seen: list[int] = []
    while len(seen) < 111:  # and the joins
        seen += reader.delivered()
    assert seen == list(range(1, 112))
    assert budget.total <= budget.most_bytes
    eventually(lambda: len(room.suspected()) >= 5)
    assert "reader" not in room.suspected()
    assert all(each.is_cut_off() for each in deaf if f"deaf{deaf.index(each)}" in room.suspected())


class FailingRoom(Room):
    """Has a defect where it is told to: what it raises there, so many times."""

    failing = ""
    left = 0
    error: BaseException = KeyError("a defect")

    def _stumble(self, where: str) -> None:
        if self.failing == where and self.left:
            self.left -= 1
            raise self.error

    def end(self) -> int:
        self._stumble("end")
        return super().end()

    def after(self, position: int) -> list[bytes] | None:
        self._stumble("after")
        return super().after(position)

    def marks_since(self, version: int, limit: int) -> tuple[list[WireMark], int]:
        self._stumble("marks_since")
        return super().marks_since(version, limit)

    def marks_version(self) -> int:
        self._stumble("marks_version")
        return super().marks_version()

    def admitted(self, outlet: Outlet) -> bool:
        self._stumble("admitted")
        return super().admitted(outlet)

    def confirmed(self, outlet: Outlet, mark: Mark) -> None:
        self._stumble("confirmed")
        super().confirmed(outlet, mark)

    def seal(self, newest: bool) -> tuple[int, str]:
        self._stumble("seal")
        return super().seal(newest)

    def lost(self, outlet: Outlet, reason: str) -> None:
        self._stumble("lost")
        super().lost(outlet, reason)

    def tick(self, now: float) -> None:
        self._stumble("tick")
        super().tick(now)


@pytest.mark.parametrize("error", [KeyError("a defect"), SystemExit(1)], ids=["KeyError", "SystemExit"])
@pytest.mark.parametrize(
    "where", ["end", "after", "marks_since", "marks_version", "admitted", "confirmed", "seal", "lost", "tick"]
)
def test_found_10_what_the_multicaster_stumbles_over_in_one_room_costs_no_other(
    open_room: Callable[..., Room], member: Callable[..., Member], where: str, error: BaseException,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """And goes on in that room, when the defect is over: whoever was cut off comes back."""
    failing = open_room(MemoryLog("lobby"), kind=FailingRoom, timing=HASTY)
    assert isinstance(failing, FailingRoom)
    other = open_room(MemoryLog("kitchen"), timing=PATIENT, multicaster=lambda pace: failing._multicaster)  # type: ignore[arg-type]
    ana, igor = member(failing, "Ana").welcomed(), member(other, "Igor").welcomed()
    failing.error, failing.failing, failing.left = error, where, 2
    if where == "lost":
        ana.sock.close()
    for number in range(20):
        failing.post("Erick", [str(number)], [None]).wait()
        other.post("Erick", [str(number)], [None]).wait()
        assert igor.delivered()
    names = itertools.count()

    def is_well() -> bool:
        again = member(failing, f"again{next(names)}", 0)
        again.sock.settimeout(2)
        try:
            seen = again.welcomed().delivered()
            while seen[-1] < 20:
                seen = again.delivered()
        except (OSError, pyro_errors.CommunicationError):
            return False
        return not failing.left

    eventually(is_well, 20)
    assert any(record.exc_info for record in caplog.records)
