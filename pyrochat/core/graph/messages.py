"""What members of a totally ordered room say to each other, and what they have to write down; all plain values.

Each message goes with the number of the view that its sender is in.
"""

from __future__ import annotations

from typing import NamedTuple

from pyrochat.core.graph.agreement import Ballot, Promise, Proposal
from pyrochat.core.graph.anti_entropy import Summary
from pyrochat.core.graph.event import Event
from pyrochat.core.graph.lamport import Mark, View


class Text(NamedTuple):
    """What somebody wants to have in the log, once: *key* tells whether it is there. body: the room's matter."""

    key: str
    body: bytes

    def pack(self) -> bytes:
        """As an event's body: the key's length in 4 bytes, big-endian, the key in UTF-8, the body."""
        key = self.key.encode()
        return len(key).to_bytes(4, "big") + key + self.body

    @classmethod
    def unpack(cls, packed: bytes) -> Text:
        """What `pack` has made; of any other bytes some text or other."""
        end = 4 + int.from_bytes(packed[:4], "big")
        return cls(packed[4:end].decode(errors="replace"), packed[end:])


Entry = Text | View
"""What a log is made of: a view stands where it begins."""


class Events(NamedTuple):
    """Events, causes before effects."""

    events: tuple[Event, ...]


class Marks(NamedTuple):
    """The sender's mark; from the eldest also those of others."""

    marks: tuple[Mark, ...]


class Tick(NamedTuple):
    """Said at regular times: that one is there, how far one is, what one has. log_length: of the closed log."""

    mark: Mark
    summary: Summary
    log_length: int


class Prepare(NamedTuple):
    """Promise me this ballot, and give me the events that I lack."""

    ballot: Ballot
    summary: Summary


class Promised(NamedTuple):
    """The answer to it."""

    promise: Promise
    events: tuple[Event, ...]


class Accept(NamedTuple):
    """Accept this; here are the events of its cut that you lack."""

    ballot: Ballot
    proposal: Proposal
    events: tuple[Event, ...]


class Accepted(NamedTuple):
    """The answer to it."""

    ballot: Ballot


class Decided(NamedTuple):
    """This is how the view ends."""

    proposal: Proposal


class Join(NamedTuple):
    """Take me in, if I am not; and give me what follows so many entries of the closed log."""

    log_length: int


class LogPart(NamedTuple):
    """The closed log from entry *start* on; its last entry is the view that its sender is in."""

    start: int
    entries: tuple[Entry, ...]


Message = Events | Marks | Tick | Prepare | Promised | Accept | Accepted | Decided | Join | LogPart


class Said(NamedTuple):
    """To be written down: a text that was handed in here."""

    text: Text


class Frozen(NamedTuple):
    """To be written down: what the acceptor has promised and accepted."""

    promised: Ballot
    accepted: tuple[Ballot, Proposal] | None


class Committed(NamedTuple):
    """To be written down: up to here the view's order is final."""

    commit: int


class Closed(NamedTuple):
    """To be written down: *entries* follow in the closed log, the last is the view that begins; texts that have no place yet.

    All other records before it are not needed any more."""

    start: int
    entries: tuple[Entry, ...]
    outbox: tuple[Text, ...]


Record = Event | Said | Frozen | Committed | Closed
