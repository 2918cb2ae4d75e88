"""Two have founded one room: which of them stays."""

from __future__ import annotations

import pytest

from pyrochat.orders.sites.founders import GivingUp, gives_way
from pyrochat.values.errors import OtherLog


@pytest.mark.parametrize(("low", "high"), [(False, False), (False, True), (True, False)])
def test_one_of_the_two_is_given_up_and_both_know_which(low: bool, high: bool) -> None:
    """low, high: whether the one with the lower, or the higher, root has to stay."""
    assert gives_way("aa", low, "bb", high) is (not low and high)
    assert gives_way("bb", high, "aa", low) is not gives_way("aa", low, "bb", high)


def test_where_both_have_to_stay_both_are_told() -> None:
    for root, other in (("aa", "bb"), ("bb", "aa")):
        with pytest.raises(OtherLog):
            gives_way(root, True, other, True)


def test_a_room_is_given_up_once() -> None:
    told: list[str] = []
    giving_up = GivingUp()
    giving_up.then = told.append
    giving_up("ana.lan:1")
    giving_up("igor.lan:1")
    assert told == ["ana.lan:1"]
