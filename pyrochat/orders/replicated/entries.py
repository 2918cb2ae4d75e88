"""What stands in a stream: JSON objects of one field each.

- ``{"log": origin}``: the first message; a log begins, or goes on, here. See `Origin`.
- ``{"part": [kind, rows]}``: a piece of the copy of a log that the stream goes on from.
- ``{"entry": […]}``: commands; see `core.commands.entry_to_wire`, or the registry's.
"""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pyrochat.core.commands import POST, Post, command_from_wire
from pyrochat.values.errors import LogUnreadable
from pyrochat.values.message import CHAT

GENERATION_BITS = 40
"""Of an entry's number the lower bits are the stream's sequence, what is above them the generation of the stream."""

MAX_BYTES = 7 * 1024 * 1024
"""Of a message: what is larger is never published. Brokers take 8 MiB, headers included."""

_COPY_BYTES = 1024 * 1024  # a larger part of a copy is cut

END = "end"
"""The kind of the last part of a copy."""


class Origin(NamedTuple):
    """Where a stream begins. identity: of the log. generation: 1, and one more each time the stream was made anew from a copy.
    about: what else the log says of itself; empty for a new one."""

    identity: str
    generation: int = 1
    about: Mapping[str, Any] = {}


class Part(NamedTuple):
    """A piece of a copy."""

    kind: str
    rows: list[Any]


class Fields(NamedTuple):
    """An entry, still as plain values."""

    fields: list[Any]


def to_bytes(content: Origin | Part | Fields) -> bytes:
    """What `read` makes *content* of again."""
    match content:
        case Origin(identity, generation, about):
            value: dict[str, object] = {"log": [identity, generation, dict(about)]}
        case Part(kind, rows):
            value = {"part": [kind, rows]}
        case Fields(fields):
            value = {"entry": fields}
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def copied(parts: Iterable[tuple[str, list[Any]]]) -> Iterator[bytes]:
    """The messages that hold *parts*, each in as many as it needs; sessions in one, as they replace those that are there."""
    for kind, rows in parts:
        data = to_bytes(Part(kind, rows))
        if len(data) <= _COPY_BYTES or len(rows) < 2 or kind == "sessions":
            yield data
        else:
            half = len(rows) // 2
            yield from copied([(kind, rows[:half]), (kind, rows[half:])])


def read(data: bytes) -> Origin | Part | Fields:
    """What stands in *data*; raises LogUnreadable for what nobody, or a later version, has put there."""
    try:
        match json.loads(data):
            case {"log": [str(identity), int(generation), dict(about)]} if generation > 0:
                return Origin(identity, generation, about)
            case {"part": [str(kind), list(rows)]}:
                return Part(kind, rows)
            case {"entry": list(fields)}:
                return Fields(fields)
    except (ValueError, RecursionError):
        pass
    raise LogUnreadable("the stream has messages that this version of PyroChat does not know: upgrade it")


def has_texts(data: bytes) -> bool:
    """Whether what stands in *data* is a text of somebody's, or something that can't be read."""
    with contextlib.suppress(LogUnreadable):
        match read(data):
            case Fields([_, _, _, list(commands), *_]):
                return any(_is_text(command) for command in commands)
            case _:
                return False
    return True


def _is_text(fields: list[Any]) -> bool:
    """Whether it is that of a room; a register's commands have other names."""
    if fields[:1] != [POST]:
        return False
    command = command_from_wire(fields)
    return isinstance(command, Post) and command.kind == CHAT


def number(generation: int, sequence: int) -> int:
    """The number of the entry at *sequence*: it grows also where the stream is made anew."""
    return (generation << GENERATION_BITS) + sequence


def place(entry: int) -> tuple[int, int]:
    """Generation and sequence of the entry with the number *entry*; ``(0, 0)`` before all."""
    return entry >> GENERATION_BITS, entry & ((1 << GENERATION_BITS) - 1)
