"""Keys: a guest's stand in the log with whose they are, and nowhere else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyrochat.values.keys import guest_owner, owned_key, shown_key
from pyrochat.values.rules import MAX_KEY_CHARACTERS

keys = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=MAX_KEY_CHARACTERS)


@given(keys, st.none() | st.text(st.characters(categories=["L", "N", "P"]), max_size=40))
def test_found_12_a_guests_key_is_shown_as_it_was_given(key: str, client: str | None) -> None:
    owned = owned_key(guest_owner(client), key)
    assert owned != key
    assert shown_key(owned) == key
    assert shown_key(key) == key == owned_key("", key)


def test_found_12_an_owner_is_the_client_that_says_so_and_else_nobody_again() -> None:
    assert guest_owner("one") == guest_owner("one") != guest_owner("two")
    assert guest_owner(None) != guest_owner(None)
    assert guest_owner("") != guest_owner(None)
