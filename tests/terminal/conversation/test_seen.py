"""How far the read mark goes: over what was shown, or need not be; never over anything else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyrochat.terminal.conversation.seen import Seen

STEPS = st.lists(
    st.tuples(st.just("show"), st.integers(1, 40), st.integers(0, 8))
    | st.tuples(st.just("grow"), st.integers(0, 10), st.just(0))
    | st.tuples(st.just("settle"), st.just(0), st.just(0)),
    max_size=40,
)


@given(st.integers(0, 5), st.sets(st.integers(1, 60)), STEPS)
def test_the_mark_is_where_a_set_of_all_shown_ids_would_have_it(
    start: int, free: set[int], steps: list[tuple[str, int, int]]
) -> None:
    seen, shown, mark, end = Seen(start, free.__contains__), set[int](), start, max(start, 10)
    for name, number, more in [*steps, ("settle", 0, 0)]:
        if name == "grow":
            end += number
        elif name == "show" and number <= end:
            seen.show(number, min(end, number + more))
            shown |= set(range(number, min(end, number + more) + 1))
        while mark < end and mark + 1 in shown | free:
            mark += 1
        if name == "settle":
            assert seen.settle(end) == seen.mark == mark
        assert seen.mark <= mark


def test_what_was_never_shown_holds_the_mark_back() -> None:
    seen = Seen(3, lambda id: False)
    seen.show(5, 9)
    assert seen.settle(9) == 3
    seen.show(4, 4)
    assert seen.settle(9) == 9


def test_own_messages_need_not_be_shown() -> None:
    seen = Seen(0, {1, 2, 4}.__contains__)
    assert seen.settle(4) == 2
    seen.show(3, 3)
    assert seen.settle(4) == 4


def test_who_says_that_everything_is_read_has_read_it() -> None:
    seen = Seen(2, lambda id: False)
    seen.show(8, 9)
    seen.show_all(12)
    assert seen.settle(12) == 12
    assert seen.settle(13) == 12


def test_the_mark_does_not_go_back() -> None:
    seen = Seen(9, lambda id: False)
    seen.show(1, 4)
    assert seen.settle(20) == 9
