"""So much in a span of time, for each subject, in bounded memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyrochat.core.quotas import Quota


def test_what_is_used_up_is_there_again_when_the_span_is_over() -> None:
    quota = Quota(10, 60.0)
    assert quota.take("a", 8, 100.0) == 0.0
    assert quota.take("a", 3, 110.0) == 50.0
    assert quota.take("a", 2, 110.0) == 0.0, "what was refused has taken nothing"
    assert quota.take("a", 1, 159.0) == 1.0
    assert quota.take("a", 10, 160.0) == 0.0, "a new span"
    assert quota.take("a", 1, 219.0) == 1.0, "it begins with its first use"


def test_each_subject_has_a_quota() -> None:
    quota = Quota(1, 60.0)
    assert quota.take("a", 1, 0.0) == 0.0
    assert quota.take("b", 1, 0.0) == 0.0
    assert quota.take("a", 1, 0.0) > 0


def test_what_came_to_nothing_is_given_back() -> None:
    quota = Quota(1, 60.0)
    quota.take("a", 1, 0.0)
    quota.give_back("a", 1)
    quota.give_back("unknown", 1)
    assert quota.take("a", 1, 0.0) == 0.0


def test_no_amount_is_no_limit() -> None:
    quota = Quota(0, 60.0)
    assert {quota.take("a", 1 << 40, 0.0) for _ in range(10)} == {0.0}


def test_memory_is_bounded_and_the_newest_are_remembered() -> None:
    quota = Quota(1, 60.0, most=10)
    for number in range(100):
        quota.take(str(number), 1, 0.0)
    assert len(quota._used) == 10
    assert quota.take("99", 1, 0.0) > 0


def test_a_subject_whose_span_is_new_is_not_the_oldest() -> None:
    quota = Quota(1, 60.0, most=2)
    quota.take("a", 1, 0.0)
    quota.take("b", 1, 10.0)
    quota.take("a", 1, 60.0)
    quota.take("c", 1, 61.0)
    assert quota.take("a", 1, 62.0) > 0


@given(st.lists(st.tuples(st.floats(0, 50), st.integers(1, 20)), max_size=60), st.integers(20, 40))
def test_within_a_span_no_more_is_taken_and_who_waits_is_served(calls: list[tuple[float, int]], amount: int) -> None:
    quota, now, spans = Quota(amount, 60.0), 0.0, [(0.0, 0)]
    for pause, count in calls:
        now += pause
        wait = quota.take("a", count, now)
        if wait > 0:
            now += wait + 1e-6
            assert quota.take("a", count, now) == 0.0
        began, taken = spans[-1]
        if wait > 0 or now >= began + 60.0 or not taken:
            spans.append((now, count))
        else:
            spans[-1] = began, taken + count
    assert all(taken <= amount for _, taken in spans)
