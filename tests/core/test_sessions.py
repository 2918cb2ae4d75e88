"""The life of a member, from the state of its sessions: the table in `core.sessions`."""

from __future__ import annotations

import pytest

from pyrochat.core.sessions import GONE, PRESENT, SUSPECTED, Session, Sessions


def session(id: str, lost_at: float | None = None, member: str = "ana", ghost: bool = False) -> Session:
    return Session(id, member, member.title(), lost_at, ghost)


@pytest.mark.parametrize(
    ("lost", "state"),
    [
        ([], GONE),
        ([None], PRESENT),
        ([1.0], SUSPECTED),
        ([None, 1.0], PRESENT),
        ([1.0, 2.0], SUSPECTED),
        ([None, None], PRESENT),
    ],
)
def test_the_state_of_a_member_follows_from_its_sessions(lost: list[float | None], state: str) -> None:
    sessions = Sessions()
    for number, lost_at in enumerate(lost):
        sessions.open(session(str(number), lost_at))
    sessions.open(session("of another", 1.0, "igor"))
    assert sessions.state("ana") == state


def test_the_last_session_that_is_dropped_makes_the_member_gone() -> None:
    sessions = Sessions()
    one, other = session("one"), session("other")
    sessions.open(one)
    sessions.open(other)
    assert sessions.drop("one") is one
    assert sessions.state("ana") == PRESENT
    assert sessions.drop("other") is other
    assert sessions.state("ana") == GONE
    assert sessions.drop("other") is None
    assert len(sessions) == 0


def test_a_lost_session_that_is_back_makes_its_member_present() -> None:
    sessions = Sessions()
    one = session("one", 5.0)
    sessions.open(one)
    one.lost_at = None
    assert sessions.state("ana") == PRESENT


def test_a_newcomer_takes_the_place_of_its_members_ghosts_only() -> None:
    sessions = Sessions()
    ghost, other = session("ghost", 0.0, ghost=True), session("ghost of another", 0.0, "igor", ghost=True)
    sessions.open(ghost)
    sessions.open(other)
    assert sessions.open(session("one")) == [ghost]
    assert sessions.get("ghost") is None
    assert sessions.state("ana") == PRESENT
    assert sessions.state("igor") == SUSPECTED
    assert [s.id for s in sessions.all()] == ["ghost of another", "one"]


def test_those_lost_before_a_moment_are_those_whose_grace_is_over() -> None:
    sessions = Sessions()
    for id, lost_at in [("early", 1.0), ("late", 3.0), ("here", None)]:
        sessions.open(session(id, lost_at))
    sessions.open(session("ghost", 2.0, "igor", ghost=True))
    assert [s.id for s in sessions.lost_before(3.0)] == ["early", "ghost"]
    assert sessions.lost_before(1.0) == []


def test_sessions_are_kept_by_member() -> None:
    sessions = Sessions()
    one, other = session("one"), session("other", member="igor")
    sessions.open(one)
    sessions.open(other)
    assert sessions.of("ana") == [one]
    assert sessions.of("igor") == [other]
    assert sessions.of("zoë") == []
