"""What the state machine needs beside the core: a disk that can be full, clients, and the plainest view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyrochat import KeyConflict, LogUnavailable, LogUncertain
from pyrochat.core.commands import Command, Entry, Post
from pyrochat.core.cursors import Cursor
from pyrochat.core.keys import part_key
from pyrochat.core.log import NO_OWNERS, Log, MemberRecord
from pyrochat.core.marks import Mark
from pyrochat.core.memory_log import MemoryLog
from pyrochat.core.order import Applied
from pyrochat.room.applier import Applier
from pyrochat.values.message import JOINED, SYSTEM, Message
from pyrochat.values.rules import fold
from tests.support import SALT


class FailingLog(MemoryLog):
    """A log whose disk is full as long as `full` is set, and breaks in the next append where `breaks` is."""

    full = False
    breaks = False

    def __init__(self, room: str) -> None:
        super().__init__(room)
        self._lost: tuple[Sequence[Message], Sequence[MemberRecord], Mapping[int, str], dict[str, Any]] | None = None

    @property
    def is_broken(self) -> bool:
        """Whether it has broken: nothing can be appended until it is opened again."""
        return self._lost is not None

    def append(
        self, messages: Sequence[Message], members: Sequence[MemberRecord] = (), owners: Mapping[int, str] = NO_OWNERS,
        **beside: Any,
    ) -> None:  # fmt: skip
        if self._lost is not None:
            raise LogUnavailable("the disk failed in an earlier commit")
        if self.full:
            raise LogUnavailable("no space left on device")
        if self.breaks:
            self.breaks, self._lost = False, (messages, members, owners, beside)
            raise LogUncertain("the disk failed in a commit")
        super().append(messages, members, owners, **beside)

    def reopen(self, was_stored: bool) -> None:
        """As the start of another server: what was appended when it broke is there, or it is not."""
        lost, self._lost, self.breaks = self._lost, None, False
        if lost is not None and was_stored:
            super().append(*lost[:3], **lost[3])


@dataclass
class Client:
    """A client as it is outside the room: its replica lasts over lost connections and crashes."""

    name: str
    session_id: str
    replica: list[Message] = field(default_factory=list)
    marks: dict[str, Mark] = field(default_factory=dict)
    cursor: Cursor | None = None  # the room's, while there is a connection


@dataclass(frozen=True)
class Sent:
    """A request: what *name* sends under each key. is_list: several texts under one key."""

    name: str
    parts: Sequence[tuple[list[str], str | None]]
    is_list: bool = False

    def post(self) -> Post:
        """As a room makes it."""
        texts = tuple(text for texts, _ in self.parts for text in texts)
        if self.is_list:
            [(_, key)] = self.parts
            assert key is not None
            return post(self.name, texts, tuple(part_key(key, n) for n in range(len(texts))), key)
        return post(self.name, texts, tuple(key for texts, key in self.parts for _ in texts))


def post(
    sender: str, texts: Sequence[str], keys: Sequence[str | None] | None = None, list_key: str | None = None
) -> Post:
    """As a room makes it. keys: none, where they are not given."""
    keys = (None,) * len(texts) if keys is None else keys
    return Post(sender, fold(sender), tuple(texts), tuple(keys), (SALT,) * len(texts), list_key)


class Driven:
    """A room without an order of its own: what it is told is applied at once. appended: what was new in the last group."""

    def __init__(self, log: MemoryLog) -> None:
        self.log = log
        self.appended: list[Message] = []
        self.applier = Applier(log, lambda members: 0.0, lambda transition: self.appended.extend(transition.messages))
        self._number = self.applier.state.entry

    def apply(self, *commands: Command, time_us: int = 5, with_marks: bool = True) -> Applied:
        """*commands*, an entry each, in one group."""
        self.appended.clear()
        wanted = [(command,) for command in commands] + [()] * with_marks
        entries = [Entry(number, time_us, each) for number, each in enumerate(wanted, self._number + 1)]
        self._number += len(entries)
        outcomes, error = self.applier.apply(entries)
        return Applied(outcomes[: len(commands)], error)


class Expected:
    """What has to come of requests in one commit, told from the log and from what was sent, in the plainest way.

    outcomes: for each request the error that it has to meet, or None; its texts; whether any of it depends on this commit.
    """

    def __init__(self, log: Log, unknown: set[tuple[str, str]]) -> None:
        self._log = log
        self._unknown = unknown
        self._new: dict[tuple[str, str], list[str]] = {}
        self.outcomes: list[tuple[type[Exception] | None, list[str], bool]] = []
        self.count = 0

    @property
    def fresh_keys(self) -> set[tuple[str, str]]:
        """The keys under which something new is stored."""
        return set(self._new)

    def add(self, sent: Sent) -> None:
        """The next request."""
        member, new, count, error, depends, conflicts = fold(sent.name), dict(self._new), 0, None, False, False
        if any((member, key) in self._unknown for _, key in sent.parts):
            error = LogUncertain
        for texts, key in sent.parts:
            known = None if key is None else new.get((member, key)) or self._made(member, key)
            depends = depends or known is None or (key is not None and (member, key) in new)
            if known is None:
                count += len(texts)
                if key is not None:
                    new[member, key] = texts
            elif known != texts:
                error, conflicts = error or KeyConflict, True
        self.outcomes.append((error, [text for texts, _ in sent.parts for text in texts], depends))
        if not conflicts:  # what a broken log can't say is worked out all the same, and fails with its commit
            self._new = new
        if error is None:
            self.count += count

    def _made(self, member: str, key: str) -> list[str] | None:
        messages = [m for m in self._log.read(0, 10_000) if fold(m.sender) == member and m.key is not None]
        return [m.text for m in messages if m.key == key or (m.key or "").startswith(f"{key}.")] or None


def views_of(log: Log) -> list[set[str]]:
    """The members (folded names) at each id, from 0 to the tail, told from the log alone, in the plainest way."""
    views: list[set[str]] = [set()]
    for message in log.read(0, log.tail):
        members = set(views[-1])
        if message.kind == SYSTEM and message.text.endswith(JOINED):
            members.add(fold(message.sender))
        elif message.kind == SYSTEM:
            members.remove(fold(message.sender))
        views.append(members)
    return views
