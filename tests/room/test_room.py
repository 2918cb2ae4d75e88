"""A room in this process: posts, joins, sessions, and what it does when its log can't be written."""

from __future__ import annotations

import hmac
import logging
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from pyrochat import (
    InvalidArgument,
    KeyConflict,
    LogLost,
    LogUnavailable,
    LogUncertain,
    OtherLog,
    Timing,
    UnknownMessage,
)
from pyrochat.core.commands import Declare
from pyrochat.core.integrity import Resumption
from pyrochat.core.log import NO_OWNERS, MemberRecord
from pyrochat.core.memory_log import MemoryLog
from pyrochat.room.delivery.audience import Outlet
from pyrochat.room.delivery.multicast import Multicaster
from pyrochat.room.door.identity import Identity
from pyrochat.room.integrity import Integrity
from pyrochat.room.room import Room
from pyrochat.trust.keys import Key
from pyrochat.trust.seals import checked_seal, make_seal
from pyrochat.values.errors import NotAMember, RoomClosing, UnknownSession
from pyrochat.values.message import Message, messages_from_wire
from tests.support import QUICK_PACE, Running, eventually, together

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

    def append(
        self, messages: Sequence[Message], members: Sequence[MemberRecord] = (), owners: Mapping[int, str] = NO_OWNERS,
        **beside: Any,
    ) -> None:  # fmt: skip
        self.appends += 1
        assert self.gate.wait(20)
        if self.full:
            raise LogUnavailable("no space left on device")
        super().append(messages, members, owners, **beside)


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
    eventually(lambda: room._order._waiting.qsize() == 50)
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
    bad = Running(lambda: room.post("Ana", ["one", "other"], ["k", "k"]).wait())
    eventually(lambda: room._order._waiting.qsize() == 2)
    log.gate.set()
    with pytest.raises(KeyConflict):
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


def test_found_15_a_defect_after_the_commit_leaves_unknown_what_is_stored(
    open_room: OpenRoom, log: GatedLog, caplog: pytest.LogCaptureFixture
) -> None:
    room = open_room(log)
    stored: list[Message] = []

    def stumble(deleted: Sequence[Message] = ()) -> None:
        if not stored:
            stored.extend(log.read(0, 1))
            raise ZeroDivisionError

    room.search.grew = stumble  # type: ignore[method-assign]
    with caplog.at_level(logging.CRITICAL), pytest.raises(LogUncertain, match="the same key"):
        room.post("Erick", ["hi"], ["k"]).wait()
    assert room.post("erick", ["hi"], ["k"]).wait() == stored
    assert in_the_log(log) == ["hi"]


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
    assert room.join(ana, Resumption(session_id, log.identity, 1, log.digest(1))) == (session_id, 1)
    with pytest.raises(OtherLog, match="another log now"):
        room.join(ana, Resumption(session_id, "not this one", 1))
    with pytest.raises(LogLost, match="Ana has message 2"):
        room.join(ana, Resumption(session_id, log.identity, 2))
    assert in_the_log(log) == ["Ana joined"]
    assert log.loss is None


def test_found_8_only_the_servers_own_seal_on_this_log_proves_a_loss(
    open_room: OpenRoom, log: GatedLog, identity: MakeIdentity
) -> None:
    """A client that shows the seal on a message which the log does not have stops the room; nobody else can."""
    key, digest = Key.made(), bytes(32)
    room = open_room(log, key=key)
    ana = identity(room, "Ana")
    session_id, _ = room.join(ana, None)
    good = make_seal(key, log.identity, 9, digest)
    for id, proves_nothing in (
        (9, make_seal(Key.made(), log.identity, 9, digest)), (9, make_seal(key, "an earlier log", 9, digest)), (8, good),
        (9, hmac.new(bytes(32), b"9:" + digest, "sha256").hexdigest()), (9, good[:-1]), (9, "ff" + good[2:]), (9, ""),
        (9, "é" * 192), (9, " " * 192), (1, make_seal(key, log.identity, 1, log.digest(1))),
    ):  # fmt: skip
        with pytest.raises(LogLost, match="ask the room's operator"):
            room.join(ana, Resumption(session_id, log.identity, 9, digest, (id, proves_nothing)))
    room.post("Ana", ["still taken"], [None]).wait()
    with pytest.raises(LogLost, match="takes none until its operator has decided"):
        room.join(ana, Resumption(session_id, log.identity, 9, digest, (9, good)))
    with pytest.raises(LogLost):
        room.post("Ana", ["not taken"], [None]).wait()


