"""Keys: whose they are, where a name alone doesn't say it."""

from __future__ import annotations

from pyrochat.values.keys import guest_mark, key_owner


def test_found_12_a_guest_is_the_client_that_says_so_and_else_nobody_again() -> None:
    assert guest_mark("one") == guest_mark("one") != guest_mark("two")
    assert guest_mark(None) != guest_mark(None)
    assert guest_mark("") != guest_mark(None)


def test_found_12_a_guests_keys_are_neither_its_names_nor_another_guests() -> None:
    owners = [key_owner("ana"), *(key_owner("ana", guest_mark(client)) for client in ("one", "two", "", None, None))]
    assert len(set(owners)) == len(owners)
    assert owners[0] == "ana"
