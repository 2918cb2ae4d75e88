"""A log in memory: the reference that every other log has to agree with, and the tests' fast one."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pyrochat.core.digests import extend_chain, first_digest
from pyrochat.core.log import NO_OWNERS, NO_SESSIONS, Log, MemberRecord, Standing
from pyrochat.core.sessions import Session
from pyrochat.values.errors import InvalidArgument, LogUnavailable, UnknownMessage
from pyrochat.values.message import EDIT, SYSTEM, Message, messages_from_wire
from pyrochat.values.rules import fold


class MemoryLog(Log):
    """A `Log` that lasts as long as the object."""

    def __init__(self, room: str, identity: str | None = None) -> None:
        self.room = room
        self.identity = identity or str(uuid.uuid4())
        self._messages: list[Message] = []
        self._ids_by_key: dict[tuple[str, str], int] = {}
        self._members: dict[str, MemberRecord] = {}
        self._sessions: dict[str, Session | None] = {}
        self._digests = [first_digest(self.identity)]

    @property
    def tail(self) -> int:
        return len(self._messages)

    @property
    def tip(self) -> tuple[int, bytes]:
        tail = len(self._digests) - 1
        return tail, self._digests[tail]

    def append(
        self, messages: Sequence[Message], members: Sequence[MemberRecord] = (), owners: Mapping[int, str] = NO_OWNERS,
        *, digests: Sequence[bytes] | None = None, sessions: Mapping[str, Session | None] = NO_SESSIONS,
        loss: str | None = None, erased: Sequence[Message] = (), standing: Standing | None = None, beside: object = None,
    ) -> None:  # fmt: skip
        if messages and messages[0].id != self.tail + 1:
            raise InvalidArgument(f"message {messages[0].id} can't follow message {self.tail}")
        keyed = [m for m in messages if m.key is not None and m.kind != SYSTEM]
        keys = [(owners.get(m.id) or fold(m.sender), m.key or "") for m in keyed]
        if len(set(keys)) < len(keys) or not self._ids_by_key.keys().isdisjoint(keys):
            raise LogUnavailable("a key is in the log already: nothing was stored")
        self._digests += digests or extend_chain(
            self._digests[-1], messages
        )  # first: who reads meanwhile finds the tail's
        self._messages += messages_from_wire([message.to_wire() for message in messages])
        self._ids_by_key.update(zip(keys, (m.id for m in keyed), strict=True))
        self._members.update((record.member, record) for record in members)
        self._sessions.update(sessions)
        for message in erased:
            self._messages[message.id - 1] = message
        self.loss, self.standing = loss or self.loss, standing or self.standing

    def adopt(self, identity: str, about: Mapping[str, Any], standing: Standing) -> Sequence[Message]:
        self.standing = standing
        return []

    def read(self, after: int, limit: int) -> list[Message]:
        return self._messages[max(after, 0) : max(after, 0) + limit]

    def versions(self, id: int) -> list[Message]:
        return (
            [*self.read(id - 1, 1), *(message for message in self.about(id) if message.kind == EDIT)] if id > 0 else []
        )

    def about(self, id: int) -> list[Message]:
        return [message for message in self._messages if message.about == id]

    def owner(self, id: int) -> str | None:
        return next((owner for (owner, _), made in self._ids_by_key.items() if made == id), None)

    def find(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Message]:
        return {key: self._messages[self._ids_by_key[key] - 1] for key in keys if key in self._ids_by_key}

    def digest(self, id: int) -> bytes:
        if not 0 <= id <= self.tail:
            raise UnknownMessage(f"there is no message {id}: the log ends at {self.tail}")
        return self._digests[id]

    def members(self) -> list[MemberRecord]:
        return list(self._members.values())

    def sessions(self) -> list[Session]:
        return [session for session in self._sessions.values() if session is not None]

    def size(self) -> tuple[int, int]:
        return 0, 0

    def close(self) -> None:
        """Nothing to release."""
