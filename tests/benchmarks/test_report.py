from __future__ import annotations

import pytest

from lab.benchmarks.report import BOUNDS, Bound, Report, Row


@pytest.mark.parametrize(
    ("at_least", "value", "reached"),
    [
        (True, 1.0, True),
        (True, 1.1, True),
        (True, 0.9, False),
        (False, 1.0, True),
        (False, 0.9, True),
        (False, 1.1, False),
    ],
)
def test_a_bound_is_reached_from_its_own_side(at_least: bool, value: float, reached: bool) -> None:
    assert Bound("row", 1.0, "2 ×", at_least).is_reached_by(value) is reached


def test_a_rows_value_is_the_median_of_its_rounds() -> None:
    row = Row("fan-out", [0.1, 2.0, 100.0])
    assert row.value == 2.0
    assert row.is_reached


def test_rounds_are_kept_in_their_order() -> None:
    report = Report()
    for value in (3.0, 1.0, 2.0):
        report.add("work", "pyrochat", {"rate": value, "loss": 0.0})
    assert report.of("work", "pyrochat", "rate") == [3.0, 1.0, 2.0]
    assert report.median("work", "pyrochat", "rate") == 2.0


def test_every_row_of_the_table_is_there() -> None:
    assert len(BOUNDS) == 21
    assert {bound.reach_text for bound in BOUNDS.values()} >= {"≥ 1.5 ×", "≤ 3 %", "≤ 150 KiB"}
