"""The life of a member, from the state of its sessions: the table in `core.sessions`."""

from __future__ import annotations

import pytest

from pyrochat.core.sessions import GONE, PRESENT, SUSPECTED, Session, state_of


@pytest.mark.parametrize(
    ("lost_at", "state"),
    [
        ([], GONE),
        ([None], PRESENT),
        ([3], SUSPECTED),
        ([None, 3], PRESENT),
        ([3, 4], SUSPECTED),
        ([None, None], PRESENT),
    ],
)
def test_the_state_of_a_member_follows_from_its_sessions(lost_at: list[int | None], state: str) -> None:
    assert state_of(Session(str(n), "ana", "Ana", at) for n, at in enumerate(lost_at)) == state
