"""What the state machine needs beside the core: a disk that can be full, clients, and the plainest view."""

from __future__ import annotations

from dataclasses import dataclass, field

from pyrochat import LogUnavailable
from pyrochat.core.cursors import Cursor
from pyrochat.core.log import Log, MemberRecord
from pyrochat.core.marks import Mark
from pyrochat.core.memory_log import MemoryLog
from pyrochat.values.message import JOINED, SYSTEM, Message
from pyrochat.values.rules import fold


class FailingLog(MemoryLog):
    """A log whose disk is full as long as `full` is set."""

    full = False

    def append(self, messages: list[Message], members: list[MemberRecord] = ()) -> None:  # type: ignore[override]
        if self.full:
            raise LogUnavailable("no space left on device")
        super().append(messages, members)


@dataclass
class Client:
    """A client as it is outside the room: its replica lasts over lost connections and crashes."""

    name: str
    session_id: str
    replica: list[Message] = field(default_factory=list)
    marks: dict[str, Mark] = field(default_factory=dict)
    cursor: Cursor | None = None  # the room's, while there is a connection


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
