"""Where posts end, where joins do, and when the operator is told."""

from __future__ import annotations

import math

import pytest

from pyrochat.core.space import ALMOST_FULL, FULL, GIB, MIB, SpaceBudget, Storage, disk_budget, log_bytes, room_budget


def test_what_was_let_in_counts_until_the_next_look() -> None:
    budget = SpaceBudget(1000)
    budget.see(400)
    assert budget.has_room_for(600)
    budget.count(500)
    assert not budget.has_room_for(101)
    assert budget.has_room_for(100)
    budget.see(850)
    assert budget.has_room_for(150)
    assert not budget.has_room_for(151)


def test_joins_go_on_a_little_beyond_the_bound() -> None:
    budget = SpaceBudget(1000, margin=50)
    budget.see(1000)
    assert not budget.has_room_for(1)
    assert budget.has_room_for(50, is_join=True)
    assert not budget.has_room_for(51, is_join=True)


def test_without_a_bound_there_is_always_room() -> None:
    for budget in (SpaceBudget(), room_budget(0), disk_budget(None, 0)):
        budget.see(1 << 60)
        assert budget.has_room_for(1 << 60)
        assert budget.news() is None


def test_found_2_the_operator_is_told_early_and_again_when_it_is_full_once_each() -> None:
    budget = room_budget(1000)
    told = []
    for used in (0, 799, 800, 900, 999, 1000, 1100):
        budget.see(used)
        told.append(budget.news())
    assert told == [None, None, ALMOST_FULL, None, None, FULL, None]
    budget.see(500)
    assert budget.news() is None
    budget.see(1000)
    assert budget.news() == FULL, "after there was room again"


def test_a_post_that_is_refused_is_told_as_full_although_some_bytes_are_left() -> None:
    budget = room_budget(1000)
    budget.see(990)
    budget.refused()
    assert budget.news() == FULL
    assert budget.news() is None


def test_a_batch_that_is_too_large_for_what_is_left_is_not_told_as_full() -> None:
    budget = room_budget(1000)
    budget.see(100)
    budget.refused()
    assert budget.news() is None


def test_the_bounds_as_they_are_documented() -> None:
    assert Storage() == Storage(10 * GIB, 2 * GIB, None)
    room = room_budget(10 * GIB)
    assert (room.bound, room.margin, room.early) == (10 * GIB, GIB, 2 * GIB)
    assert room_budget(MIB).margin == 16 * MIB


@pytest.mark.parametrize(
    ("total", "reserve", "kept"),
    [(1000 * GIB, None, GIB), (10 * GIB, None, GIB // 2), (1000 * GIB, 50 * GIB, 50 * GIB), (1000 * GIB, 0, 0)],
)
def test_a_disk_has_a_reserve(total: int, reserve: int | None, kept: int) -> None:
    budget = disk_budget(reserve, total)
    budget.see(total - kept - 100)
    assert budget.has_room_for(100)
    assert not budget.has_room_for(101)
    assert budget.early == min(4 * GIB, (total - kept) // 5)


def test_joins_take_from_the_reserve_and_leave_some_for_who_leaves() -> None:
    for total, kept, hard in ((1000 * GIB, GIB, 64 * MIB), (100 * MIB, 5 * MIB, 5 * MIB / 2)):
        budget = disk_budget(None, total)
        budget.see(total - kept)
        assert budget.has_room_for(math.floor(kept - hard), is_join=True)
        assert not budget.has_room_for(math.ceil(kept - hard) + 1, is_join=True)


def test_a_reserve_of_more_than_the_disk_has_refuses_posts_and_takes_joins() -> None:
    budget = disk_budget(1 << 50, 100 * GIB)
    budget.see(10 * GIB)
    assert not budget.has_room_for(1)
    assert budget.has_room_for(1000, is_join=True)


def test_bytes_are_counted_as_utf_8_with_what_stands_beside_a_text() -> None:
    assert log_bytes("Ana", ["", "é"], ["k" * 10, None]) == 2 * (80 + 6) + 2 + 20
