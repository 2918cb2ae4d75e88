"""The token bucket: the rate over time, the burst at once, a large batch on credit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrochat.core.rates import DEFAULT_RATE, Rate, TokenBuckets, rate_of
from pyrochat.values.errors import InvalidArgument


def test_the_burst_passes_at_once_and_then_the_rate() -> None:
    buckets = TokenBuckets(Rate(8, 5))
    assert [buckets.take("ana", 1, 100.0) for _ in range(5)] == [0.0] * 5
    assert buckets.take("ana", 1, 100.0) == 0.125
    assert buckets.take("ana", 1, 100.0) == 0.125, "a refusal costs nothing"
    assert buckets.take("ana", 1, 100.125) == 0.0
    assert buckets.take("ana", 1, 100.125) > 0


def test_each_member_has_a_bucket() -> None:
    buckets = TokenBuckets(Rate(1, 1))
    assert buckets.take("ana", 1, 0.0) == 0.0
    assert buckets.take("ana", 1, 0.0) > 0
    assert buckets.take("igor", 1, 0.0) == 0.0


def test_more_than_the_burst_passes_a_full_bucket_and_is_paid_for() -> None:
    buckets = TokenBuckets(Rate(10, 5))
    assert buckets.take("ana", 25, 0.0) == 0.0  # leaves 20 to pay
    assert buckets.take("ana", 1, 0.0) == pytest.approx(2.1)
    assert buckets.take("ana", 1, 2.0) == pytest.approx(0.1)
    assert buckets.take("ana", 1, 2.2) == 0.0
    assert buckets.take("igor", 5, 0.0) == 0.0
    assert buckets.take("igor", 25, 0.1) == pytest.approx(0.4), "it has to be full"


def test_no_rate_is_no_limit() -> None:
    buckets = TokenBuckets(Rate(0, 1))
    assert {buckets.take("ana", 1_000_000, 0.0) for _ in range(100)} == {0.0}


def test_a_bucket_holds_no_more_than_the_burst() -> None:
    buckets = TokenBuckets(Rate(10, 5))
    buckets.take("ana", 1, 0.0)
    assert [buckets.take("ana", 1, 1e9) > 0 for _ in range(6)] == [False] * 5 + [True]


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(1, 50)), max_size=60), st.floats(1, 100), st.floats(1, 100))
def test_over_any_time_no_more_passes_than_rate_and_burst_allow(
    calls: list[tuple[float, int]], per_second: float, burst: float
) -> None:
    buckets, now, passed, last = TokenBuckets(Rate(per_second, burst)), 0.0, 0, 0
    for pause, count in calls:
        now += pause
        wait = buckets.take("ana", count, now)
        assert wait >= 0
        if wait == 0.0:
            passed, last = passed + count, count
    # what is on credit is the last call's at the most
    assert passed <= burst + now * per_second + last + 1e-6 * passed


@given(st.integers(1, 50), st.floats(1, 100), st.floats(1, 100))
def test_who_waits_as_long_as_it_is_told_is_served(count: int, per_second: float, burst: float) -> None:
    buckets = TokenBuckets(Rate(per_second, burst))
    buckets.take("ana", 20, 0.0)
    wait = buckets.take("ana", count, 0.0)
    assert wait == 0.0 or buckets.take("ana", count, wait + 1e-6) == 0.0


def test_full_buckets_are_forgotten_and_debts_are_not() -> None:
    buckets = TokenBuckets(Rate(1, 1), most_full=10)
    buckets.take("debtor", 1_000, 0.0)
    for number in range(50):
        assert buckets.take(f"m{number}", 1, 10.0 + 2 * number) == 0.0
    assert len(buckets._levels) < 20
    assert buckets.take("debtor", 1, 200.0) > 0


def test_many_debtors_are_not_looked_at_each_time() -> None:
    looks = []

    class Watched(TokenBuckets):
        def _forget_full(self, now: float) -> None:
            looks.append(now)
            super()._forget_full(now)

    buckets = Watched(Rate(1, 1), most_full=10)
    for number in range(1000):
        buckets.charge(f"m{number}", 1e6, 0.0)
    assert len(buckets._levels) == 1000
    assert 0 < len(looks) < 10


def test_a_rate_as_it_is_given() -> None:
    assert rate_of(DEFAULT_RATE) == Rate() == Rate(200, 2_000)
    assert rate_of(20) == Rate(20, 200)
    assert rate_of(0.01) == Rate(0.01, 1.0)
    assert rate_of(5, 7) == Rate(5, 7)
    for wrong in ((-1, None), (1, 0), (1, 0.5)):
        with pytest.raises(InvalidArgument):
            rate_of(*wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_rate_that_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(InvalidArgument):
        rate_of(value)
    with pytest.raises(InvalidArgument):
        rate_of(1, value)


def test_what_is_charged_may_make_a_debt_that_time_pays_back() -> None:
    buckets = TokenBuckets(Rate(2.0, 10.0))
    assert buckets.charge("ana", 10.0, 0.0) == 0.0
    assert buckets.charge("ana", 4.0, 0.0) == 2.0
    assert buckets.charge("ana", 0.0, 1.0) == 1.0
    assert buckets.charge("igor", 1.0, 1.0) == 0.0
    assert buckets.charge("ana", 0.0, 100.0) == 0.0
    assert TokenBuckets(Rate(0.0, 0.0)).charge("ana", 1e9, 0.0) == 0.0
