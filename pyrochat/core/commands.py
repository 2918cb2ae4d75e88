"""Commands: what anybody wants of a room, as plain values; and entries, which say in which order it happens.

Whoever makes a command has checked it: names come in both forms, as they are spelled and folded (Unicode differs
between Python versions, so `core.room` never folds), and whatever has to be random was made there. A command says
what is wanted, never what follows from it: that is decided when it is applied (`core.room`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pyrochat.values.errors import LogUnreadable
from pyrochat.values.message import CHAT

ENTRY_VERSION = 1
"""Of the kinds of commands below. A later version may have others: a replica that meets one stops."""


class Post(NamedTuple):
    """Append texts, consecutive, all or none.

    keys: one for each text, or None. salts: one for each text (`core.digests`). list_key: the one that all of them were
    sent under, if they were; *keys* are its parts then (`core.keys`). mark: a guest's (`values.keys`). appends: where it
    is false, nothing is appended: what the same keys have made before is told, and nothing else. kind, about: of its one
    text; whoever made this has seen that the message *about* is there, and that *sender* may say this of it.
    """

    sender: str
    member: str
    texts: tuple[str, ...]
    keys: tuple[str | None, ...]
    salts: tuple[str, ...]
    list_key: str | None = None
    mark: str = ""
    appends: bool = True
    kind: str = CHAT
    about: int | None = None


class SetTopic(NamedTuple):
    """The room is about *text* from now on; empty: about nothing in particular."""

    sender: str
    text: str
    salt: str


class Open(NamedTuple):
    """A client comes: it gets the session *session*; its member joins, where it is not here.

    salt: of "joined". key: the member's public key, in hexadecimal; None for a guest. home: see `Session`.
    """

    session: str
    member: str
    name: str
    salt: str
    key: str | None = None
    home: str = ""


class Resume(NamedTuple):
    """The session has a connection again, to the server *home*."""

    session: str
    member: str
    home: str = ""


class Lose(NamedTuple):
    """The session's connection to the server *home* is gone: where it has none to another, its member may be suspected
    from now on."""

    session: str
    member: str
    home: str = ""


class End(NamedTuple):
    """The session ends; its member leaves, where that was its last one. salt: of "left".

    lost_at: the number of the entry that has lost the session: it ends only if that is still so. None: however it is.
    So whoever has waited long enough for a lost session only proposes its end, and a client that came back meanwhile stays.
    """

    session: str
    member: str
    salt: str
    lost_at: int | None = None


class Invited(NamedTuple):
    """*sender* has let *name* into the room, which is a closed one; *key*: that one's public key, in hexadecimal."""

    sender: str
    name: str
    key: str
    salt: str


class Removed(NamedTuple):
    """*sender* has shut *member* out, whose public key is *key*: all its sessions end. salts: of "left" and "removed"."""

    sender: str
    member: str
    name: str
    key: str
    salts: tuple[str, str]


class Restarted(NamedTuple):
    """The server *home* was started again, or is gone: all sessions that were connected to it are lost now."""

    home: str = ""


class Declare(NamedTuple):
    """It is proven that messages of the log are missing: nothing is appended until its operator has decided."""

    loss: str


class Upgrade(NamedTuple):
    """All servers can read entries of *version*: from now on its kinds of commands may be handed in."""

    version: int


class OwnCommand:
    """What only one server's own order knows: it is in no entry that others read."""


Command = Post | SetTopic | Open | Resume | Lose | End | Invited | Removed | Restarted | Declare | Upgrade | OwnCommand

POST = "post"

_NAMES: Mapping[type[Any], str] = {
    Post: POST, SetTopic: "topic", Open: "open", Resume: "resume", Lose: "lose", End: "end", Invited: "invited",
    Removed: "removed", Restarted: "restarted", Declare: "declare", Upgrade: "upgrade",
}  # fmt: skip
_KINDS: Mapping[object, Any] = {name: kind for kind, name in _NAMES.items()}


class Entry(NamedTuple):
    """Commands with their place in the order. number: it only grows. time_us: microseconds since 1970, the order's clock.

    source: where several servers hand in entries, which of them has made this one, and its how-manieth it is: one that
    arrives twice, or late, does nothing. tip: the id of the last message that the server had then, and the beginning of
    its digest, in hexadecimal: whoever has another one there has another log.
    """

    number: int
    time_us: int
    commands: tuple[Command, ...]
    source: tuple[str, int] | None = None
    tip: tuple[int, str] = (0, "")


def command_to_wire(command: Command) -> list[object]:
    """*command* as lists, numbers, strings, booleans and None: ``[kind, field …]``."""
    if isinstance(command, OwnCommand):
        raise TypeError(f"{command!r:.60} never travels")
    return [_NAMES[type(command)], *(list(field) if isinstance(field, tuple) else field for field in command)]


def command_from_wire(fields: Sequence[Any]) -> Command:
    """The command that `command_to_wire` made *fields* of; raises LogUnreadable for what nobody, or a later version, has made."""
    try:
        name, *rest = fields
        command: Command = _KINDS[name](*(tuple(field) if isinstance(field, list) else field for field in rest))
    except (TypeError, ValueError, KeyError) as error:
        raise LogUnreadable(f"not a command of this version of PyroChat ({error}): upgrade it") from None
    return command


def entry_to_wire(
    entry: Entry, version: int = ENTRY_VERSION, to_wire: Callable[[Any], list[object]] = command_to_wire
) -> list[object]:
    """*entry* as lists, numbers, strings, booleans and None: ``[version, number, time_us, [[kind, field …] …], source, tip]``."""
    commands = [to_wire(command) for command in entry.commands]
    return [version, entry.number, entry.time_us, commands, entry.source and list(entry.source), list(entry.tip)]


def entry_from_wire(fields: Sequence[Any], from_wire: Callable[[Sequence[Any]], Any] = command_from_wire) -> Entry:
    """The entry that `entry_to_wire` made *fields* of; raises LogUnreadable for what a later version has made, or nobody."""
    try:
        version, number, time_us, commands, source, tip = fields
        if version > ENTRY_VERSION:
            raise LogUnreadable(f"an entry of version {version}, this PyroChat knows up to {ENTRY_VERSION}: upgrade it")
        made = tuple(from_wire(command) for command in commands)
        return Entry(number, time_us, made, None if source is None else (source[0], source[1]), (tip[0], tip[1]))
    except (TypeError, ValueError, IndexError) as error:
        raise LogUnreadable(f"not an entry of this version of PyroChat ({error}): upgrade it") from None
