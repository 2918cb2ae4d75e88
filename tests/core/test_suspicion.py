"""Suspicion proposes, and goes on proposing until the order has decided."""

from __future__ import annotations

import pytest

from pyrochat.core.commands import Command, End, Lose, Open, Resume
from pyrochat.core.memory_log import MemoryLog
from pyrochat.core.suspicion import Suspicion
from tests.core.modelling import Driven
from tests.support import SALT

GRACE = 5.0


@pytest.fixture
def room() -> Driven:
    room = Driven(MemoryLog("lobby"))
    room.apply(Open("1", "ana", "Ana", SALT))
    return room


def proposals(suspicion: Suspicion, room: Driven, now: float) -> list[Command]:
    return suspicion.proposals(room.applier.state, now, GRACE, lambda: SALT)


def test_a_session_without_a_connection_is_lost_first_and_ends_with_the_grace(room: Driven) -> None:
    suspicion = Suspicion()
    suspicion.lost("1", "ana", 10.0)
    assert proposals(suspicion, room, 10.0) == [Lose("1", "ana")]
    assert proposals(suspicion, room, 11.0) == [Lose("1", "ana")], "until it is decided"
    room.apply(Lose("1", "ana"))
    [session] = room.applier.state.sessions["ana"]
    assert proposals(suspicion, room, 15.0) == []
    assert proposals(suspicion, room, 15.1) == [End("1", "ana", SALT, session.lost_at)]
    room.apply(End("1", "ana", SALT, session.lost_at))
    assert proposals(suspicion, room, 16.0) == []


def test_who_is_back_is_not_suspected(room: Driven) -> None:
    suspicion = Suspicion()
    suspicion.lost("1", "ana", 10.0)
    room.apply(Lose("1", "ana"))
    suspicion.back("1", "ana")
    room.apply(Resume("1", "ana"))
    assert proposals(suspicion, room, 99.0) == []


def test_the_first_loss_counts(room: Driven) -> None:
    suspicion = Suspicion()
    suspicion.lost("1", "ana", 10.0)
    room.apply(Lose("1", "ana"))
    suspicion.lost("1", "ana", 14.0)
    assert [type(command) for command in proposals(suspicion, room, 15.1)] == [End]


def test_the_grace_begins_when_the_order_has_heard_of_the_loss(room: Driven) -> None:
    """While nothing was ordered, nobody could say that it had come back, at another server perhaps."""
    suspicion = Suspicion()
    suspicion.lost("1", "ana", 10.0)
    room.apply(Lose("1", "ana"))
    sessions = room.applier.state.sessions["ana"]
    suspicion.changed(sessions, 30.0)
    assert proposals(suspicion, room, 35.0) == []
    assert proposals(suspicion, room, 35.1) == [End("1", "ana", SALT, sessions[0].lost_at)]


def test_who_has_come_from_another_server_is_said_to_be_here_until_the_order_has_heard_it(room: Driven) -> None:
    room.apply(Resume("1", "ana", "other"))
    suspicion = Suspicion()
    suspicion.back("1", "ana")
    assert proposals(suspicion, room, 10.0) == [Resume("1", "ana")]
    room.apply(Lose("1", "ana", "other"))
    suspicion.changed(room.applier.state.sessions["ana"], 11.0)
    assert proposals(suspicion, room, 99.0) == [Resume("1", "ana")]
    room.apply(Resume("1", "ana"))
    assert proposals(suspicion, room, 99.0) == []


def test_who_was_told_to_end_is_proposed_until_it_has(room: Driven) -> None:
    suspicion = Suspicion()
    suspicion.leaving("1", "ana")
    assert proposals(suspicion, room, 0.0) == proposals(suspicion, room, 1.0) == [End("1", "ana", SALT)]
    suspicion.ended(room.applier.state.sessions["ana"])
    assert proposals(suspicion, room, 2.0) == []


def test_the_end_of_what_is_not_there_is_not_proposed(room: Driven) -> None:
    """A session whose opening has failed is told to end, as nobody may know whether it was opened."""
    suspicion = Suspicion()
    suspicion.leaving("never opened", "ana")
    assert proposals(suspicion, room, 0.0) == []
