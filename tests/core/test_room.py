"""A room as a function of its log: what commands do, and that the same entries do the same everywhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pyrochat.core.commands import Command, Declare, End, Entry, Invited, Lose, Open, Removed, Restarted, Resume
from pyrochat.core.log import MemberRecord
from pyrochat.core.memory_log import MemoryLog
from pyrochat.core.room import RoomState, Transition
from pyrochat.core.sessions import PRESENT, SUSPECTED, state_of
from pyrochat.values.errors import LogLost, UnknownSession
from pyrochat.values.message import Message
from pyrochat.values.rules import fold
from tests.core.modelling import Driven, post
from tests.support import SALT, joined_message


@pytest.fixture
def room() -> Driven:
    return Driven(MemoryLog("lobby"))


def opens(id: str, name: str) -> Open:
    return Open(id, fold(name), name, SALT)


def said(sender: str, text: str = "hi") -> Command:
    return post(sender, [text])


def texts(room: Driven) -> list[str]:
    """What was new in the last group."""
    return [message.text for message in room.appended]


def state(room: Driven) -> RoomState:
    return room.applier.state


def test_a_member_joins_with_its_first_session_and_leaves_with_its_last(room: Driven) -> None:
    room.apply(opens("1", "Ana"), opens("2", "ANA"))
    assert texts(room) == ["Ana joined"]
    room.apply(End("1", "ana", SALT))
    assert texts(room) == []
    room.apply(End("2", "ana", SALT))
    assert [(m.text, m.change) for m in room.appended] == [("Ana left", "left")]
    assert state(room).present == {}
    assert room.log.sessions() == []


def test_what_is_wanted_twice_happens_once(room: Driven) -> None:
    for command in (opens("1", "Ana"), Lose("1", "ana"), Resume("1", "ana"), End("1", "ana", SALT)):
        room.apply(command)
        once = state(room), room.log.sessions(), room.log.read(0, 10)
        assert isinstance(room.apply(command).outcomes[0][0], list | UnknownSession)
        again = state(room)
        assert (again.present, again.sessions, again.tail) == (once[0].present, once[0].sessions, once[0].tail)
        assert (room.log.sessions(), room.log.read(0, 10)) == once[1:]


def test_a_lost_session_comes_back_without_a_message(room: Driven) -> None:
    room.apply(opens("1", "Ana"))
    room.apply(Lose("1", "ana"))
    assert state_of(state(room).sessions["ana"]) == SUSPECTED
    assert state(room).suspected() == ["Ana"]
    room.apply(Resume("1", "ana"))
    assert state_of(state(room).sessions["ana"]) == PRESENT
    assert texts(room) == []


def test_only_its_own_member_can_resume_a_session(room: Driven) -> None:
    room.apply(opens("1", "Ana"))
    for command in (Resume("1", "igor"), Resume("2", "ana")):
        assert isinstance(room.apply(command).outcomes[0][0], UnknownSession)


def test_who_came_back_is_not_ended_by_who_waited_for_it(room: Driven) -> None:
    """Timeouts only propose: the end of a session as it was when it was lost."""
    room.apply(opens("1", "Ana"))
    room.apply(Lose("1", "ana"))
    [lost] = state(room).sessions["ana"]
    room.apply(Resume("1", "ana"))
    room.apply(End("1", "ana", SALT, lost.lost_at))
    assert list(state(room).present) == ["ana"]
    room.apply(Lose("1", "ana"))
    room.apply(End("1", "ana", SALT, lost.lost_at))
    assert list(state(room).present) == ["ana"], "it was lost again, later"
    [lost] = state(room).sessions["ana"]
    room.apply(End("1", "ana", SALT, lost.lost_at))
    assert texts(room) == ["Ana left"]


def test_after_a_restart_sessions_are_there_and_lost(room: Driven) -> None:
    room.apply(opens("1", "Ana"), opens("2", "Igor"), opens("3", "Zoë"))
    room.apply(End("2", "igor", SALT), Lose("3", "zoë"))
    [zoe] = state(room).sessions["zoë"]
    again = Driven(room.log)
    assert state(again) == replace(state(room), entry=state(again).entry)
    again.apply(Restarted())
    assert state(again).suspected() == ["Ana", "Zoë"]
    assert state(again).sessions["zoë"] == (zoe,), "it was lost before"
    again.apply(Resume("1", "ana"))
    assert state(again).suspected() == ["Zoë"]
    assert texts(again) == []


def test_who_is_in_the_view_of_an_older_log_can_come_back_or_leave() -> None:
    log = MemoryLog("lobby")
    records = [MemberRecord(name, first_joined=id, joined=id) for id, name in ((1, "Ana"), (2, "Igor"))]
    log.append([joined_message(1, "Ana"), joined_message(2, "Igor")], records)
    room = Driven(log)
    room.apply(Restarted())
    assert state(room).suspected() == ["Ana", "Igor"]
    room.apply(opens("1", "Ana"))
    assert texts(room) == []
    for session in state(room).all_sessions():
        if session.lost_at is not None:
            room.apply(End(session.id, session.member, SALT, session.lost_at))
    assert list(state(room).present) == ["ana"]


def test_first_joins_last(room: Driven) -> None:
    room.apply(opens("1", "Ana"), said("Erick"))
    room.apply(End("1", "ana", SALT), opens("2", "ANA"))
    member = state(room).members["ana"]
    assert (member.name, member.first_joined) == ("ANA", 1)
    assert RoomState.of(room.log).members == state(room).members
    assert state(room).members_since(2, "erick") == ["ana"]
    assert state(room).members_since(2, "ana") == []


def test_who_is_removed_leaves_with_all_its_sessions(room: Driven) -> None:
    room.apply(Open("1", "ana", "Ana", SALT), Open("2", "igor", "Igor", SALT), Open("3", "igor", "Igor", SALT))
    room.apply(Invited("Ana", "Zoë", "cc" * 32, SALT), Removed("Ana", "igor", "Igor", "bb" * 32, (SALT, SALT)))
    said = [(message.sender, message.change, message.text, message.key) for message in room.log.read(2, 9)]
    assert said == [
        ("Ana", "invited", "Ana invited Zoë", "cc" * 32),
        ("Igor", "left", "Igor left", None),
        ("Ana", "removed", "Ana removed Igor", "bb" * 32),
    ]
    assert state(room).present == {"ana": "Ana"}
    assert [session.id for session in state(room).all_sessions()] == ["1"]
    room.apply(Removed("Zoë", "zoë", "Zoë", "cc" * 32, (SALT, SALT)))
    assert room.log.read(5, 9)[0].text == "Zoë gave up the room"


def test_a_room_that_has_lost_something_takes_nothing(room: Driven) -> None:
    room.apply(opens("1", "Ana"))
    room.apply(Declare("Igor has message 500"))
    for command in (said("Ana"), opens("2", "Igor"), End("1", "ana", SALT), Restarted()):
        [[outcome]] = room.apply(command).outcomes
        assert isinstance(outcome, LogLost)
        assert "Igor has message 500" in str(outcome)
    assert room.log.tail == 1
    assert RoomState.of(room.log).loss == "Igor has message 500"


def test_what_is_worked_out_changes_nothing_until_it_is_taken_over(room: Driven) -> None:
    room.apply(opens("1", "Ana"))
    before = state(room)
    kept = RoomState.of(room.log)
    transition = Transition(before, room.log)
    commands = (opens("2", "Igor"), said("Ana"), Lose("1", "ana"), End("1", "ana", SALT), Restarted())
    transition.apply(Entry(9, 5, commands))
    assert before.tail == 1
    assert (before.present, before.sessions, before.members) == (kept.present, kept.sessions, kept.members)
    assert [message.text for message in transition.messages] == ["Igor joined", "hi", "Ana left"]
    assert transition.state.tail == 4


def test_messages_have_the_time_of_their_entry(room: Driven) -> None:
    room.apply(opens("1", "Ana"), said("Ana"), time_us=77)
    assert room.log.read(0, 10) == [
        joined_message(1, "Ana")._replace(time_us=77),
        Message(2, "lobby", "Ana", "hi", 77, proof=SALT),
    ]
