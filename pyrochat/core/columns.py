"""Messages 1, 2, 3 … of one room, kept as columns.

A `Message` object takes about 200 bytes beside its text; a row here takes about 30, and a batch from
the wire is appended with a handful of list operations. The in-memory log and every client's replica
are made of this.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence

from pyrochat.values.errors import InvalidArgument
from pyrochat.values.message import KINDS, Message

__all__ = ["MessageColumns"]

_KIND_CODES = {kind: code for code, kind in enumerate(KINDS)}


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

    def extend(self, messages: Sequence[Message]) -> None:
        """Append messages that follow without a gap; raises InvalidArgument where they don't."""
        end = len(self)
        for offset, message in enumerate(messages, 1):
            if message.id != end + offset:
                raise InvalidArgument(f"message {message.id} can't follow message {end + offset - 1}")
        spellings = self._spellings
        self._senders.extend([spellings.setdefault(m.sender, m.sender) for m in messages])
        self._times.extend([m.time_us for m in messages])
        self._kinds.extend([_KIND_CODES[m.kind] for m in messages])
        self._keys.extend([m.key for m in messages])
        self._texts.extend([m.text for m in messages])

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

    def __iter__(self) -> Iterator[Message]:
        return (self.get(id) for id in range(1, len(self) + 1))
