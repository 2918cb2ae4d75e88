"""Places: who makes room; shares: who gets no more."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from pyrochat.core.places import RESERVED_DESCRIPTORS, Bounds, Places, Shares


def let_in(places: Places[str], holder: str, peer: str) -> list[str]:
    """As a server does: who has to go goes first; those who went."""
    gone = places.candidates(peer)[: places.surplus(peer)]
    for each in gone:
        places.remove(each)
    places.put(holder, peer)
    return gone


def test_the_one_that_was_idle_for_longest_makes_room() -> None:
    places: Places[str] = Places(3, 3)
    for name in "abc":
        assert let_in(places, name, "peer") == []
    places.renew("a", stays=False)
    assert let_in(places, "d", "peer") == ["b"]
    assert let_in(places, "e", "peer") == ["c"]
    assert let_in(places, "f", "peer") == ["a"]


def test_who_has_a_reason_to_stay_goes_last() -> None:
    places: Places[str] = Places(3, 3)
    for name in "abc":
        let_in(places, name, "peer")
    places.renew("a", stays=True)
    assert [let_in(places, name, "peer") for name in "defg"] == [["b"], ["c"], ["d"], ["e"]]
    for name in "fg":
        places.renew(name, stays=True)
    assert let_in(places, "h", "peer") == ["a"]


def test_a_peer_at_its_bound_makes_room_for_itself() -> None:
    places: Places[str] = Places(10, 2)
    for name, peer in [("a", "one"), ("x", "other"), ("b", "one")]:
        assert let_in(places, name, peer) == []
    assert let_in(places, "c", "one") == ["a"]
    assert len(places) == 3


def test_when_all_places_are_taken_the_peer_with_most_gives_one_up() -> None:
    places: Places[str] = Places(4, 4)
    for name, peer in [("x", "other"), ("a", "one"), ("b", "one"), ("c", "one")]:
        let_in(places, name, peer)
    assert let_in(places, "y", "third") == ["a"]
    assert let_in(places, "z", "fourth") == ["b"]


def test_who_was_busy_when_it_should_go_has_to_go_later() -> None:
    places: Places[str] = Places(5, 3)
    for name, peer in [("x", "other"), *((name, "one") for name in "abcde")]:
        places.put(name, peer)
    assert places.too_many() == ["a", "b"]
    for name in "ab":
        places.remove(name)
    assert places.too_many() == []
    for name in "yz":
        places.put(name, "other")
    assert places.too_many() == ["x"], "of the peers that have as many, the one that came first"


def test_who_is_not_there_is_not_renewed_and_may_be_removed() -> None:
    places: Places[str] = Places(4, 4)
    places.renew("a", stays=False)
    places.remove("a")
    assert len(places) == 0


@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from("pqr"), st.sampled_from(["in", "out", "renew"]))))
def test_the_bounds_hold_whatever_happens(steps: list[tuple[int, str, str]]) -> None:
    places: Places[str] = Places(6, 3)
    inside: dict[str, str] = {}
    for number, peer, what in steps:
        holder = f"{peer}{number}"
        if what == "in" and holder not in inside:
            for gone in let_in(places, holder, peer):
                del inside[gone]
            inside[holder] = peer
        elif what == "out":
            places.remove(holder)
            inside.pop(holder, None)
        else:
            places.renew(holder, stays=random.Random(number).random() < 0.5)
        assert len(places) == len(inside) <= 6
        assert all(list(inside.values()).count(each) <= 3 for each in "pqr")


def test_shares_are_bounded_for_each_and_in_all() -> None:
    shares = Shares(2, 3)
    for owner in "aab":
        assert shares.fits(owner)
        shares.take(owner)
    assert not shares.fits("a")
    assert not shares.fits("c")
    shares.give_back("b")
    assert shares.fits("c")
    assert not shares.fits("a")


def test_the_bounds_of_a_process_leave_places_for_members() -> None:
    for descriptors in (128, 160, 1024, 20_000, 1 << 20):
        bounds = Bounds.within(descriptors)
        ours = descriptors - RESERVED_DESCRIPTORS
        assert bounds.last_descriptor == ours
        assert bounds.strangers + bounds.guests + bounds.callbacks + bounds.kept_for_known <= ours
        assert bounds.strangers_of_a_peer <= bounds.strangers
        assert 0 < bounds.last_free_descriptor < bounds.last_descriptor
        assert bounds.callbacks_of_a_peer > 0
        assert bounds.newcomers_of_a_peer <= ours // 2
