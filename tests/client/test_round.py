"""Going round the servers that may have a room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from pyrochat import Server
from pyrochat.client.finding import Candidate, Finder
from pyrochat.client.place import RoomPlace
from pyrochat.client.round import Round
from pyrochat.values.addresses import Address
from pyrochat.values.errors import (
    Banned,
    LogDamaged,
    NameServerNotFound,
    PyroChatError,
    RoomNotFound,
    RoomUnreachable,
    VersionMismatch,
)
from tests.support import address_of, free_port

A, B, C, D = [(host, 5679) for host in "abcd"]
KEY = b"k" * 32
PLACE = RoomPlace(A, "lobby", None, "known", None, "log", "base", "closed")


class Found:
    """A finder that finds what a test says."""

    def __init__(self, *addresses: Address) -> None:
        self.addresses = list(addresses)
        self.absent: set[Address] = set()
        self.error: PyroChatError | None = None
        self.count = 0
        self.near: Sequence[RoomPlace] = ()

    def candidates(self) -> list[Candidate]:
        self.count += 1
        if self.error is not None:
            raise self.error
        return [Candidate(address, lambda seconds, address=address: self._at(address)) for address in self.addresses]

    def _at(self, address: Address) -> RoomPlace:
        if address in self.absent:
            raise RoomUnreachable(f"nothing at {address[0]}")
        return replace(PLACE, address=address)

    def known_log(self, place: RoomPlace) -> str:
        return place.log_known_as

    def remember(
        self, place: RoomPlace, server_key: bytes, certificate: bytes, log_id: str | None, servers: Sequence[Address] = ()
    ) -> None:  # fmt: skip
        """Nothing is."""

    def beside(self, room: str, places: Sequence[RoomPlace]) -> Finder:
        self.near = places
        return self


def let_in(going: Round, address: Address, *servers: Address) -> None:
    """The server at *address*, which says that the room is at *servers*, has let us in."""
    going.let_in(replace(PLACE, address=address), KEY, b"", None, servers)


def found(going: Round, count: int) -> list[Address]:
    return [going.find().address for _ in range(count)]


def test_whoever_has_lost_a_server_tries_the_others_and_then_looks_anew() -> None:
    finder = Found(A)
    going = Round(finder)
    place = going.find()
    assert (place.address, going.is_cluster, going.next) == (A, False, "")
    let_in(going, A, A, B, C)
    assert going.is_cluster
    assert going.next == "b:5679"
    others = [going.find(), going.find()]
    assert [other.address for other in others] == [B, C]
    assert {other.server_key for other in others} == {KEY}, "they share it"
    assert [(other.known_as, other.log_known_as, other.closed) for other in others] == [("known", "log", "closed")] * 2
    assert finder.count == 1, "the name server is not asked for them"
    assert found(going, 3) == [A, B, C], "a round has all that were heard of"
    assert finder.count == 2


def test_a_server_that_hears_no_others_for_a_while_has_them_all_the_same() -> None:
    going = Round(Found(A))
    let_in(going, A, A, B, C)
    let_in(going, B, B, C)
    assert found(going, 2) == [C, A], "first those that are named now"
    let_in(going, A, A)
    assert sorted(found(going, 2)) == [B, C]


def test_all_that_were_heard_of_are_tried_again_when_the_name_server_is_gone() -> None:
    finder = Found(A, D)
    going = Round(finder)
    found(going, 1)
    let_in(going, A, A, B)
    finder.error = NameServerNotFound("gone")
    assert found(going, 2) == [B, D]
    for _ in range(2):
        assert sorted(found(going, 3)) == [A, B, D]
        assert going.next == ""


def test_where_the_name_server_is_gone_the_only_server_is_remembered_too_and_needs_its_key() -> None:
    finder = Found(A)
    going = Round(finder)
    let_in(going, going.find().address)
    finder.error = NameServerNotFound("gone")
    assert going.find() == replace(PLACE, server_key=KEY)
    finder.error = RoomNotFound("there is no such room any more")
    with pytest.raises(RoomNotFound):
        going.find()


def test_before_anybody_has_let_us_in_nothing_is_remembered() -> None:
    finder = Found(A)
    going = Round(finder)
    going.find()
    finder.error = NameServerNotFound("gone")
    with pytest.raises(NameServerNotFound):
        going.find()


def test_a_place_where_nobody_answers_is_followed_by_the_next_at_once() -> None:
    finder = Found(A, B)
    finder.absent = {A}
    going = Round(finder)
    assert found(going, 1) == [B]
    finder.absent = {A, B}
    with pytest.raises(RoomUnreachable, match="nothing at a"):
        going.find()


def test_the_one_that_has_let_us_in_last_is_the_first_of_a_round() -> None:
    going = Round(Found(A, B, C))
    found(going, 2)
    let_in(going, B)
    assert found(going, 3) == [B, A, C]


def test_one_that_has_let_us_in_is_not_among_the_others_that_are_next() -> None:
    going = Round(Found(A))
    let_in(going, A, A, B)
    let_in(going, B, A, B)
    assert going.next == "a:5679"
    assert found(going, 1) == [A]
    assert going.next == ""


def test_a_room_beside_is_looked_for_where_we_are_first_and_at_its_siblings() -> None:
    finder = Found(A)
    going = Round(finder)
    let_in(going, A)
    going.beside("tea")
    assert [place.address for place in finder.near] == [A]
    let_in(going, B, A, B, C)
    going.beside("tea")
    assert [(place.address, place.server_key) for place in finder.near] == [(B, KEY), (A, KEY), (C, KEY)]


@pytest.mark.parametrize(
    ("errors", "is_hopeful"),
    [
        ([RoomUnreachable("a"), RoomUnreachable("b")], True),
        ([LogDamaged("a"), RoomUnreachable("b")], True),
        ([RoomUnreachable("a"), LogDamaged("b")], True),
        ([VersionMismatch("a"), RoomUnreachable("b")], True),
        ([LogDamaged("a"), VersionMismatch("b")], False),
        ([Banned("a"), RoomUnreachable("b")], False),
        ([RoomUnreachable("a"), Banned("b")], False),
    ],
)
def test_there_is_hope_while_one_may_let_us_in_and_none_has_refused_us(
    errors: list[PyroChatError], is_hopeful: bool
) -> None:
    going = Round(Found(A, B))
    for _ in range(2):
        going.find()
        assert going.failed(errors[0]), "there is another one"
        going.find()
        assert going.failed(errors[1]) is is_hopeful


def test_places_that_nobody_answered_at_leave_hope_too() -> None:
    finder = Found(A, B)
    finder.absent = {A}
    going = Round(finder)
    going.find()
    assert going.failed(LogDamaged("b"))


def test_another_server_is_turned_to_only_where_it_answers(server: Server) -> None:
    going = Round(Found(A))
    dead = ("localhost", free_port())
    let_in(going, A, A, dead)
    assert not going.turn_to_one_that_answers()
    assert found(going, 1) == [dead]
    let_in(going, A, A, dead, address_of(server))
    assert going.turn_to_one_that_answers()
    assert found(going, 2) == [address_of(server), dead]
