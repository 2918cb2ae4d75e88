"""What people are told of the sites."""

from __future__ import annotations

import pytest

from pyrochat.core.graph.lamport import View
from pyrochat.orders.lamport.telling import change_of_view, held_up


@pytest.mark.parametrize(
    ("members", "silent", "is_waiting", "said"),
    [
        ("abc", "", True, None),
        ("abc", "c", False, None),
        ("abc", "c", True, "the room waits for C"),
        ("abcde", "cb", True, "the room waits for B, C"),
        ("abcde", "bcd", False, "2 of 5 sites are here: your text waits"),
        ("ab", "b", True, "the room waits for B"),
        ("ab", "a", True, "1 of 2 sites are here, and not the eldest: your text waits"),
    ],
)
def test_for_whom_the_room_waits_or_how_many_are_here(
    members: str, silent: str, is_waiting: bool, said: str | None
) -> None:
    assert held_up(View(3, tuple(members)), list(silent), is_waiting, str.upper) == said


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("ab", "abc", "C is a site of the room now (3 sites)"),
        ("abc", "a", "the room goes on without the sites B, C (1 site)"),
        ("ab", "acd", "C, D are sites of the room now; the room goes on without the site B (3 sites)"),
        ("bc", "bca", None),
        ("abc", "bc", None),
        ("", "ab", None),
    ],
)
def test_what_the_site_a_tells_of_a_change_of_view(before: str, after: str, said: str | None) -> None:
    assert change_of_view("a", View(1, tuple(before)), View(2, tuple(after)), str.upper) == said
