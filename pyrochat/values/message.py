"""The message: the one value that everything here is about.

On the wire a message is the flat list ``[id, room, sender, text, time_us, kind, key]``: only str, int
and None, because dicts with the key ``"__class__"`` fail on receipt and tuples turn into lists.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from types import NoneType
from typing import Any, Final, NamedTuple

from pyrochat.values.errors import InvalidArgument
from pyrochat.values.keys import KEY_MARK, shown_key

__all__ = [
    "CHAT",
    "JOINED",
    "KINDS",
    "LEFT",
    "SYSTEM",
    "Message",
    "WireMessage",
    "kind_name",
    "message_of",
    "messages_from_wire",
]

CHAT: Final = "chat"
SYSTEM: Final = "system"
KINDS: Final = (CHAT, SYSTEM)

JOINED: Final = "joined"
LEFT: Final = "left"

WireMessage = list[object]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def kind_name(value: object) -> str:
    """The interned kind for *value*; raises InvalidArgument for one that this version doesn't know."""
    for kind in KINDS:
        if value == kind:
            return kind
    raise InvalidArgument(f"unknown kind of message: {value!r}")


class Message(NamedTuple):
    """One numbered message of a room's log. A tuple, as which it is made and compared fastest.

    id: its place in the room's total order, 1, 2, 3 … without gaps.
    time_us: the room's clock when it was sequenced, microseconds since 1970 (UTC). Ids decide the
        order; a time may run back when the room's clock is corrected.
    kind: ``"chat"``, or ``"system"`` for a change of membership.
    key: the sender's own key for it (None where it gave none); a retried send with the same key
        yields the same message.
    """

    id: int
    room: str
    sender: str
    text: str
    time_us: int
    kind: str = CHAT
    key: str | None = None

    @property
    def time(self) -> datetime:
        """`time_us` as an aware datetime in UTC; ``message.time.astimezone()`` is local."""
        return _EPOCH + timedelta(microseconds=self.time_us)

    @property
    def change(self) -> str | None:
        """``"joined"`` or ``"left"`` for a change of membership of `sender`; None for all else."""
        if self.kind != SYSTEM:
            return None
        for change in (JOINED, LEFT):
            if self.text == f"{self.sender} {change}":
                return change
        return None

    def to_wire(self) -> WireMessage:
        """The flat list that crosses the wire."""
        return list(self.shown())

    def shown(self) -> Message:
        """The message as others see it: its key as its sender gave it (`values.keys`)."""
        key = self.key
        return self if key is None or KEY_MARK not in key else self._replace(key=shown_key(key))

    @classmethod
    def from_wire(cls, fields: Iterable[object]) -> Message:
        """The message for a flat list; raises InvalidArgument where it is none."""
        match list(fields):
            case [int(id), str(room), str(sender), str(text), int(time_us), kind, None | str() as key]:
                return cls(id, room, sender, text, time_us, kind_name(kind), key)
        raise InvalidArgument("not a message: expected [id, room, sender, text, time_us, kind, key]")

    def __str__(self) -> str:
        clock = self.time.astimezone().strftime("%H:%M:%S")
        body = f"* {self.text}" if self.kind == SYSTEM else f"{self.sender}: {self.text}"
        return f"#{self.id} {clock} {body}"

    def __repr__(self) -> str:
        return f"<Message #{self.id} {self.room}/{self.sender}: {self.text!r}>"


_MOST_TIME_US = 221_845_392_000_000_000  # what a datetime can hold, in any time zone
_KINDS: dict[object, str] = {kind: kind for kind in KINDS}

message_of: Callable[[Iterable[Any]], Message] = partial(tuple.__new__, Message)
"""A message of its seven fields, unchecked."""


def messages_from_wire(rows: Sequence[Sequence[object]]) -> list[Message]:
    """The messages for flat lists whose ids follow each other without a gap; names are shared strings.

    All or nothing: raises InvalidArgument for a gap, and for what is no message. Works on whole columns,
    because a newcomer takes in its history here.
    """
    if not rows:
        return []
    try:
        ids, rooms, senders, texts, times, kinds, keys = zip(*rows, strict=True)
        fields = (
            ids, map(sys.intern, rooms), map(sys.intern, senders), texts, times, map(_KINDS.__getitem__, kinds), keys,
        )  # fmt: skip
        messages = list(map(message_of, zip(*fields, strict=True)))
    except (TypeError, ValueError, KeyError):
        raise InvalidArgument("not messages: expected [id, room, sender, text, time_us, kind, key]") from None
    if not (
        set(map(type, texts)) == {str}
        and set(map(type, ids)) | set(map(type, times)) == {int}
        and set(map(type, keys)) <= {str, NoneType}
    ):
        raise InvalidArgument("not messages: ids and times have to be numbers, texts and keys text")
    if min(times) < 0 or max(times) > _MOST_TIME_US:
        raise InvalidArgument("not messages: a time is before 1970, or after the year 9000")
    if ids != tuple(range(ids[0], ids[0] + len(ids))):
        raise InvalidArgument(f"messages {ids[0]} … {ids[-1]} have a gap")
    return messages
