"""What a member of a totally ordered room keeps: which site it is, the closed log, what follows it, and what needs no order.

The texts belong to several streams, each with numbers of its own: a text's key begins with its stream's name and a ``/``.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pyrochat.core.graph.closed_log import ClosedLog
from pyrochat.core.graph.messages import Entry, Record, Text
from pyrochat.core.graph.texts import Spoken


class Identity(NamedTuple):
    """Which site it is: `bodies.site_id` of its server's key and *nonce*. label: for people."""

    id: str
    nonce: str
    label: str


class Row(NamedTuple):
    """What stands beside *stream* under *label*; of several the one with the highest version counts."""

    stream: str
    label: str
    version: int
    data: bytes


def stream_of(text: Text) -> str:
    """The name of the stream that *text* belongs to."""
    return text.key.partition("/")[0]


class MemberDisk(ABC):
    """Not synchronized. root: of the room; None: it is in none yet. identity: None where it was copied, or restored, since.

    log: what is closed; what `Member` puts into it is on disk with the next `write`. All that writes raises LogUnavailable.
    """

    root: bytes | None = None
    identity: Identity | None = None
    log: ClosedLog

    @abstractmethod
    def adopt(self, root: bytes, identity: Identity, entries: Sequence[Entry] = ()) -> None:
        """It is *identity* in the room that has grown from *root*, whose log begins with *entries*."""

    @abstractmethod
    def begin_again(self, identity: Identity, outbox: Sequence[Text]) -> None:
        """It is another site from now on. outbox: all that the closed log doesn't have."""

    @abstractmethod
    def outbox(self) -> list[Text]:
        """What was handed in, and had no place, when the closed log was written last."""

    @abstractmethod
    def records(self) -> list[Record]:
        """What was written since then."""

    @abstractmethod
    def write(self, records: Sequence[Record]) -> None:
        """All of it, or nothing."""

    @abstractmethod
    def keep(self, beside: Sequence[Spoken]) -> None:
        """With the next `write`: *beside*, but what was erased."""

    @abstractmethod
    def found(self, commitments: Sequence[str]) -> dict[str, Spoken]:
        """What these stand for, where it is here."""

    @abstractmethod
    def erase(self, commitments: Sequence[str]) -> None:
        """What these stand for is on disk no more, and will not be."""

    @abstractmethod
    def tidy(self) -> None:
        """To be called now and then: what was erased goes, where somebody who read the file has kept it there."""

    @abstractmethod
    def reload(self) -> None:
        """Forget what was not written."""

    @abstractmethod
    def entries(self, start: int) -> Iterator[Entry]:
        """What follows the first *start* entries of the closed log."""

    @abstractmethod
    def texts(self, stream: str, after: int) -> Iterator[tuple[int, Text]]:
        """The texts of *stream* in the closed log, from behind its text number *after* on, with their numbers."""

    @abstractmethod
    def counts(self) -> dict[str, int]:
        """How many texts of each stream the closed log has."""

    @abstractmethod
    def beside(self) -> list[Row]:
        """All that stands beside the streams."""

    @abstractmethod
    def keep_beside(self, rows: Sequence[Row]) -> list[Row]:
        """Those of *rows* that are newer than what stands there, which they replace."""

    @abstractmethod
    def peers(self) -> list[str]:
        """Where other sites were, ``host:port``."""

    @abstractmethod
    def remember_peers(self, peers: Sequence[str]) -> None:
        """Other sites are at *peers*."""

    @abstractmethod
    def close(self) -> None:
        """Nothing more is asked of it."""
