"""The log: what a room is. The interface, and the records that live beside the messages.

One thread at a time appends, finds keys and tidies: the order's. Any number may read meanwhile.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from pyrochat.core.sessions import Session
from pyrochat.values.message import Message
from pyrochat.values.rules import fold

NO_OWNERS: Mapping[int, str] = MappingProxyType({})
NO_SESSIONS: Mapping[str, Session | None] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """What the log remembers of a member between its stays.

    member: the folded name; made of *name* where it is not given, which is never so where a room is applied. delivered, read: the member's marks, message ids; ``read <= delivered``. first_joined: the id of its first "joined", 0
    where there is none; joined: that of the "joined" since which it is here, None while it is not.
    """

    name: str
    delivered: int = 0
    read: int = 0
    first_joined: int = 0
    joined: int | None = None
    member: str = ""

    def __post_init__(self) -> None:
        if not self.member:
            object.__setattr__(self, "member", fold(self.name))


class Standing(NamedTuple):
    """Where a log stands in an order that several servers follow.

    entry: the number of the last entry that was applied. version: of the entries that may be handed in. sources: the last
    entry of each server's run, by the name of that; the one that was heard of last is the last here. copying: it is in the
    middle of a copy.
    """

    entry: int = 0
    version: int = 1
    sources: Mapping[str, int] = MappingProxyType({})
    copying: bool = False


MOST_SOURCES = 256  # each is one run of a server


def counted(sources: Mapping[str, int], source: tuple[str, int]) -> Mapping[str, int] | None:
    """*sources* (see `Standing`), with the entry *source* applied as well; None where it was, or came too late."""
    run, count = source
    if count <= sources.get(run, 0):
        return None
    others = [(other, last) for other, last in sources.items() if other != run]
    return dict([*others, source][-MOST_SOURCES:])


class Log(ABC):
    """Messages numbered 1, 2, 3 … without gaps, durable before they are acknowledged.

    identity: the log's UUID (str); a log under the same room name with another identity is another log.
    forks: identities that this log had before its operator accepted a loss, and up to which message
    each of them is the same log as this one: never beyond where a loss was accepted since.
    archived: the identities of the logs that the room had before its operator began this one, and how many messages each has.
    loss: what proves that messages of this log are missing; None while nothing does. Until the
    operator has accepted the loss, nothing may be appended: ids would be given a second time.
    gone: whether what it is stored in was taken away under it: nothing can be appended then.
    is_untidy: whether `tidy` has something to do.
    unverified: so many messages were found whole at an earlier start only, see `verify_more`.
    room: the room's name.
    standing: None for a log that only its own server decides on.
    """

    identity: str
    standing: Standing | None = None
    loss: str | None = None
    gone: bool = False
    is_untidy: bool = False
    unverified: int = 0
    forks: Mapping[str, int] = {}
    archived: Mapping[str, int] = {}
    room: str

    @property
    @abstractmethod
    def tail(self) -> int:
        """The id of the last message; 0 while there is none."""

    @property
    @abstractmethod
    def tip(self) -> tuple[int, bytes]:
        """`tail` and the digest there, both of one moment; from memory."""

    @abstractmethod
    def append(
        self, messages: Sequence[Message], members: Sequence[MemberRecord] = (), owners: Mapping[int, str] = NO_OWNERS,
        *, digests: Sequence[bytes] | None = None, sessions: Mapping[str, Session | None] = NO_SESSIONS,
        loss: str | None = None, erased: Sequence[Message] = (), standing: Standing | None = None, beside: object = None,
    ) -> None:  # fmt: skip
        """Make all of this durable in one step, or nothing.

        messages: their ids follow the tail without a gap. digests: theirs, where they are known already. members:
        records that replace those of the same member. sessions: by id, those that are new or changed; None for one
        that has ended. loss: what proves that messages are missing, from now on. erased: messages that are in the log, without
        their texts: those are on no disk any more, nor parts of them. standing: where the log stands then. owners: whose the keys of some messages are, by id (`values.keys.key_owner`); of all others they
        are their senders', by folded name. beside: what else a log of its sort keeps (`core.graph.record`).
        Raises LogUnavailable where nothing can be written now, or a key of an owner is there already
        (`find` says which are): nothing has changed then. Raises LogUncertain where that is unknown; from then on
        nothing can be written until the log is opened again. Called by one thread at a time: the order's.
        """

    @abstractmethod
    def read(self, after: int, limit: int) -> list[Message]:
        """At most *limit* messages with ``id > after``, in order. Any thread may call it."""

    @abstractmethod
    def versions(self, id: int) -> list[Message]:
        """Message *id* and its edits, in order; none where there is no such message. Any thread may call it."""

    @abstractmethod
    def about(self, id: int) -> list[Message]:
        """The messages about message *id*, in order. Any thread may call it."""

    @abstractmethod
    def owner(self, id: int) -> str | None:
        """Whose the key of message *id* is (`values.keys.key_owner`); None where it has none. Any thread may call it."""

    @abstractmethod
    def find(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Message]:
        """The messages that owners made with their keys, of all the pairs of both in *keys*; see `append`.

        Where a key stands twice, which only older versions let happen, its first message counts. Raises
        LogUnavailable where it can't be read. Called by the order's thread, as `append`.
        """

    @abstractmethod
    def digest(self, id: int) -> bytes:
        """The digest of message *id* (see `core.digests`), of the beginning for 0; raises UnknownMessage."""

    @abstractmethod
    def members(self) -> list[MemberRecord]:
        """All member records."""

    @abstractmethod
    def sessions(self) -> list[Session]:
        """All sessions that have not ended."""

    def adopt(self, identity: str, about: Mapping[str, Any], standing: Standing) -> Sequence[Message]:
        """In the order's thread: the log *identity* begins, or goes on from a copy of which *about* says what it is; no new messages."""
        raise NotImplementedError

    def paste(self, kind: str, rows: Sequence[Any], standing: Standing) -> Sequence[Message]:
        """In the order's thread: take over a part of the copy, in one step; returns the messages that are new here. Raises
        LogLost where they don't follow those that are there, LogUnavailable."""
        raise NotImplementedError

    def look(self) -> None:  # noqa: B027 - a log in memory has no files
        """Called now and then, in any thread: see to what stands beside the log."""

    def tidy(self) -> None:  # noqa: B027
        """In the order's thread: where it `is_untidy`, give back what space is not needed; waits for nobody."""

    def verify_more(self, limit: int) -> str | None:
        """Compare the next *limit* of the unverified messages with their digests; returns what is damaged.

        Not by several threads at once. Raises LogUnavailable where they can't be read.
        """
        return None

    @abstractmethod
    def size(self) -> tuple[int, int]:
        """The bytes that it takes when all that was committed is in its place, and by how many of them its file has
        still to grow for that. Raises LogUnavailable.
        """

    @abstractmethod
    def close(self) -> None:
        """Release what the log holds. Idempotent."""
