"""A history: what all clients of a run recorded, put together for the checker.

Built from files (`load`) or by hand (tests). Deliveries are many, so a replica is three columns, and
equal contents are one object.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lab.faults.events import (
    UNKNOWN,
    Closed,
    Confirmed,
    Delivered,
    Event,
    Joined,
    MarksSeen,
    Opened,
    SendBegun,
    SendEnded,
    ServerStarted,
    StateSeen,
    read_events,
)

CHAT = "chat"
SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Content:
    """What a message says, without its place."""

    sender: str
    text: str
    kind: str = CHAT
    key: str | None = None

    def __str__(self) -> str:
        return f"* {self.text}" if self.kind == SYSTEM else f"{self.sender}: {self.text}"


@dataclass(slots=True)
class Send:
    """One attempt to send. Texts are unique in a run, so attempts at one message share the text.

    ended: None where its client was killed meanwhile; then the outcome is UNKNOWN.
    """

    client: str
    member: str
    room: str
    text: str
    begun: int
    ended: int | None = None
    outcome: str = UNKNOWN
    id: int | None = None
    code: str | None = None


@dataclass(slots=True)
class Replica:
    """What one life of one client was shown, in the order in which it was.

    tail: the log's end at its join. strays: ``(id, room)`` where a message bore another room than the
    client had joined. end: where it ended in an orderly way. complete: it was waited for the log's end.
    """

    client: str
    member: str
    room: str
    tail: int = 0
    ids: list[int] = field(default_factory=list)
    contents: list[Content] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    strays: list[tuple[int, str]] = field(default_factory=list)
    end: int | None = None
    complete: bool = False

    def add(self, id: int, content: Content, at: int) -> None:
        """Message *id* was shown at time *at*."""
        self.ids.append(id)
        self.contents.append(content)
        self.times.append(at)

    def time_of(self, id: int) -> int | None:
        """When message *id* was shown first; None where it was not."""
        if id <= len(self.ids) and self.ids[id - 1] == id:  # the rule, where nothing is amiss
            return self.times[id - 1]
        return self.times[self.ids.index(id)] if id in self.ids else None

    @property
    def last(self) -> int:
        """The highest id that was shown; 0 where none was."""
        return max(self.ids, default=0)


@dataclass(frozen=True, slots=True)
class Answer:
    """The room's answer to `confirmations`."""

    client: str
    room: str
    id: int
    delivered_to: frozenset[str]
    read_by: frozenset[str]
    waiting_for: frozenset[str]
    asked: int
    at: int


@dataclass(frozen=True, slots=True)
class SightOfMarks:
    """The marks ``name: (delivered, read)`` as one client saw them at a time."""

    client: str
    room: str
    marks: dict[str, tuple[int, int]]
    at: int


@dataclass(slots=True)
class History:
    """All that was recorded. server_starts, states: in time."""

    sends: list[Send] = field(default_factory=list)
    replicas: list[Replica] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    marks: list[SightOfMarks] = field(default_factory=list)
    server_starts: list[int] = field(default_factory=list)
    states: list[tuple[str, StateSeen]] = field(default_factory=list)


class _Intake:
    """Takes the events of one file into a history."""

    def __init__(self, history: History, contents: dict[Content, Content]) -> None:
        self._history = history
        self._contents = contents
        self._sends: dict[int, Send] = {}
        self._replica = Replica("", "", "")

    def take(self, event: Event) -> None:
        history, replica = self._history, self._replica
        match event:
            case Opened(client, member, room):
                self._replica = Replica(client, member, room)
                history.replicas.append(self._replica)
            case Joined(tail):
                replica.tail = tail
            case Delivered(id, room, sender, text, kind, key, at):
                content = Content(sender, text, kind, key)
                replica.add(id, self._contents.setdefault(content, content), at)
                if room != replica.room:
                    replica.strays.append((id, room))
            case SendBegun(operation, text, _, at):
                send = self._sends[operation] = Send(replica.client, replica.member, replica.room, text, at)
                history.sends.append(send)
            case SendEnded(operation, outcome, id, code, at):
                send = self._sends.pop(operation)
                send.outcome, send.id, send.code, send.ended = outcome, id, code, at
            case Confirmed(id, delivered_to, read_by, waiting_for, asked, at):
                groups = (frozenset(delivered_to), frozenset(read_by), frozenset(waiting_for))
                history.answers.append(Answer(replica.client, replica.room, id, *groups, asked, at))
            case MarksSeen(marks, at):
                seen = {name: (delivered, read) for name, delivered, read in marks}
                history.marks.append(SightOfMarks(replica.client, replica.room, seen, at))
            case Closed(end, complete):
                replica.end, replica.complete = end, complete
            case StateSeen():
                history.states.append((replica.client, event))
            case ServerStarted(at):
                history.server_starts.append(at)


def load(paths: Iterable[Path]) -> History:
    """The history in *paths*, one file for each recording process."""
    history = History()
    contents: dict[Content, Content] = {}
    for path in paths:
        intake = _Intake(history, contents)
        with path.open(encoding="utf-8", newline="\n") as lines:
            for event in read_events(lines):
                intake.take(event)
    history.server_starts.sort()
    history.states.sort(key=lambda seen: seen[1].at)
    return history
