"""Who is missed, and who is suspected."""

from __future__ import annotations

import pytest

from pyrochat.orders.lamport.presence import Presence, Who
from pyrochat.values.errors import InvalidArgument

MEMBERS = ("ana", "igor", "zoe", "eva")


def who(site: str, *missed: str, home: str = "", is_leaving: bool = False) -> Who:
    return Who(site, "n", site, "", home or f"{site}/1", 1, 1, missed, is_leaving)


def presence() -> Presence:
    """Of ana, which has heard all at 0."""
    made = Presence("ana", 0.0, 3.0, 1.5, {})
    for site in MEMBERS[1:]:
        made.heard(who(site), 0.0)
    return made


def test_whom_all_miss_is_suspected() -> None:
    it = presence()
    it.heard(who("igor", "zoe"), 4.0)
    it.heard(who("eva", "zoe"), 4.0)
    assert it.missed(MEMBERS, 4.0) == ["zoe"]
    assert it.suspected(MEMBERS, 4.0) == ["zoe"]


def test_whom_only_this_one_misses_is_suspected_much_later() -> None:
    it = presence()
    it.heard(who("igor"), 4.0)
    it.heard(who("eva"), 4.0)
    assert it.missed(MEMBERS, 4.0) == ["zoe"]
    assert it.suspected(MEMBERS, 4.0) == []
    it.heard(who("igor"), 9.5)
    it.heard(who("eva"), 9.5)
    assert it.suspected(MEMBERS, 9.5) == ["zoe"]


def test_who_hears_nobody_suspects_all() -> None:
    assert presence().suspected(MEMBERS, 4.0) == ["eva", "igor", "zoe"]


def test_who_was_held_up_begins_to_wait_anew() -> None:
    it = presence()
    it.look(0.0)
    it.look(10.0)
    assert it.suspected(MEMBERS, 10.0) == []
    assert len(it.suspected(MEMBERS, 13.5)) == 3


def test_a_run_that_has_another_after_it_is_gone_at_once() -> None:
    it = presence()
    assert it.is_alive("igor/1", 1.0)
    it.heard(who("igor", home="igor/2"), 1.0)
    assert not it.is_alive("igor/1", 1.0)
    assert it.is_alive("igor/2", 1.0)
    assert not it.is_alive("igor/2", 5.0)


def test_a_site_goes_over_the_wire_as_it_is() -> None:
    one = who("ana", "igor", "zoe", is_leaving=True)
    assert Who.of(one.packed()) == one


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "[1,2,3,4,5,6,7,[],true]", None, '["a","b","c","d","e",1,1,[3],true]']
)
def test_what_is_no_site_is_refused(text: object) -> None:
    with pytest.raises(InvalidArgument):
        Who.of(text)
