"""The read mark: what moves it, and what holds it back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyrochat.core.read_mark import ReadMark


def test_a_handler_moves_it_to_what_it_has_returned_from() -> None:
    mark = ReadMark()
    handler = mark.add_handler(after=10)
    assert mark.mark == 0
    assert mark.returned(handler, 12)
    assert not mark.returned(handler, 12)
    assert mark.mark == 12


def test_of_two_handlers_both_have_to_return() -> None:
    mark = ReadMark()
    one, other = mark.add_handler(after=0), mark.add_handler(after=0)
    assert not mark.returned(one, 5)
    assert mark.returned(other, 3)
    assert mark.mark == 3
    assert mark.returned(other, 9)
    assert mark.mark == 5


def test_one_that_began_later_is_not_waited_for_before_that() -> None:
    mark = ReadMark()
    one, _ = mark.add_handler(after=0), mark.add_handler(after=100)
    assert mark.returned(one, 40)
    assert mark.returned(one, 120)
    assert mark.mark == 100


def test_a_beginning_shows_nothing() -> None:
    mark = ReadMark()
    one, _ = mark.add_handler(after=50), mark.add_handler(after=50)
    assert not mark.returned(one, 51)
    assert mark.mark == 0


def test_found_19_it_stops_before_what_failed_until_somebody_says_so() -> None:
    mark = ReadMark()
    handler = mark.add_handler(after=0)
    assert mark.failed(handler, 3)
    assert not mark.returned(handler, 9)
    assert not mark.shown(9)
    mark.pass_over(9, lambda id: True)
    assert mark.mark == 2
    assert mark.advance(3)
    assert mark.returned(handler, 10)
    assert mark.mark == 10


def test_found_19_saying_less_than_what_failed_lifts_nothing() -> None:
    mark = ReadMark()
    handler = mark.add_handler(after=0)
    mark.failed(handler, 3)
    mark.failed(handler, 7)
    mark.returned(handler, 9)
    assert not mark.advance(2)
    assert mark.advance(5)
    assert not mark.returned(handler, 10)
    assert mark.mark == 5
    assert mark.advance(7)
    assert mark.returned(handler, 11)


def test_what_was_read_already_stays_read_when_a_handler_fails_on_it() -> None:
    mark = ReadMark()
    mark.advance(20)
    handler = mark.add_handler(after=0)
    mark.failed(handler, 4)
    assert mark.mark == 20
    assert mark.returned(handler, 21)


def test_what_is_shown_elsewhere_waits_for_the_handlers() -> None:
    mark = ReadMark()
    assert mark.shown(4)
    handler = mark.add_handler(after=4)
    assert not mark.shown(6)
    assert mark.returned(handler, 5)
    assert mark.shown(5) is False
    assert mark.mark == 5


def test_it_passes_over_what_need_not_be_shown_and_no_further() -> None:
    mark = ReadMark()
    mark.pass_over(10, {1, 2, 4}.__contains__)
    assert mark.mark == 2
    mark.advance(3)
    mark.pass_over(4, {1, 2, 4}.__contains__)
    assert mark.mark == 4


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=60), st.lists(st.integers(0, 60), max_size=3))
def test_found_19_no_message_that_failed_or_was_not_shown_to_all_is_ever_read(
    turns: list[tuple[int, bool]], said: list[int]
) -> None:
    """Three handlers take turns, each with one message after the other, and some of them fail."""
    mark = ReadMark()
    handlers = [mark.add_handler(after=0) for _ in range(3)]
    upto, failed, confirmed, before = [0, 0, 0], set(), 0, 0
    for turn, (handler, fails) in enumerate(turns):
        upto[handler] += 1
        if fails:
            failed.add(upto[handler])
        (mark.failed if fails else mark.returned)(handlers[handler], upto[handler])
        if turn % 20 == 19 and said:
            confirmed = max(confirmed, said[-1])
            mark.advance(said.pop())
        assert mark.mark >= before, "it only grows"
        before = mark.mark
        assert mark.mark >= confirmed
        for id in range(confirmed + 1, mark.mark + 1):
            assert id not in failed
            assert id <= min(upto)
    if not failed:
        assert mark.mark == max(min(upto), confirmed)
