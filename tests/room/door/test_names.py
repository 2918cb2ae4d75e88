"""Names: held by one client at a time, which proves itself by its key."""

from __future__ import annotations

import pytest

from pyrochat import NameTaken, ServerFull
from pyrochat.core.places import Bounds
from pyrochat.room.door.names import MAX_HOLDERS, Names


def test_a_name_is_free_again_when_its_last_holder_is_gone() -> None:
    names = Names()
    names.claim("ana", b"a", "one")
    names.claim("ana", b"a", "other")
    names.release("ana", "one")
    with pytest.raises(NameTaken):
        names.claim("ana", b"b", "stranger")
    names.release("ana", "other")
    names.claim("ana", b"b", "stranger")


@pytest.mark.parametrize(("first", "second"), [(b"a", b"b"), (b"a", None), (None, b"a"), (None, None)])
def test_only_the_same_key_shares_a_name(first: bytes | None, second: bytes | None) -> None:
    names = Names()
    names.claim("ana", first, "one")
    with pytest.raises(NameTaken, match="choose another name"):
        names.claim("ana", second, "other")


def test_one_member_can_not_take_all_connections() -> None:
    names = Names()
    for number in range(MAX_HOLDERS):
        names.claim("ana", b"a", number)
    with pytest.raises(ServerFull, match="close some"):
        names.claim("ana", b"a", "one more")
    with pytest.raises(ServerFull, match="close some"):
        names.share("ana", 0, "a session more")
    names.claim("igor", b"a", "another's")


def test_different_names_do_not_meet() -> None:
    names = Names()
    names.claim("ana", None, "one")
    names.claim("igor", None, "other")


def test_a_session_holds_the_name_of_its_connection() -> None:
    names = Names()
    names.claim("ana", b"a", "connection")
    names.share("ana", "connection", "session")
    names.release("ana", "connection")
    with pytest.raises(NameTaken):
        names.claim("ana", b"b", "stranger")
    names.claim("ana", b"a", "again")


def test_a_member_keeps_its_name_over_a_restart() -> None:
    names = Names({"ana": b"a"}.get)
    names.keep("ana", "ghost")
    with pytest.raises(NameTaken):
        names.claim("ana", b"b", "stranger")
    names.claim("ana", b"a", "itself")
    names.release("ana", "ghost")
    with pytest.raises(NameTaken):
        names.claim("ana", b"b", "stranger")


def test_release_is_idempotent_and_takes_a_stranger() -> None:
    names = Names()
    names.claim("ana", b"a", "one")
    names.release("ana", "other")
    names.release("igor", "one")
    names.release("ana", "one")
    names.release("ana", "one")
    names.claim("ana", b"b", "next")


def test_a_room_that_is_opened_late_takes_no_name_from_who_has_it() -> None:
    names = Names()
    names.claim("igor", None, "a guest's connection")
    names.keep("igor", "a place in a view")
    with pytest.raises(NameTaken):
        names.claim("igor", b"a key", "another's connection")
    names.release("igor", "a guest's connection")
    names.release("igor", "a place in a view")
    names.claim("igor", b"a key", "another's connection")


# -- how much of it ----------------------------------------------------------------------------------------------


def test_found_4_one_key_has_so_many_connections_under_all_its_names() -> None:
    names = Names(bounds=Bounds(of_a_key=3))
    names.claim("ana", b"a", "one")
    names.claim("anita", b"a", "two")
    names.share("anita", "two", "a session")
    with pytest.raises(ServerFull, match="your key has 3 connections here already: close some"):
        names.claim("annie", b"a", "one more")
    names.claim("igor", b"b", "another's")
    names.release("anita", "a session")
    names.claim("annie", b"a", "one more")


def test_found_4_new_keys_of_one_address_share_its_connections_and_known_ones_do_not() -> None:
    names = Names(bounds=Bounds(newcomers_of_a_peer=2))
    names.claim("ana", b"a", "one", "192.0.2.1", is_known=False)
    names.share("ana", "one", "a session")
    with pytest.raises(ServerFull, match="new here"):
        names.claim("igor", b"b", "another's", "192.0.2.1", is_known=False)
    names.claim("igor", b"b", "from elsewhere", "192.0.2.2", is_known=False)
    names.claim("zoe", b"c", "a known one", "192.0.2.1", is_known=True)
    names.release("ana", "one")
    names.claim("igor", b"b", "another's", "192.0.2.1", is_known=False)


def test_found_4_guests_have_so_many_sessions_of_one_address_and_in_all() -> None:
    names = Names(bounds=Bounds(guests=3, guests_of_a_peer=2))
    for number in range(5):  # their connections make room for others, elsewhere
        names.claim(f"guest{number}", None, number, "192.0.2.1")
    names.share("guest0", 0, "session 0")
    names.share("guest1", 1, "session 1")
    with pytest.raises(ServerFull, match="has a key"):
        names.share("guest2", 2, "session 2")
    names.claim("igor", None, "igor", "192.0.2.2")
    names.claim("zoe", None, "zoe", "192.0.2.2")
    names.share("igor", "igor", "igor's session")
    with pytest.raises(ServerFull):
        names.share("zoe", "zoe", "zoe's session")
    names.release("guest0", "session 0")
    names.share("zoe", "zoe", "zoe's session")


def test_found_5_who_holds_a_name_no_more_opens_no_session_under_it() -> None:
    """Given a guest whose connection has gone, and another who came under the name, then the first gets no part of it."""
    names = Names()
    names.claim("ana", None, "gone")
    names.release("ana", "gone")
    names.claim("ana", None, "another")
    with pytest.raises(NameTaken, match="connect again"):
        names.share("ana", "gone", "a session")
    names.release("ana", "another")
    with pytest.raises(NameTaken, match="connect again"):
        names.share("ana", "gone", "a session")
