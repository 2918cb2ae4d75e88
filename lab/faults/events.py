"""The events of a recorded history, and the files that they are in.

One file for each client process and life of it (an *incarnation*), append-only, one JSON array a line:
the event's class name, then its fields in order. Times are `time.monotonic_ns()`, which all processes of
one machine share. A line is written whole and at once, so what a program was told before it was killed
is in its file; a last line that is torn is passed over.

The outcome of a send is Jepsen's: `OK` (with an id), `FAILED` (it is certain that it is not stored) or
`UNKNOWN`. An `UNKNOWN` may or may not be in the log, and may still get there later.
"""

import json
import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final

OK: Final = "ok"
FAILED: Final = "failed"
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Opened:
    """A client is about to join: the first event of its file."""

    client: str
    member: str
    room: str
    at: int


@dataclass(frozen=True, slots=True)
class Joined:
    """It is in. tail: the log's end as it was told at the join."""

    tail: int
    at: int


@dataclass(frozen=True, slots=True)
class SendBegun:
    """A send is about to be called. operation: its number within this client. key: where it repeats one."""

    operation: int
    text: str
    key: str | None
    at: int


@dataclass(frozen=True, slots=True)
class SendEnded:
    """What became of an operation. id: for OK; code: of the error, for the others."""

    operation: int
    outcome: str
    id: int | None
    code: str | None
    at: int


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message was shown to the program; written before the handler returns, so before it counts as read."""

    id: int
    room: str
    sender: str
    text: str
    kind: str
    key: str | None
    at: int


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The room's answer on message *id*. asked, at: when the call began and ended."""

    id: int
    delivered_to: list[str]
    read_by: list[str]
    waiting_for: list[str]
    asked: int
    at: int


@dataclass(frozen=True, slots=True)
class MarksSeen:
    """The marks as the room told them: ``[name, delivered, read]`` of each member present."""

    marks: list[tuple[str, int, int]]
    at: int


@dataclass(frozen=True, slots=True)
class StateSeen:
    """The connection's state has changed."""

    state: str
    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class Closed:
    """An orderly end. end: the replica's. complete: whether it was waited for the log's end first."""

    end: int
    complete: bool
    at: int


@dataclass(frozen=True, slots=True)
class ServerStarted:
    """The server is ready; an earlier one, if any, is gone."""

    at: int


Event = Opened | Joined | SendBegun | SendEnded | Delivered | Confirmed | MarksSeen | StateSeen | Closed | ServerStarted

_KINDS: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        Opened,
        Joined,
        SendBegun,
        SendEnded,
        Delivered,
        Confirmed,
        MarksSeen,
        StateSeen,
        Closed,
        ServerStarted,
    )
}


class EventFile:
    """An append-only file of events. Any thread may write."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._mutex = threading.Lock()  # guards the order of lines, and the descriptor against `close`
        self._closed = False

    def write(self, event: Event) -> None:
        """Append *event*; it outlives this process from now on. Nothing happens after `close`."""
        line = json.dumps([type(event).__name__, *astuple(event)], ensure_ascii=False, separators=(",", ":")) + "\n"
        with self._mutex:
            if not self._closed:
                os.write(self._descriptor, line.encode())

    def close(self) -> None:
        """Write no more. Idempotent."""
        with self._mutex:
            if not self._closed:
                self._closed = True
                os.close(self._descriptor)


def read_events(lines: Iterable[str]) -> Iterator[Event]:
    """The events in *lines*; a torn line is passed over, an unknown event raises KeyError."""
    for line in lines:
        if line.endswith("\n"):
            kind, *fields = json.loads(line)
            yield _KINDS[kind](*fields)
