"""Cursors: one answer outstanding, little unconfirmed beside it, nothing believed that can't be."""

from __future__ import annotations

import pytest

from pyrochat.core.cursors import BLOCK_MESSAGES, WINDOW_BYTES, Cursor, block_end, marks_interval_seconds


def test_a_new_cursor_has_nothing_outstanding() -> None:
    cursor = Cursor(7)
    assert (cursor.position, cursor.sent, cursor.outstanding) == (7, 7, False)


def test_a_delivery_advances_the_cursor_when_it_is_answered() -> None:
    cursor = Cursor(0)
    cursor.send(5, 3)
    assert (cursor.position, cursor.outstanding) == (0, True)
    assert cursor.confirm(5, 2) == (5, 2)
    assert (cursor.position, cursor.marks_position, cursor.outstanding) == (5, 3, False)


def test_a_second_delivery_that_asks_waits_for_the_first() -> None:
    cursor = Cursor(0)
    cursor.send(5, 0)
    with pytest.raises(AssertionError):
        cursor.send(6, 0)


def test_what_asks_for_nothing_may_follow_and_is_confirmed_by_the_next_answer_but_one() -> None:
    cursor = Cursor(0)
    cursor.send(5, 0, 100)
    cursor.send(6, 1, 30, asks=False)
    cursor.send(7, 1, 40, asks=False)
    assert (cursor.position, cursor.asked, cursor.sent, cursor.in_flight) == (0, 5, 7, 170)
    assert cursor.confirm(5, 5) == (5, 5)
    assert (cursor.position, cursor.sent, cursor.in_flight, cursor.outstanding) == (5, 7, 70, False)
    cursor.send(7, 1, 10)
    assert cursor.confirm(7, 6) == (7, 6)
    assert (cursor.position, cursor.in_flight) == (7, 0)


def test_an_answer_may_tell_of_what_has_followed() -> None:
    cursor = Cursor(0)
    cursor.send(5, 0, 100)
    cursor.send(7, 0, 100, asks=False)
    assert cursor.confirm(7, 0) == (7, 0)
    assert cursor.position == 5


def test_only_so_much_may_follow_unconfirmed() -> None:
    cursor = Cursor(0)
    assert cursor.has_window(WINDOW_BYTES)
    assert not cursor.has_window(WINDOW_BYTES + 1)
    cursor.send(1, 0, WINDOW_BYTES - 10)
    cursor.send(2, 0, 10, asks=False)
    assert not cursor.has_window()
    cursor.confirm(1, 0)
    assert cursor.has_window(WINDOW_BYTES - 10)
    assert not cursor.has_window(WINDOW_BYTES - 9)


def test_a_cursor_never_goes_back() -> None:
    with pytest.raises(AssertionError):
        Cursor(5).send(4, 0)


@pytest.mark.parametrize(
    ("claimed", "believed"),
    [((99, 99), (5, 5)), ((5, 99), (5, 5)), ((3, 4), (3, 3)), ((-1, 2), (0, 0)), ((5, -7), (5, 0)), ((0, 0), (0, 0))],
)
def test_a_session_is_believed_up_to_what_was_sent_to_it(claimed: tuple[int, int], believed: tuple[int, int]) -> None:
    cursor = Cursor(0)
    cursor.send(5, 0)
    assert cursor.confirm(*claimed) == believed
    assert cursor.position == 5


@pytest.mark.parametrize(
    ("after", "tail", "end"),
    [
        (0, 10, 10),
        (0, 10_000, BLOCK_MESSAGES),
        (BLOCK_MESSAGES - 1, 10_000, BLOCK_MESSAGES),
        (BLOCK_MESSAGES, 10_000, 2 * BLOCK_MESSAGES),
        (BLOCK_MESSAGES + 3, BLOCK_MESSAGES + 9, BLOCK_MESSAGES + 9),
    ],
)
def test_a_stretch_ends_at_the_next_block_boundary_or_the_tail(after: int, tail: int, end: int) -> None:
    assert block_end(after, tail) == end


def test_marks_are_gathered_for_longer_the_more_members_there_are() -> None:
    assert [marks_interval_seconds(n) for n in (0, 1, 20, 100, 1000, 5000)] == [0.02, 0.02, 0.02, 0.1, 1.0, 1.0]
