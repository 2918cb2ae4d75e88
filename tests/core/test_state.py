"""The state of a room: what each call says to append, and what is left after a restart."""

from __future__ import annotations

import pytest

from pyrochat.core.log import MemberRecord
from pyrochat.core.memory_log import MemoryLog
from pyrochat.core.sequencer import Draft, Sequencer
from pyrochat.core.sessions import PRESENT, SUSPECTED, Session
from pyrochat.core.state import RoomState
from pyrochat.values.errors import NotAMember, UnknownMessage
from pyrochat.values.message import SYSTEM, Message
from pyrochat.values.rules import fold


class Driven:
    """A state with its log, driven as a room drives it: whatever is said to be appended is."""

    def __init__(self, log: MemoryLog | None = None, now: float = 0.0) -> None:
        self.log = log or MemoryLog("lobby")
        self.state = RoomState(self.log, now)

    def commit(self, drafts: list[Draft]) -> list[Message]:
        records = self.state.records_to_write(drafts, self.state.marks.unwritten)
        appended = Sequencer(self.log).sequence([drafts], records, 5).appended
        self.state.committed(appended, records)
        return appended

    def join(self, id: str, name: str) -> list[Message]:
        return self.commit(self.state.open_session(Session(id, fold(name), name))[1])

    def drop(self, *ids: str) -> list[Message]:
        return self.commit(self.state.drop_sessions(ids))

    def post(self, sender: str, text: str = "hi") -> Message:
        return self.commit([Draft(sender, text)])[0]


@pytest.fixture
def room() -> Driven:
    return Driven()


def test_a_member_joins_with_its_first_session_and_leaves_with_its_last(room: Driven) -> None:
    assert [m.text for m in room.join("1", "Ana")] == ["Ana joined"]
    assert room.join("2", "ANA") == []
    assert room.drop("1") == []
    assert [(m.text, m.kind) for m in room.drop("2")] == [("Ana left", SYSTEM)]
    assert room.state.views.present == []


def test_a_lost_session_comes_back_without_a_change(room: Driven) -> None:
    room.join("1", "Ana")
    room.state.lose_session("1", 3.0)
    assert room.state.sessions.state("ana") == SUSPECTED
    room.state.lose_session("1", 9.0)  # it was lost at 3 already
    assert [s.id for s in room.state.sessions.lost_before(4.0)] == ["1"]
    room.state.resume_session("1", "ana")
    assert room.state.sessions.state("ana") == PRESENT


def test_only_its_own_member_can_resume_a_session(room: Driven) -> None:
    room.join("1", "Ana")
    assert not room.state.resume_session("1", "igor")
    assert not room.state.resume_session("2", "ana")
    assert room.state.resume_session("1", "ana")


def test_a_left_that_could_not_be_written_is_made_up_for(room: Driven) -> None:
    room.join("1", "Ana")
    room.state.drop_sessions(["1"])  # its commit fails
    assert [m.text for m in room.drop()] == ["Ana left"]


def test_who_comes_back_before_the_missing_left_has_not_left(room: Driven) -> None:
    room.join("1", "Ana")
    room.state.drop_sessions(["1"])
    assert room.join("2", "Ana") == []
    assert room.drop() == []
    assert room.state.views.present == ["Ana"]


def test_after_a_restart_the_view_is_the_same_and_suspected(room: Driven) -> None:
    room.join("1", "Ana")
    room.join("2", "Igor")
    room.drop("2")
    room.join("3", "Zoë")
    again = Driven(room.log, now=100.0)
    assert again.state.views.present == ["Ana", "Zoë"]
    assert {s.member: (s.ghost, s.lost_at) for s in again.state.sessions.all()} == {
        "ana": (True, 100.0),
        "zoë": (True, 100.0),
    }
    assert again.state.sessions.state("ana") == SUSPECTED
    assert again.join("4", "Ana") == []
    late = [s.id for s in again.state.sessions.lost_before(105.0)]
    assert [m.text for m in again.drop(*late)] == ["Zoë left"]


def test_a_change_of_membership_carries_its_members_record(room: Driven) -> None:
    room.join("1", "Ana")
    assert room.log.members() == [MemberRecord("Ana")]
    room.post("Igor")
    room.state.marks.record("ana", 2, 1)
    draft = Draft("Ana", "Ana left", SYSTEM)
    assert room.state.records_to_write([draft], {}) == [MemberRecord("Ana", 2, 1)]


def test_marks_are_written_with_their_members_name(room: Driven) -> None:
    room.join("1", "Zoë")
    room.state.mark_read("zoë", 1)
    room.commit([])
    assert room.log.members() == [MemberRecord("Zoë", 1, 1)]
    assert Driven(room.log).state.marks.of("zoë") == (1, 1)


@pytest.mark.parametrize("id", [0, -1, 3])
def test_a_message_that_is_not_there_can_not_be_read(room: Driven, id: int) -> None:
    room.join("1", "Ana")
    room.post("Ana")
    with pytest.raises(UnknownMessage):
        room.state.mark_read("ana", id)


def test_only_members_confirm(room: Driven) -> None:
    room.post("Igor")
    with pytest.raises(NotAMember):
        room.state.mark_read("igor", 1)


def test_confirmations_range_over_the_members_at_the_message_without_its_sender(room: Driven) -> None:
    for number, name in enumerate(["Ana", "Igor", "Zoë", "Erick"]):
        room.join(str(number), name)
    message = room.post("ERICK")
    room.join("late", "Late")
    room.state.marks.record("ana", message.id, message.id)
    room.state.marks.record("igor", message.id, 0)
    room.state.marks.record("late", message.id, message.id)
    assert room.state.confirmations(message).delivered_to == set()  # nothing is told before it is written
    room.commit([])
    state = room.state.confirmations(message)
    assert state.delivered_to == {"Ana", "Igor"}
    assert state.read_by == {"Ana"}
    assert state.waiting_for == {"Igor", "Zoë"}


def test_who_leaves_without_reading_is_no_longer_waited_for(room: Driven) -> None:
    room.join("1", "Ana")
    room.join("2", "Igor")
    message = room.post("Erick")
    room.state.marks.record("ana", message.id, message.id)
    room.state.marks.record("igor", message.id, 0)
    room.drop("1", "2")
    state = room.state.confirmations(message)
    assert state.read_by == {"Ana"}
    assert state.delivered_to == {"Ana", "Igor"}
    assert state.waiting_for == set()
