"""A stream: what a replicated order needs of an engine. Messages in one order for all, kept by a majority, found again from
any of them on. `cluster.nats_stream` has it on NATS JetStream, `lamport.stream` without any server."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from enum import Enum
from typing import NamedTuple


class Fate(Enum):
    """What has become of a message that was to be published."""

    STORED = "stored"
    REFUSED = "refused"  # it is not in the stream, and will not be
    UNKNOWN = "unknown"


class Opened(NamedTuple):
    """The stream is read (again), from where it was asked for. last: the sequence of its last message; None where nobody
    can say. first: the data of its first one; None where there is no such stream, or nothing in it. trouble: what keeps it
    from going on nevertheless."""

    last: int | None
    first: bytes | None
    trouble: str | None = None


class Arrival(NamedTuple):
    """A message. sequence: 1, 2, 3 … without gaps. time_us: when it was stored, microseconds since 1970."""

    sequence: int
    time_us: int
    data: bytes


class Latest(NamedTuple):
    """What stands beside the stream under *label* now; see `Stream.put`. number: of what was put there."""

    label: str
    data: bytes


class Pending(NamedTuple):
    """What was published and has no place yet, as far as it is here; in place of what was said before. Their sequences are 0."""

    arrivals: tuple[Arrival, ...]


class Silence(NamedTuple):
    """Nothing is read at the moment. reason: a sentence for people."""

    reason: str


class News(NamedTuple):
    """What people should know of the machines that have the stream, once."""

    text: str


Event = Opened | Arrival | Latest | Pending | Silence | News


NO_MAJORITY = "no majority of the cluster's machines answers"


class Stream(ABC):
    """One stream. What it calls is called in a thread of its own, and never waits.

    gone: what to say where there is none any more, or nothing in it. is_slow: the same where it takes what is published, and
    nothing comes.
    """

    gone = "its stream is gone from the cluster: its operator makes it anew (pyrochat-server rebuild)"
    is_slow = NO_MAJORITY

    @abstractmethod
    def begin(self, first: bytes) -> bytes:
        """Make the stream where it is not there, with *first* as its first message; returns the first message that it has,
        which another may have put there. Waits. Raises LogUnavailable where no majority answers in time."""

    @abstractmethod
    def first(self) -> bytes | None:
        """The first message; None where there is no stream. Waits. Raises LogUnavailable."""

    @abstractmethod
    def publish(self, data: bytes, id: str, then: Callable[[Fate], None]) -> None:
        """Put *data* at the stream's end. id: where the same is published twice, it stands there once, if it can be helped."""

    @abstractmethod
    def follow(self, after: int, event: Callable[[Event], None]) -> None:
        """Call *event* with what comes after the message *after*, without a gap or a repetition, from now on; anew, where it is
        called again: what still comes of the last time is not passed on."""

    @abstractmethod
    def put(self, label: str, data: bytes, then: Callable[[Fate], None]) -> None:
        """Let *data* stand beside the stream under *label*, in place of what stood there: followers get it as `Latest`."""

    @abstractmethod
    def hear_all(self, then: Callable[[bool], None]) -> None:
        """Call *then* with True when all that stood beside the stream at the call was passed on as `Latest`; with False where
        nobody can say."""

    @abstractmethod
    def close(self) -> None:
        """Call nobody any more."""


class Rebuildable(Stream):
    """A stream that can be made anew, of a copy of a log."""

    @abstractmethod
    def is_begun(self) -> bool:
        """Whether it has more than its first message. Waits. Raises LogUnavailable."""

    @abstractmethod
    def freeze(self) -> int | None:
        """Nothing is taken any more, until the stream is made anew; returns the sequence of its last message, None where nobody
        can say. Waits."""

    @abstractmethod
    def make_anew(self, messages: Iterable[bytes]) -> None:
        """Away with the stream, and a new one with *messages*. Waits. Raises LogUnavailable."""
