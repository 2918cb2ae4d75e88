"""The registry as a function of its log: which name belongs to which key, who is banned, which rooms were created, and
(`core.closed_rooms`) who may enter the closed ones.

As of a room (`core.room`): what is wanted are commands, plain values; `apply` says what they change, and only that changes
the registry. It looks at nothing but the state it is given: no clock, nothing random, and no folding of names, which the
door has done (Unicode differs between Python versions).

A name belongs to the first key that used it, until the operator frees it. Names that an older version took for two, and
that are one since names are compared after NFKC, are *rivals*: the older one has the name, the younger waits beside it
until the operator frees one of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from pyrochat.core.closed_rooms import ClosedChanges, ClosedState, CreateClosed, Invite, Remove, apply_closed
from pyrochat.values.errors import Banned, InvalidArgument, LogUnreadable, NameTaken


class NameRecord(NamedTuple):
    """Whose a name is. member: the folded name; a rival's is none that a name can have. name: as it was
    written first. key: the public key in hexadecimal, None for a banned name without one. since_us: microseconds since
    1970. rival_of: the folded name that it would have, where another has it already."""

    member: str
    name: str
    key: str | None
    since_us: int
    banned: bool = False
    rival_of: str | None = None


class RoomRecord(NamedTuple):
    """A room that *creator* made while a server ran. room: its folded name. since_us: microseconds since 1970."""

    room: str
    name: str
    creator: str
    since_us: int


class Claim(NamedTuple):
    """*key* (in hexadecimal) uses the name: it is the key's, where it is nobody's yet."""

    member: str
    name: str
    key: str


class Free(NamedTuple):
    """The name is the next key's that uses it. Of rivals the one that is spelled like *name* is meant."""

    member: str
    name: str


class Ban(NamedTuple):
    """Nobody gets in under the name, and its key under none."""

    member: str
    name: str


class Unban(NamedTuple):
    """A ban is taken back."""

    member: str
    name: str


class CreateRoom(NamedTuple):
    """A member makes a room: each start of a server hosts it again."""

    room: str
    name: str
    creator: str


class ForgetRoom(NamedTuple):
    """It is not hosted at the next start any more."""

    room: str
    name: str


class Restore(NamedTuple):
    """What a registry of an older version knew of a name."""

    member: str
    name: str
    key: str | None
    since_us: int
    banned: bool
    rival_of: str | None


RegistryCommand = Claim | Free | Ban | Unban | CreateRoom | ForgetRoom | CreateClosed | Invite | Remove | Restore

_NAMES: Mapping[type[Any], str] = {
    Claim: "claim", Free: "free", Ban: "ban", Unban: "unban", CreateRoom: "create-room", ForgetRoom: "forget-room",
    CreateClosed: "create-closed", Invite: "invite", Remove: "remove", Restore: "restore",
}  # fmt: skip
_KINDS: Mapping[object, Any] = {name: kind for kind, name in _NAMES.items()}


def command_to_wire(command: RegistryCommand) -> list[object]:
    """*command* as a list of strings, numbers, booleans and None, its kind first."""
    return [_NAMES[type(command)], *command]


def command_from_wire(fields: Sequence[Any]) -> RegistryCommand:
    """The command that `command_to_wire` made *fields* of; raises LogUnreadable for one of a later version."""
    try:
        kind, *rest = fields
        command: RegistryCommand = _KINDS[kind](*rest)
    except (TypeError, ValueError, KeyError):
        raise LogUnreadable("the registry has entries of a later version of PyroChat: upgrade it") from None
    return command


