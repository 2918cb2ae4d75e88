"""A room in this process: posts, joins, sessions, and what it does when its log can't be written."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from pyrochat import InvalidArgument, LogLost, LogUnavailable, OtherLog, Timing, UnknownMessage
from pyrochat.core.digests import seal
from pyrochat.core.log import MemberRecord
from pyrochat.core.memory_log import MemoryLog
from pyrochat.room.audience import Outlet
from pyrochat.room.identity import Identity, Resume
from pyrochat.room.multicast import Multicaster
from pyrochat.room.room import Room
from pyrochat.values.errors import NotAMember, RoomClosing, UnknownSession
from pyrochat.values.message import Message
from tests.support import Running, eventually, together

OpenRoom = Callable[..., Room]
MakeIdentity = Callable[[Room, str], Identity]
PATIENT = Timing(beat_seconds=30, silent_seconds=60, grace_seconds=0.3)


class GatedLog(MemoryLog):
    """A log whose appends wait for `gate`, and fail while `full` is set."""

    def __init__(self) -> None:
        super().__init__("lobby")
        self.gate = threading.Event()
        self.gate.set()
        self.appends = 0
        self.full = False

    def append(self, messages: list[Message], members: list[MemberRecord] = ()) -> None:  # type: ignore[override]
        self.appends += 1
        assert self.gate.wait(10)
        if self.full:
            raise LogUnavailable("no space left on device")
        super().append(messages, members)


@pytest.fixture
def log() -> GatedLog:
    return GatedLog()


@pytest.fixture
def wire() -> Iterator[Callable[[], tuple[socket.socket, socket.socket]]]:
    """Makes connected pairs of sockets; all closed at the end."""
    made: list[socket.socket] = []

    def pair() -> tuple[socket.socket, socket.socket]:
        made.extend(socket.socketpair())
        return made[-2], made[-1]

    yield pair
    for sock in made:
        sock.close()


def in_the_log(log: MemoryLog) -> list[str]:
    return [message.text for message in log.read(0, 1000)]


def test_concurrent_posts_share_commits(open_room: OpenRoom, log: GatedLog) -> None:
    room = open_room(log)
    log.gate.clear()
    first = Running(lambda: room.post("Erick", ["first"], [None]).wait())
    eventually(lambda: log.appends == 1)
    rest = [Running(lambda number=number: room.post("Erick", [str(number)], [None]).wait()) for number in range(50)]
    eventually(lambda: room._writer._requests.qsize() == 50)
    log.gate.set()
    messages = [each.result()[0] for each in [first, *rest]]  # type: ignore[index]
    assert sorted(message.id for message in messages) == list(range(1, 52))
    assert log.appends == 2


def test_who_is_refused_does_not_take_those_that_share_the_commit_with_him(open_room: OpenRoom, log: GatedLog) -> None:
    room = open_room(log)
    log.gate.clear()
    first = Running(lambda: room.post("Erick", ["first"], [None]).wait())
    eventually(lambda: log.appends == 1)
    good = Running(lambda: room.post("Ana", ["good"], [None]).wait())
    bad = Running(lambda: room.mark_read("igor", 1).wait())
    eventually(lambda: room._writer._requests.qsize() == 2)
    log.gate.set()
    with pytest.raises(NotAMember):
        bad.result()
    first.result()
    good.result()
    assert in_the_log(log) == ["first", "good"]


def test_one_posts_texts_are_consecutive_whoever_else_posts(open_room: OpenRoom, log: GatedLog) -> None:
    room = open_room(log)
    results = together([lambda n=n: room.post(f"m{n}", ["a", "b", "c"], [None] * 3).wait() for n in range(20)])
    for messages in results:
        first = messages[0].id  # type: ignore[index]
        assert [m.id for m in messages] == [first, first + 1, first + 2]  # type: ignore[attr-defined]


def test_a_post_that_could_not_be_written_is_nowhere_and_the_room_goes_on(open_room: OpenRoom, log: GatedLog) -> None:
    room = open_room(log)
    log.full = True
    with pytest.raises(LogUnavailable):
        room.post("Erick", ["lost"], ["k"]).wait()
    log.full = False
    assert room.post("Erick", ["kept"], ["k"]).wait()[0].id == 1
    assert in_the_log(log) == ["kept"]


def test_a_join_that_could_not_be_written_is_none(open_room: OpenRoom, log: GatedLog, identity: MakeIdentity) -> None:
    room = open_room(log)
    ana = identity(room, "Ana")
    log.full = True
    with pytest.raises(LogUnavailable):
        room.join(ana, None)
    log.full = False
    assert room.members() == []
    room.join(ana, None)
    assert room.members() == ["Ana"]
    assert in_the_log(log) == ["Ana joined"]


def test_a_left_that_could_not_be_written_follows_when_it_can(
    open_room: OpenRoom, log: GatedLog, identity: MakeIdentity
) -> None:
    room = open_room(log)
    ana = identity(room, "Ana")
    session_id, _ = room.join(ana, None)
    log.full = True
    with pytest.raises(LogUnavailable):
        room.leave("ana", session_id)
    assert room.members() == ["Ana"]
    log.full = False
    eventually(lambda: room.members() == [])
    assert in_the_log(log) == ["Ana joined", "Ana left"]


def test_a_session_without_a_connection_ends_with_the_grace(
    open_room: OpenRoom, log: GatedLog, identity: MakeIdentity
) -> None:
    room = open_room(log)
    session_id, tail = room.join(identity(room, "Ana"), None)
    assert tail == 1
    eventually(lambda: in_the_log(log) == ["Ana joined", "Ana left"])
    with pytest.raises(UnknownSession):
        room.check_session("ana", session_id)


def test_a_resume_from_another_log_or_a_longer_one_is_refused(
    open_room: OpenRoom, log: GatedLog, identity: MakeIdentity
) -> None:
    room = open_room(log)
    ana = identity(room, "Ana")
    session_id, _ = room.join(ana, None)
    assert room.join(ana, Resume(session_id, log.identity, 1, log.digest(1))) == (session_id, 1)
    with pytest.raises(OtherLog, match="another log now"):
        room.join(ana, Resume(session_id, "not this one", 1))
    with pytest.raises(LogLost, match="Ana has message 2"):
        room.join(ana, Resume(session_id, log.identity, 2))
    assert in_the_log(log) == ["Ana joined"]
    assert log.loss is None


def test_only_the_room_s_own_seal_proves_a_loss(open_room: OpenRoom, log: GatedLog, identity: MakeIdentity) -> None:
    """A client that shows the seal on a message which the log does not have stops the room; nobody else can."""
    room = open_room(log)
    ana = identity(room, "Ana")
    session_id, _ = room.join(ana, None)
    digest = bytes(32)
    for made_up in (seal(b"guessed", 9, digest), "", "00" * 32):
        with pytest.raises(LogLost, match="ask the room's operator"):
            room.join(ana, Resume(session_id, log.identity, 9, digest, (9, digest, made_up)))
    whole = log.digest(1)
    with pytest.raises(LogLost, match="ask the room's operator"):  # a seal on what is there proves nothing
        room.join(ana, Resume(session_id, log.identity, 9, digest, (1, whole, seal(log.seal_key, 1, whole))))
    room.post("Ana", ["still taken"], [None]).wait()
    with pytest.raises(LogLost, match="takes none until its operator has decided"):
        room.join(ana, Resume(session_id, log.identity, 9, digest, (9, digest, seal(log.seal_key, 9, digest))))
    with pytest.raises(LogLost):
        room.post("Ana", ["not taken"], [None]).wait()


def test_a_resume_of_what_the_log_never_had_is_refused(
    open_room: OpenRoom, log: GatedLog, identity: MakeIdentity
) -> None:
    room = open_room(log)
    ana = identity(room, "Ana")
    session_id, _ = room.join(ana, None)
    with pytest.raises(LogLost, match="is not what the log has"):
        room.join(ana, Resume(session_id, log.identity, 1, bytes(32)))


def test_a_resume_of_a_session_that_has_ended_is_a_join(
    open_room: OpenRoom, log: GatedLog, identity: MakeIdentity
) -> None:
    room = open_room(log)
    ana = identity(room, "Ana")
    session_id, _ = room.join(ana, None)
    room.leave("ana", session_id)
    again, tail = room.join(ana, Resume(session_id, log.identity, 2))
    assert again != session_id
    assert tail == 3
    assert in_the_log(log) == ["Ana joined", "Ana left", "Ana joined"]


@pytest.mark.parametrize(("said", "believed"), [((2, 1), (2, 1)), ((99, 99), (2, 2)), ((0, 0), (0, 0))])
def test_who_leaves_may_say_up_to_where_it_has_the_log(
    open_room: OpenRoom, log: GatedLog, identity: MakeIdentity, said: tuple[int, int], believed: tuple[int, int]
) -> None:
    room = open_room(log)
    session_id, _ = room.join(identity(room, "Ana"), None)
    room.post("Erick", ["hi"], [None]).wait()
    room.leave("ana", session_id, *said)
    assert room.marks_of("ana") == believed


def test_another_members_session_can_not_be_resumed_attached_or_left(
    open_room: OpenRoom, log: GatedLog, identity: MakeIdentity
) -> None:
    room = open_room(log)
    session_id, _ = room.join(identity(room, "Ana"), None)
    igor = identity(room, "Igor")
    assert room.join(igor, Resume(session_id, log.identity, 0))[0] != session_id
    with pytest.raises(UnknownSession):
        room.leave("igor", session_id)
    with pytest.raises(UnknownSession):
        room.check_session("igor", session_id)


def test_read_marks_are_durable_when_mark_read_returns(
    open_room: OpenRoom, log: GatedLog, identity: MakeIdentity
) -> None:
    room = open_room(log)
    room.join(identity(room, "Ana"), None)
    room.post("Erick", ["hi"], [None]).wait()
    room.mark_read("ana", 2).wait()
    assert log.members() == [MemberRecord("Ana", 2, 2)]
    assert room.confirmations(2).read_by == {"Ana"}
    with pytest.raises(UnknownMessage):
        room.mark_read("ana", 3).wait()
    with pytest.raises(NotAMember):
        room.mark_read("igor", 1).wait()


@pytest.mark.parametrize("id", [0, 2, -1])
def test_there_are_no_confirmations_of_a_message_that_is_not_there(open_room: OpenRoom, log: GatedLog, id: int) -> None:
    room = open_room(log)
    room.post("Erick", ["hi"], [None]).wait()
    with pytest.raises(UnknownMessage):
        room.confirmations(id)


def test_a_closed_room_says_so(open_room: OpenRoom, log: GatedLog) -> None:
    room = open_room(log)
    room.close()
    with pytest.raises(RoomClosing):
        room.post("Erick", ["hi"], [None]).wait()


def test_a_lying_position_does_not_keep_a_member_in_the_view(
    open_room: OpenRoom, log: GatedLog, identity: MakeIdentity, wire: Callable[[], tuple[socket.socket, socket.socket]]
) -> None:
    """A client that claims to have more than there is gets no connection, so its grace runs out."""
    room = open_room(log)
    ana = identity(room, "Ana")
    session_id, _ = room.join(ana, None)
    with pytest.raises(InvalidArgument):
        room.attach(ana, session_id, 99, wire()[0])
    eventually(lambda: room.members() == [], 4)


class WatchedRoom(Room):
    """Says when it has noticed that a connection was lost."""

    noticed: threading.Event

    def lost(self, outlet: Outlet, reason: str) -> None:
        super().lost(outlet, reason)
        self.noticed.set()


class LateMulticaster(Multicaster):
    """Hears of the end of the old connection just before it is told of the new one."""

    before_admit: Callable[[], object] = staticmethod(lambda: None)

    def admit(self, outlet: Outlet) -> None:
        self.before_admit()
        super().admit(outlet)


def test_the_end_of_a_connection_that_was_replaced_does_not_make_its_session_lost(
    open_room: OpenRoom, log: GatedLog, identity: MakeIdentity, wire: Callable[[], tuple[socket.socket, socket.socket]]
) -> None:
    """Given a client that comes back, when its old connection's end is seen at that moment, it stays."""
    room = open_room(log, WatchedRoom, LateMulticaster, PATIENT)
    assert isinstance(room, WatchedRoom)
    room.noticed = threading.Event()
    ana = identity(room, "Ana")
    session_id, tail = room.join(ana, None)
    ours, old = wire()
    room.attach(ana, session_id, tail, ours)
    assert old.recv(1)

    def old_connection_ends() -> None:
        old.close()
        assert room.noticed.wait(10)

    room._multicaster.before_admit = old_connection_ends  # type: ignore[attr-defined]
    room.attach(ana, session_id, tail, wire()[0])
    eventually(lambda: [s.connected for s in room.status().sessions] == [True], 3)
    assert room.members() == ["Ana"]


def test_a_clock_that_jumps_changes_no_order(
    open_room: OpenRoom, log: GatedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids decide the order; a time is what the room's clock said, and may run back."""
    room = open_room(log)
    [first] = room.post("Erick", ["before"], [None]).wait()
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() - 3_600 * 1_000_000_000)
    [second] = room.post("Erick", ["after the clock was set back an hour"], [None]).wait()
    assert second.id == first.id + 1
    assert second.time_us < first.time_us
    assert room.history(0, 10) == [first, second]
