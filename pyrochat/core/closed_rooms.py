"""Who may enter the closed rooms: the part of the registry (`core.registry`) that is about them.

A closed room has a random id, and a title that is only a label. Who may enter is a name *with* its key: whoever gets the
name later is somebody else. A direct room is the closed room of two, who stay the same two. Every member invites; members
are removed by who created the room, by who invited them, or by themselves: each known by the key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from pyrochat.values.errors import InvalidArgument, NotYours, QuotaUsedUp, RoomNotFound

MAX_DIRECT = 100
"""Direct rooms that one member may open."""
MAX_ENTRANTS = 1_000
"""Members that a closed room may have."""


class ClosedRecord(NamedTuple):
    """A closed room. room: its id. creator: a folded name. creator_key: in hexadecimal. direct: whether it is the room of
    two. since_us: microseconds since 1970."""

    room: str
    title: str
    creator: str
    creator_key: str
    direct: bool
    since_us: int


class Entrant(NamedTuple):
    """Somebody who may enter the closed room *room*; *removed*: who could once. name: as it is spelled. key, and
    inviter, who let them in by that key of theirs: in hexadecimal."""

    room: str
    member: str
    name: str
    key: str
    inviter: str
    removed: bool = False


class CreateClosed(NamedTuple):
    """A closed room; nothing changes where it is there, and where it is a direct one and the two have one. people: of each
    the folded name, the name, and the key in hexadecimal; the first creates it."""

    room: str
    title: str
    direct: bool
    people: Sequence[Sequence[str]]


class Invite(NamedTuple):
    """*by*, whose key is *by_key*, lets somebody into a closed room."""

    room: str
    by: str
    by_key: str
    member: str
    name: str
    key: str


class Remove(NamedTuple):
    """*by*, whose key is *by_key*, shuts somebody out of a closed room."""

    room: str
    by: str
    by_key: str
    member: str


class ClosedState(Protocol):
    """What is known of closed rooms."""

    def closed(self, room: str) -> ClosedRecord | None:
        """The closed room of this id."""

    def entrants(self, room: str) -> Mapping[str, Entrant]:
        """By folded name, who may enter that room, or could once."""

    def direct(self, one: tuple[str, str], other: tuple[str, str]) -> str | None:
        """The id of the direct room of two, each a folded name and a key."""

    def direct_count(self, creator_key: str) -> int:
        """How many direct rooms who has this key has opened."""


@dataclass(frozen=True, slots=True)
class ClosedChanges:
    """What a command changes: rooms by their ids, None for one that goes; entrants that are new, or changed."""

    rooms: Mapping[str, ClosedRecord | None] = field(default_factory=dict)
    entrants: Sequence[Entrant] = ()

    def __bool__(self) -> bool:
        return bool(self.rooms or self.entrants)


def apply_closed(state: ClosedState, command: CreateClosed | Invite | Remove, time_us: int) -> ClosedChanges:
    """What *command* changes of *state*, at *time_us* by the order's clock.

    Raises InvalidArgument, RoomNotFound, NotYours, QuotaUsedUp: nothing changes then.
    """
    match command:
        case CreateClosed():
            return _create(state, command, time_us)
        case Invite():
            return _invite(state, command)
        case Remove():
            return _remove(state, command)


def _create(state: ClosedState, command: CreateClosed, time_us: int) -> ClosedChanges:
    room, title, direct, people = command
    (creator, _, key), *others = people
    if state.closed(room) is not None:
        return ClosedChanges()
    if direct:
        [(other, _, others_key)] = others
        if state.direct((creator, key), (other, others_key)) is not None:
            return ClosedChanges()
        if state.direct_count(key) >= MAX_DIRECT:
            raise QuotaUsedUp(f"you have opened {MAX_DIRECT} direct rooms here: that is the most")
    entrants = [Entrant(room, member, name, own_key, key) for member, name, own_key in people]
    if len(entrants) > MAX_ENTRANTS:
        raise InvalidArgument(f"a closed room has {MAX_ENTRANTS:,} members at the most")
    return ClosedChanges({room: ClosedRecord(room, title, creator, key, direct, time_us)}, entrants)


def _entered(state: ClosedState, room: str, by: str, by_key: str) -> tuple[ClosedRecord, Mapping[str, Entrant]]:
    """The closed room, and who may enter it, for one of them; for all others there is no such room."""
    closed, entrants = state.closed(room), state.entrants(room)
    found = entrants.get(by)
    if closed is None or found is None or found.removed or found.key != by_key:
        raise RoomNotFound("there is no such room on this server")
    if closed.direct:
        raise InvalidArgument("a direct room is for its two: create a closed room for more")
    return closed, entrants


def _invite(state: ClosedState, command: Invite) -> ClosedChanges:
    room, by, by_key, member, name, key = command
    _, entrants = _entered(state, room, by, by_key)
    known = entrants.get(member)
    if known is not None and not known.removed and known.key == key:
        return ClosedChanges()
    if sum(not entrant.removed for entrant in entrants.values()) >= MAX_ENTRANTS:
        raise InvalidArgument(f"a closed room has {MAX_ENTRANTS:,} members at the most")
    return ClosedChanges(entrants=[Entrant(room, member, name, key, by_key)])


def _remove(state: ClosedState, command: Remove) -> ClosedChanges:
    room, by, by_key, member = command
    closed, entrants = _entered(state, room, by, by_key)
    known = entrants.get(member)
    if known is None:
        raise InvalidArgument("nobody of that name was let in here")
    if by_key not in (closed.creator_key, known.inviter, known.key):
        raise NotYours(f"{known.name} is removed by who created the room, or by who invited {known.name}")
    return ClosedChanges() if known.removed else ClosedChanges(entrants=[known._replace(removed=True)])