class RegistryState(ClosedState, Protocol):
    """What `apply` reads."""

    def name(self, member: str) -> NameRecord | None:
        """Who has the folded name *member*."""

    def rivals(self, member: str) -> list[NameRecord]:
        """Those that would have it too, the oldest first."""

    def is_banned(self, member: str, key: str | None) -> bool:
        """Whether the folded name *member* is banned, or the key of a banned name is *key*."""

    def room(self, room: str, name: str) -> RoomRecord | None:
        """The room that is spelled *name*, or else has the folded name *room*."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a command changes: records by `member` and by `room`; None for one that goes."""

    names: Mapping[str, NameRecord | None] = field(default_factory=dict)
    rooms: Mapping[str, RoomRecord | None] = field(default_factory=dict)
    closed: ClosedChanges = field(default_factory=ClosedChanges)

    def __bool__(self) -> bool:
        return bool(self.names or self.rooms or self.closed)


def apply(state: RegistryState, command: RegistryCommand, time_us: int) -> Changes:
    """What *command* changes of *state*, at *time_us* by the order's clock.

    Raises NameTaken, Banned, InvalidArgument, RoomNotFound, NotYours, QuotaUsedUp: nothing changes then.
    """
    match command:
        case Claim(member, name, key):
            return _claim(state, NameRecord(member, name, key, time_us))
        case Free(member, name):
            return _free(state, member, _meant(state, member, name), name)
        case Ban(member, name):
            banned = _meant(state, member, name) or NameRecord(member, name, None, time_us)
            return Changes({banned.member: banned._replace(banned=True)})
        case Unban(member, name):
            found = _meant(state, member, name)
            if found is None or not found.banned:
                raise InvalidArgument(f"the name {name!r} is not banned here")
            return Changes({found.member: None if found.key is None else found._replace(banned=False)})
        case CreateRoom(room, name, creator):
            known = state.room(room, name)
            return Changes() if known is not None else Changes(rooms={room: RoomRecord(room, name, creator, time_us)})
        case ForgetRoom(room, name):
            closed = state.closed(room)
            if closed is not None:
                return Changes(closed=ClosedChanges({room: None}))
            known = state.room(room, name)
            if known is None:
                raise InvalidArgument(f"no room {name!r} was created here: rooms of room= are not remembered")
            return Changes(rooms={known.room: None})
        case CreateClosed() | Invite() | Remove():
            return Changes(closed=apply_closed(state, command, time_us))
        case Restore():
            return Changes({command.member: NameRecord(*command)})


def taken(name: str, rival: str | None = None) -> NameTaken:
    """What to say to who wants *name*, which another key has. rival: the name of that, where it was another one before."""
    if rival is None:
        return NameTaken(
            f"the name {name!r} belongs to another key: choose another name, or bring your key from where you "
            "used it (pyrochat key export); the server's operator can free the name"
        )
    return NameTaken(
        f"the name {name!r} is the same as {rival!r} now, which another key had before yours: choose another name, or ask "
        "the server's operator to free one of the two (pyrochat-server names remove)"
    )


def _claim(state: RegistryState, wanted: NameRecord) -> Changes:
    if state.is_banned(wanted.member, wanted.key):
        raise Banned(f"the name {wanted.name!r} is banned here")
    known = state.name(wanted.member)
    if known is None:
        return Changes({wanted.member: wanted})
    if known.key not in (None, wanted.key):
        is_rival = any(rival.key == wanted.key for rival in state.rivals(wanted.member))
        raise taken(wanted.name, known.name if is_rival else None)
    return Changes() if known.key == wanted.key else Changes({known.member: known._replace(key=wanted.key)})


def _meant(state: RegistryState, member: str, name: str) -> NameRecord | None:
    """Whom the operator means by *name*: of rivals the one that is spelled so."""
    known = state.name(member)
    return next((rival for rival in state.rivals(member) if rival.name == name), known)


def _free(state: RegistryState, member: str, freed: NameRecord | None, name: str) -> Changes:
    if freed is None:
        raise InvalidArgument(f"no key has the name {name!r} here")
    if freed.banned:
        raise InvalidArgument(f"the name {name!r} is banned here: unban it first")
    rivals = state.rivals(member)
    if freed.rival_of is not None or not rivals:
        return Changes({freed.member: None})
    heir = rivals[0]  # who has waited longest
    return Changes({heir.member: None, member: heir._replace(member=member, rival_of=None)})
