"""Names: held by one client at a time, which proves itself by its key."""

from __future__ import annotations

import pytest

from pyrochat import NameTaken
from pyrochat.room.names import MAX_HOLDERS, Names


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
    with pytest.raises(NameTaken, match="close some"):
        names.claim("ana", b"a", "one more")
    names.claim("igor", b"a", "another's")


def test_different_names_do_not_meet() -> None:
    names = Names()
    names.claim("ana", None, "one")
    names.claim("igor", None, "other")


def test_a_session_holds_the_name_of_its_connection() -> None:
    names = Names()
    names.claim("ana", b"a", "connection")
    names.share("ana", "session")
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