def test_a_seal_on_another_message_than_the_log_has_proves_a_loss(
    open_room: OpenRoom, log: GatedLog, identity: MakeIdentity
) -> None:
    key = Key.made()
    room = open_room(log, key=key)
    ana = identity(room, "Ana")
    session_id, _ = room.join(ana, None)
    proof = (1, make_seal(key, log.identity, 1, bytes(32)))
    with pytest.raises(LogLost, match="takes none until its operator has decided"):
        room.join(ana, Resumption(session_id, log.identity, 1, bytes(32), proof))


def test_found_8_a_room_signs_once_in_two_seconds_and_what_it_signed_holds(open_room: OpenRoom, log: GatedLog) -> None:
    key = Key.made()
    room = open_room(log, key=key)
    assert room.seal(newest=True) == (0, "")
    room.post("Ana", ["one"], [None]).wait()
    id, text = room.seal(newest=True)
    assert checked_seal(text, key.public, log.identity, id) == (log.identity, 1, log.digest(1), text)
    room.post("Ana", ["two"], [None]).wait()
    integrity = Integrity(log, key)
    first = integrity.seal(False, 100.0)
    assert first[0] == 2
    room.post("Ana", ["three"], [None]).wait()
    assert integrity.seal(False, 101.9) == first
    assert integrity.seal(False, 102.0)[0] == 3


def test_found_8_what_differs_in_an_earlier_log_is_settled(
    open_room: OpenRoom, log: GatedLog, identity: MakeIdentity
) -> None:
    """A replica from before an accepted loss is told that this is another log: it neither waits nor stops the room."""
    key = Key.made()
    room = open_room(log, key=key)
    ana = identity(room, "Ana")
    session_id, _ = room.join(ana, None)
    log.forks = {"earlier": 1}
    proof = (1, make_seal(key, "earlier", 1, bytes(32)))
    for position, digest in ((1, bytes(32)), (2, bytes(32))):
        with pytest.raises(OtherLog):
            room.join(ana, Resumption(session_id, "earlier", position, digest, proof))
    assert room.join(ana, Resumption(session_id, "earlier", 1, log.digest(1), proof)) == (session_id, 1)
    log.forks = {"earlier": 9}
    with pytest.raises(LogLost, match="ask the room's operator"):
        room.join(ana, Resumption(session_id, "earlier", 9, bytes(32), (9, make_seal(key, "earlier", 9, bytes(32)))))
    room.post("Ana", ["still taken"], [None]).wait()


def test_a_resume_of_what_the_log_never_had_is_refused(
    open_room: OpenRoom, log: GatedLog, identity: MakeIdentity
) -> None:
    room = open_room(log)
    ana = identity(room, "Ana")
    session_id, _ = room.join(ana, None)
    with pytest.raises(LogLost, match="is not what the log has"):
        room.join(ana, Resumption(session_id, log.identity, 1, bytes(32)))


def test_a_resume_of_a_session_that_has_ended_is_a_join(
    open_room: OpenRoom, log: GatedLog, identity: MakeIdentity
) -> None:
    room = open_room(log)
    ana = identity(room, "Ana")
    session_id, _ = room.join(ana, None)
    room.leave("ana", session_id)
    again, tail = room.join(ana, Resumption(session_id, log.identity, 2))
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
    assert room.join(igor, Resumption(session_id, log.identity, 0))[0] != session_id
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
    assert log.members() == [MemberRecord("Ana", 2, 2, 1, 1)]
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
        assert room.noticed.wait(20)

    room._multicaster.before_admit = old_connection_ends  # type: ignore[attr-defined]
    room.attach(ana, session_id, tail, wire()[0])
    eventually(lambda: [s.connected for s in room.status().sessions] == [True], 3)
    assert room.members() == ["Ana"]


