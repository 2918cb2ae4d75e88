"""The door: what is looked at before a newcomer gets a name."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Hashable, Iterator
from pathlib import Path

import pytest

from pyrochat.pyro.connection import Connection
from pyrochat.room.door.door import Access, Door
from pyrochat.room.door.identity import Identity
from pyrochat.room.door.names import Names
from pyrochat.room.door.registry import Registry
from pyrochat.trust.keys import Key
from pyrochat.trust.proofs import Meeting, new_nonce
from pyrochat.values.errors import Banned, NameTaken, PyroChatError, ServerFull

ROOM = "pyrochat.lobby"


class WatchedNames(Names):
    """Takes down who has held a name, for however short."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[tuple[str, bytes | None]] = []

    def claim(self, member: str, key: bytes | None, holder: Hashable, peer: str = "", is_known: bool = True) -> None:
        super().claim(member, key, holder, peer, is_known)
        self.held.append((member, key))


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with contextlib.closing(Registry(tmp_path)) as registry:
        yield registry


@pytest.fixture
def names() -> WatchedNames:
    return WatchedNames()


@pytest.fixture
def door(registry: Registry, names: WatchedNames) -> Door:
    return Door(registry, names, Key.made(), b"", Access())


@pytest.fixture
def connect() -> Iterator[Callable[[], Connection]]:
    with contextlib.ExitStack() as undo:
        listening = undo.enter_context(socket.create_server(("127.0.0.1", 0)))

        def connected() -> Connection:
            undo.enter_context(socket.create_connection(listening.getsockname()))
            return Connection(undo.enter_context(listening.accept()[0]), 65_536)

        yield connected


def come(door: Door, connection: Connection, name: str, key: Key | None) -> None:
    """As a guest, or with a key. Raises what keeps it out."""
    if key is None:
        door.greet(connection, {"name": name})
        return
    nonce = new_nonce()
    answer = door.greet(connection, {"name": name, "key": key.public.hex(), "nonce": nonce.hex(), "room": ROOM})
    assert isinstance(answer, dict)
    meeting = Meeting(
        name, key.public, nonce, ROOM, bytes.fromhex(answer["key"]), bytes.fromhex(answer["nonce"]), b""
    )  # fmt: skip
    door.prove(connection, ROOM, key.sign(meeting.for_client()).hex(), None)


def refusal(door: Door, connection: Connection, name: str, key: Key | None) -> type[PyroChatError]:
    with pytest.raises(PyroChatError) as caught:
        come(door, connection, name, key)
    assert not isinstance(connection.identity, Identity)
    assert not connection.trusted
    return type(caught.value)


@pytest.mark.parametrize("stranger", [None, Key.made()], ids=["a guest", "another key"])
def test_found_5_a_name_is_never_held_by_whom_it_does_not_belong_to(
    door: Door, registry: Registry, names: WatchedNames, connect: Callable[[], Connection], stranger: Key | None
) -> None:
    owner = Key.made()
    registry.claim("Ana", owner.public)
    assert refusal(door, connect(), "ANA", stranger) is NameTaken
    assert names.held == []
    come(door, connect(), "Ana", owner)
    assert names.held == [("ana", owner.public)]


def test_found_5_who_is_banned_holds_no_name(
    door: Door, registry: Registry, names: WatchedNames, connect: Callable[[], Connection]
) -> None:
    key = Key.made()
    registry.claim("Ana", key.public)
    registry.ban("Ana")
    for name, given in (("Ana", None), ("Ana", key), ("Other", key)):
        assert refusal(door, connect(), name, given) is Banned
    assert names.held == []


def test_found_5_who_gets_no_place_gets_no_name(
    door: Door, registry: Registry, names: WatchedNames, connect: Callable[[], Connection]
) -> None:
    crowded = connect()
    crowded.crowded = True
    assert refusal(door, crowded, "Ana", Key.made()) is ServerFull
    assert (names.held, registry.entries()) == ([], [])


def test_who_has_a_key_is_vouched_for_and_a_guest_is_not(door: Door, connect: Callable[[], Connection]) -> None:
    guest, member = connect(), connect()
    come(door, guest, "Igor", None)
    come(door, member, "Ana", Key.made())
    assert (guest.trusted, guest.vouched) == (True, False)
    assert (member.trusted, member.vouched) == (True, True)
