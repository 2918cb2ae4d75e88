"""A log in memory: the reference that every other log has to agree with, and the tests' fast one."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence

from pyrochat.core.columns import MessageColumns
from pyrochat.core.digests import extend_chain, first_digest
from pyrochat.core.log import KeySeen, Log, MemberRecord
from pyrochat.values.errors import UnknownMessage
from pyrochat.values.message import Message

__all__ = ["MemoryLog"]


class MemoryLog(Log):
    """A `Log` that lasts as long as the object."""

    def __init__(self, room: str, identity: str | None = None) -> None:
        self.room = room
        self.identity = identity or str(uuid.uuid4())
        self.seal_key = secrets.token_bytes(32)
        self._messages = MessageColumns(room)
        self._ids_by_key: dict[tuple[str, str], int] = {}
        self._members: dict[str, MemberRecord] = {}
        self._digests = [first_digest(self.identity)]

    @property
    def tail(self) -> int:
        return len(self._messages)

    @property
    def tip(self) -> tuple[int, bytes]:
        tail = len(self._digests) - 1
        return tail, self._digests[tail]

    def append(self, messages: Sequence[Message], members: Sequence[MemberRecord] = ()) -> None:
        keys = {(m.sender, m.key): m.id for m in messages if m.key is not None}
        if len(keys) < sum(m.key is not None for m in messages) or any(key in self._ids_by_key for key in keys):
            raise KeySeen
        self._messages.extend([message.to_wire() for message in messages])
        self._digests += extend_chain(self._digests[-1], messages)
        self._ids_by_key.update({(sender, key): id for (sender, key), id in keys.items() if key is not None})
        self._members.update((record.member, record) for record in members)

    def read(self, after: int, limit: int) -> list[Message]:
        return self._messages.slice(after, after + limit)

    def find(self, sender: str, key: str) -> Message | None:
        id = self._ids_by_key.get((sender, key))
        return None if id is None else self._messages.get(id)

    def digest(self, id: int) -> bytes:
        if not 0 <= id <= self.tail:
            raise UnknownMessage(f"there is no message {id}: the log ends at {self.tail}")
        return self._digests[id]

    def note_loss(self, loss: str) -> None:
        self.loss = loss

    def changes(self) -> list[Message]:
        return self._messages.changes(0)

    def members(self) -> list[MemberRecord]:
        return list(self._members.values())

    def close(self) -> None:
        """Nothing to release."""
