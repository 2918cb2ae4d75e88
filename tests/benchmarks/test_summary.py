from __future__ import annotations

import pytest

from lab.benchmarks.summary import best, percentile, ratios


@pytest.mark.parametrize(("percent", "expected"), [(0, 1), (1, 1), (50, 50), (99, 99), (99.5, 100), (100, 100)])
def test_a_percentile_is_one_of_the_samples(percent: float, expected: float) -> None:
    assert percentile(list(range(100, 0, -1)), percent) == expected


def test_one_sample_is_every_percentile() -> None:
    assert {percentile([7.0], percent) for percent in (0, 50, 99, 100)} == {7.0}


def test_without_samples_there_is_no_percentile() -> None:
    with pytest.raises(ValueError, match="no samples"):
        percentile([], 50)


def test_ratios_go_round_by_round() -> None:
    assert ratios([4.0, 9.0], [2.0, 3.0]) == [2.0, 3.0]


def test_rounds_have_to_match() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratios([1.0], [1.0, 2.0])


def test_the_best_has_the_highest_median_not_the_highest_sample() -> None:
    assert best({"steady": [5, 5, 5], "lucky": [1, 1, 99]}) == "steady"
