"""Messages 1, 2, 3 … of one room, kept as columns.

A `Message` object takes about 200 bytes beside its text; a row here takes about 30, and a batch from
the wire is appended with a handful of list operations. The in-memory log and every client's replica
are made of this.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from types import NoneType

from pyrochat.values.errors import InvalidArgument
from pyrochat.values.message import KINDS, SYSTEM, Message

__all__ = ["MessageColumns"]

_KIND_CODES: dict[object, int] = {kind: code for code, kind in enumerate(KINDS)}
_SYSTEM_CODE = _KIND_CODES[SYSTEM]


class MessageColumns:
    """An append-only run of messages whose ids are 1 … len(self), in order.

    Not synchronized: one thread appends; others may read what was there before (an index below an
    earlier `len` stays valid for ever, because columns only grow and `_texts` grows last).
    """

    __slots__ = ("_keys", "_kinds", "_senders", "_spellings", "_texts", "_times", "room")

    def __init__(self, room: str) -> None:
        self.room = room
        self._spellings: dict[str, str] = {}  # each sender's name is one object, however often it speaks
        self._senders: list[str] = []
        self._times = array("q")
        self._kinds = bytearray()
        self._keys: list[str | None] = []
        self._texts: list[str] = []

    def __len__(self) -> int:
        return len(self._texts)

    def extend(self, rows: Sequence[Sequence[object]]) -> None:
        """Append messages in their wire form, which have to follow without a gap.

        All or nothing: raises InvalidArgument for a gap, and for what is no message. Works on whole
        columns, because a newcomer takes in its history here: 0.3 µs a message, against 4 µs through
        a Message each.
        """
        if not rows:
            return
        try:
            ids, _, senders, texts, times, kinds, keys = zip(*rows, strict=True)
            time_column = array("q", times)
            kind_column = bytes(map(_KIND_CODES.__getitem__, kinds))
        except (TypeError, ValueError, KeyError, OverflowError):
            raise InvalidArgument("not messages: expected [id, room, sender, text, time_us, kind, key]") from None
        first = len(self) + 1
        if ids != tuple(range(first, first + len(ids))):
            raise InvalidArgument(f"messages {ids[0]} … {ids[-1]} can't follow message {first - 1}")
        if not (set(map(type, senders)) | set(map(type, texts)) <= {str} and set(map(type, keys)) <= {str, NoneType}):
            raise InvalidArgument("not messages: sender, text and key have to be text")
        self._senders.extend(map(self._spellings.setdefault, senders, senders))
        self._times.extend(time_column)
        self._kinds.extend(kind_column)
        self._keys.extend(keys)
        self._texts.extend(texts)

    def get(self, id: int) -> Message:
        """Message *id*; raises IndexError where it is not here."""
        if not 1 <= id <= len(self):
            raise IndexError(id)
        row = id - 1
        return Message(
            id, self.room, self._senders[row], self._texts[row],
            self._times[row], KINDS[self._kinds[row]], self._keys[row],
        )  # fmt: skip

    def slice(self, after: int, upto: int) -> list[Message]:
        """The messages with ``after < id <= upto``, as far as they are here."""
        return [self.get(id) for id in range(max(after, 0) + 1, min(upto, len(self)) + 1)]

    def changes(self, after: int) -> list[Message]:
        """The messages of kind ``system`` with an id above *after*."""
        found = []
        row = self._kinds.find(_SYSTEM_CODE, after)
        while row >= 0:
            found.append(self.get(row + 1))
            row = self._kinds.find(_SYSTEM_CODE, row + 1)
        return found

    def __iter__(self) -> Iterator[Message]:
        return (self.get(id) for id in range(1, len(self) + 1))
