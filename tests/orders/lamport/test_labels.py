"""What the sites of a totally ordered room are called."""

from __future__ import annotations

from collections.abc import Sequence

from pyrochat.core.graph.disk import Row
from pyrochat.orders.lamport.labels import labels_of, own_row


def said(*sites: tuple[str, str, int]) -> list[Row]:
    """What the sites have said, one after the other, each knowing what was said before: id, label, clock."""
    rows = [Row("room", "erick", 10**9, b"no label")]
    for site, label, time_us in sites:
        row = own_row(rows, site, label, time_us)
        assert row is not None
        rows.append(row)
    return rows


def test_who_wants_a_label_that_another_has_gets_a_number() -> None:
    rows = said(("b", "root", 50), ("c", "ana", 60), ("a", "root", 70), ("d", "root", 80))
    wanted = {"b": "root", "c": "ana", "a": "root~2", "d": "root~3"}
    orders: Sequence[list[Row]] = (rows, rows[::-1])
    assert [labels_of(each) for each in orders] == [wanted, wanted], "in whatever order it was heard"


def test_a_wrong_clock_takes_nobodys_label() -> None:
    assert labels_of(said(("b", "root", 50), ("a", "root", 1))) == {"b": "root", "a": "root~2"}


def test_who_has_said_it_says_it_no_more() -> None:
    rows = said(("b", "root", 50), ("a", "root", 60))
    assert own_row(rows, "b", "root", 70) is None
    assert own_row(rows, "b", "erick", 70) == Row("sites", "b", 70, b"erick")


def test_two_who_said_it_at_the_same_moment_are_told_apart_by_their_ids() -> None:
    rows = [Row("sites", "b", 50, b"root"), Row("sites", "a", 50, b"root")]
    assert labels_of(rows) == labels_of(rows[::-1]) == {"a": "root", "b": "root~2"}
