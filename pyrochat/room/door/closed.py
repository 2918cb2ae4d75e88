"""Closed rooms: who may enter them. What is decided in `core.registry` is asked for, and remembered for each call, here."""

import base64
import hashlib
import secrets
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pyrochat.core.closed_names import Titled
from pyrochat.core.closed_rooms import ClosedRecord, CreateClosed, Entrant, Invite, Remove
from pyrochat.room.door.identity import Identity
from pyrochat.storage.registry_file import RegistryFile, Tables
from pyrochat.values.errors import GuestsRefused, InvalidArgument, RemovedFromRoom, RoomNotFound
from pyrochat.values.rules import CLOSED, checked_name, fold

_ID_BYTES = 16


class _People(NamedTuple):
    """Those who may enter a room, and those who could once: folded names with their keys."""

    inside: frozenset[tuple[str, bytes]] = frozenset()
    removed: frozenset[tuple[str, bytes]] = frozenset()


_NOBODY = _People()


class ClosedRooms:
    """The closed rooms that *registry* knows. Any thread may call.

    For whoever may not enter a room it is not there: every method says RoomNotFound then, in the words of a server that
    has none. All but `may_enter` and `check` raise LogUnavailable where the file fails.
    """

    def __init__(self, registry: RegistryFile) -> None:
        self._registry = registry
        self._changing = threading.Lock()
        self._entrants: dict[str, _People] = {}  # by room's id; replaced, never changed: a check waits for nobody
        self.look()

    def look(self) -> None:
        """See who may enter which room now: another process may have changed it. A room that is forgotten is hosted until
        the server stops."""
        with self._changing, self._registry.reading() as tables:
            self._entrants = self._entrants | {
                room.room: _entrants(tables, room.room) for room in tables.closed_rooms()
            }

    def _changed(self, room: str) -> None:
        with self._changing, self._registry.reading() as tables:
            self._entrants = self._entrants | {room: _entrants(tables, room)}

    # -- who may enter ----------------------------------------------------------------------------------------

    def may_enter(self, room: str, identity: Identity) -> bool:
        """Whether *identity* may enter the room of this id."""
        return (identity.member, identity.key) in self._entrants.get(room, _NOBODY).inside

    def check(self, room: str, identity: Identity) -> None:
        """Raise RoomNotFound where *identity* may not enter, RemovedFromRoom where it could once."""
        people = self._entrants.get(room, _NOBODY)
        if (identity.member, identity.key) in people.inside:
            return
        if (identity.member, identity.key) in people.removed:
            raise RemovedFromRoom("you were removed from this room: who is in it can invite you again")
        raise RoomNotFound("there is no such room on this server")

    def key_of(self, room: str, member: str) -> bytes | None:
        """The key with which the folded name *member* may enter."""
        keys = (key for entrant, key in self._entrants.get(room, _NOBODY).inside if entrant == member)
        return next(keys, None)

    # -- which there are --------------------------------------------------------------------------------------

    def all(self) -> list[ClosedRecord]:
        """All of them, for who hosts them."""
        with self._registry.reading() as tables:
            return tables.closed_rooms()

    def of(self, identity: Identity) -> list[Titled]:
        """The titles and ids of those that *identity* may enter, in the order in which they came."""
        with self._registry.reading() as tables:
            found = tables.closed_rooms_of(identity.member)
        return [(room.title, room.room) for room, _ in found if self.may_enter(room.room, identity)]

    # -- what is wanted of them ---------------------------------------------------------------------------------

    def create(self, identity: Identity, title: str, names: Sequence[str], once: str | None) -> str:
        """A closed room for *identity* and *names*; returns its id. once: where the same is asked again under it, there is
        one room. Raises GuestsRefused, InvalidArgument for a name without a key here.
        """
        own, key = _own(identity)
        room = _id(secrets.token_bytes() if once is None else hashlib.sha256(key + once.encode()).digest())
        people = {own[0]: own}
        for name in names:
            entrant = self._known(name)
            people.setdefault(entrant[0], entrant)
        self._registry.submit(CreateClosed(room, title, False, list(people.values())))
        self._changed(room)
        return room

    def direct(self, identity: Identity, name: str, check_new: Callable[[], None]) -> tuple[str, bool]:
        """The id of the room of *identity* and *name*, and whether it is new. check_new: raises where none may be opened.

        Raises GuestsRefused, InvalidArgument, QuotaUsedUp.
        """
        own, _ = _own(identity)
        other = self._known(name)
        if other[0] == own[0]:
            raise InvalidArgument("that is you: a direct room is for two")
        if (found := self.direct_of(own, other)) is not None:
            return found, False
        check_new()
        title = CLOSED.join(entrant[1] for entrant in sorted((own, other)))
        wanted = _id(secrets.token_bytes())
        self._registry.submit(CreateClosed(wanted, title, True, [own, other]))
        room = self.direct_of(own, other)  # which both may have asked for at the same time
        assert room is not None
        self._changed(room)
        return room, room == wanted

    def title(self, room: str) -> str:
        """The title of the room of this id."""
        with self._registry.reading() as tables:
            found = tables.closed(room)
        return "" if found is None else found.title

    def direct_of(self, own: Sequence[str], other: Sequence[str]) -> str | None:
        """The id of the direct room of two that is there already."""
        with self._registry.reading() as tables:
            return tables.direct((own[0], own[2]), (other[0], other[2]))

    def invite(self, identity: Identity, room: str, name: str) -> Entrant | None:
        """Let *name* into the room; who that is, None where it was let in before. Raises InvalidArgument."""
        own, _ = _own(identity)
        member, name, key = self._known(name)
        before = self._entrants.get(room, _NOBODY).inside
        self._registry.submit(Invite(room, own[0], own[2], member, name, key))
        self._changed(room)
        is_new = (member, bytes.fromhex(key)) not in before
        return Entrant(room, member, name, key, own[2]) if is_new else None

    def remove(self, identity: Identity, room: str, name: str) -> Entrant:
        """Shut *name* out of the room; returns who that is. Raises InvalidArgument, NotYours."""
        own, _ = _own(identity)
        member = fold(checked_name(name))
        self._registry.submit(Remove(room, own[0], own[2], member))
        self._changed(room)
        with self._registry.reading() as tables:
            return tables.entrants(room)[member]

    def _known(self, name: str) -> list[str]:
        """``[folded name, name, key in hexadecimal]`` of *name*. Raises InvalidName, InvalidArgument where no key has it."""
        member = fold(checked_name(name))
        with self._registry.reading() as tables:
            known = tables.name(member)
        if known is None or known.key is None or known.banned:
            raise InvalidArgument(
                f"nobody with a key is called {name!r} here: who is to be let in has to have joined an open room once"
            )
        return [known.member, known.name, known.key]


def _id(of: bytes) -> str:
    return CLOSED + base64.b32encode(of[:_ID_BYTES]).decode().rstrip("=").lower()


def _own(identity: Identity) -> tuple[list[str], bytes]:
    if identity.key is None:
        raise GuestsRefused("closed rooms are for members with a key: come with PyroChat's own client, which has one")
    return [identity.member, identity.name, identity.key.hex()], identity.key


def _entrants(tables: Tables, room: str) -> _People:
    people: dict[bool, set[tuple[str, bytes]]] = {False: set(), True: set()}
    for entrant in tables.entrants(room).values():
        people[entrant.removed].add((entrant.member, bytes.fromhex(entrant.key)))
    return _People(frozenset(people[False]), frozenset(people[True]))