def test_a_clock_that_jumps_changes_no_order(open_room: OpenRoom, log: GatedLog) -> None:
    """Ids decide the order; a time is what the room's clock said, and may run back."""
    clock = [1_700_000_000_000_000, 1_700_000_000_000_000 - 3_600_000_000]
    room = open_room(log, now_us=lambda: clock[log.tail and 1])
    [first] = room.post("Erick", ["before"], [None]).wait()
    [second] = room.post("Erick", ["after the clock was set back an hour"], [None]).wait()
    assert second.id == first.id + 1
    assert second.time_us < first.time_us
    assert room.history(0, 10) == [first, second]


@pytest.mark.parametrize(("clock", "year"), [(-(10**15), 1970), (10**18, 9000)])
def test_found_14_a_wrong_clock_closes_no_room(open_room: OpenRoom, log: GatedLog, clock: int, year: int) -> None:
    room = open_room(log, now_us=lambda: clock)
    [message] = room.post("Erick", ["hi"], [None]).wait()
    assert message.time.year == year
    assert messages_from_wire([message.to_wire()]) == [message]


def test_a_session_that_is_being_opened_while_the_clock_is_looked_at_counts_as_without_a_connection(
    open_room: OpenRoom, log: GatedLog, identity: MakeIdentity
) -> None:
    """It ends with the grace, where its client never connects."""
    room = open_room(log)
    log.gate.clear()
    opening = Running(lambda: room.join(identity(room, "Ana"), None))
    eventually(lambda: log.appends == 1)
    room.tick(0.0)
    log.gate.set()
    opening.result()
    eventually(lambda: in_the_log(log) == ["Ana joined", "Ana left"])


def test_a_join_that_failed_leaves_nothing_to_do(open_room: OpenRoom, log: GatedLog, identity: MakeIdentity) -> None:
    room = open_room(log)
    log.full = True
    with pytest.raises(LogUnavailable):
        room.join(identity(room, "Ana"), None)
    log.full = False
    room.tick(0.0)
    assert room._suspicion.proposals(room._applier.state, 1e9, 0.0, str) == []
    assert in_the_log(log) == []


def test_a_read_mark_is_durable_when_it_is_told_also_beside_marks_that_can_wait(
    open_room: OpenRoom, log: GatedLog, identity: MakeIdentity
) -> None:
    timing = Timing(beat_seconds=30, silent_seconds=60, grace_seconds=60)
    room = open_room(log, pace=replace(QUICK_PACE, marks_interval=lambda members: 3600.0), timing=timing)
    room.join(identity(room, "Ana"), None)
    eventually(lambda: room.suspected() == ["Ana"])  # she never connects: nothing else is proposed from now on
    room.post("Erick", ["1", "2"], [None, None]).wait()
    log.gate.clear()
    before = log.appends
    first = Running(lambda: room.mark_read("ana", 2).wait())
    eventually(lambda: log.appends == before + 1)
    second = Running(lambda: room.mark_read("ana", 3).wait())
    eventually(lambda: room._order._waiting.qsize() == 1)
    log.gate.set()
    first.result()
    second.result()
    assert room.marks_of("ana") == (3, 3)
    assert log.members() == [MemberRecord("Ana", 3, 3, 1, 1)]


def test_found_16_marks_that_were_not_due_yet_are_written_at_a_clean_stop(
    open_room: OpenRoom, log: GatedLog, identity: MakeIdentity
) -> None:
    """Given marks that the next try, in a second, would have carried, when the room is closed, they are on disk."""
    room = open_room(log)
    room.join(identity(room, "Ana"), None)
    room.post("Erick", ["hi"], [None]).wait()
    log.full, tries = True, log.appends
    with pytest.raises(LogUnavailable):
        room.mark_read("ana", 1).wait()
    assert log.appends > tries
    log.full = False
    room.close()
    assert room.marks_of("ana") == (0, 0)
    room._applier.heard({"ana": (2, 1)})  # the answer to the last delivery comes when nothing is committed any more
    room.close_log()
    assert log.members() == [MemberRecord("Ana", 2, 1, 1, 1)]


def test_found_16_a_room_that_has_lost_messages_writes_no_marks_at_its_end(
    open_room: OpenRoom, log: GatedLog, identity: MakeIdentity
) -> None:
    room = open_room(log)
    room.join(identity(room, "Ana"), None)
    room._order.submit(Declare("somebody saw more")).wait()
    room._applier.heard({"ana": (1, 1)})
    room.close()
    room.close_log()
    assert log.members() == [MemberRecord("Ana", 0, 0, 1, 1)]
