"""Memory that peers make us keep: answers that they don't take, requests that they don't end.

A bound on each connection alone is none on all together: a thousand peers that stop reading at the same moment hold a
thousand answers. Beyond a budget the peer that makes us keep the most loses what has not moved for longest; so who
reads slowly pays for itself, and not for somebody else.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Hashable
from typing import NamedTuple, Protocol

from pyrochat.clock import monotonic

log = logging.getLogger(__name__)

_MIB = 1024 * 1024
_LEAST_BYTES = 4096  # less is not counted: that many descriptors there are not
_TELLING_SECONDS = 60.0


class Holder(Protocol):
    """A connection. peer: see `core.peers`. closed: it is, or is about to be forgotten here."""

    peer: str
    closed: bool

    def abort(self) -> None:
        """End it, from any thread; whoever serves it notices, and lets go of what is kept."""

    def __hash__(self) -> int: ...


class _Kept(NamedTuple):
    """What one holder makes us keep. what: the same for all that share these bytes. since: nothing has moved since then."""

    size: int
    since: float
    what: Hashable
    may_end: bool


class MemoryBudget:
    """At most *most_bytes* of *what* are kept, for all peers together. Any thread may call."""

    def __init__(self, most_bytes: int, what: str) -> None:
        self.most_bytes = most_bytes
        self._what = what
        self._mutex = threading.Lock()  # guards what follows
        self._kept: dict[Holder, _Kept] = {}
        self._sharers: Counter[Hashable] = Counter()
        self._total = 0
        self._ended = 0  # so many connections, since that was told
        self._told_at = 0.0

    @property
    def total(self) -> int:
        """So many bytes are kept."""
        return self._total

    def keep(
        self, holder: Holder, size: int, since: float, shared: Hashable | None = None, may_end: bool = True
    ) -> None:
        """*size* bytes are kept for *holder*, in place of what was before; where that is too much, somebody is ended.

        since: when *holder*'s peer last took or sent some of them. shared: the same for all who share these very bytes.
        may_end: ending *holder* would free them.
        """
        if size < _LEAST_BYTES:
            self.free(holder)
            return
        with self._mutex:
            self._remove(holder)
            if holder.closed:  # in another thread: nobody would free this
                return
            kept = self._kept[holder] = _Kept(size, since, holder if shared is None else shared, may_end)
            self._total += 0 if self._sharers[kept.what] else size
            self._sharers[kept.what] += 1
            ended = self._end_as_many_as_needed() if self._total > self.most_bytes else []
            count = self._count_to_tell(len(ended))
        for each in ended:
            each.abort()
        if count:
            log.warning(
                "%s: more than %d MiB for all peers together, so those that keep the most are closed (%d)",
                self._what, self.most_bytes // _MIB, count,
            )  # fmt: skip

    def moved(self, holder: Holder, since: float) -> None:
        """*holder*'s peer has just taken or sent some of what is kept for it."""
        with self._mutex:
            if (kept := self._kept.get(holder)) is not None:
                self._kept[holder] = kept._replace(since=since)

    def free(self, holder: Holder) -> None:
        """Nothing is kept for *holder* any more. Idempotent."""
        if holder in self._kept:  # most never are
            with self._mutex:
                self._remove(holder)

    def forget(self, holder: Holder) -> None:
        """*holder* is `closed`: nothing is kept for it any more, whatever other threads are about to say."""
        assert holder.closed
        with self._mutex:
            self._remove(holder)

    def _remove(self, holder: Holder) -> None:
        kept = self._kept.pop(holder, None)
        if kept is None:
            return
        self._sharers[kept.what] -= 1
        if not self._sharers[kept.what]:
            del self._sharers[kept.what]
            self._total -= kept.size

    def _end_as_many_as_needed(self) -> list[Holder]:
        assert self._mutex.locked()
        ended = []
        while self._total > self.most_bytes and (worst := self._worst(monotonic())) is not None:
            self._remove(worst)
            ended.append(worst)
        return ended

    def _worst(self, now: float) -> Holder | None:
        """Of the peer that makes us keep the most, the one that has had the most for the longest; None: nobody may end."""
        shares = {holder: kept.size / self._sharers[kept.what] for holder, kept in self._kept.items() if kept.may_end}
        by_peer: Counter[str] = Counter()
        for holder, share in shares.items():
            by_peer[holder.peer] += int(share)
        if not by_peer:
            return None
        [(peer, _)] = by_peer.most_common(1)
        own = [holder for holder in shares if holder.peer == peer]
        return max(own, key=lambda holder: shares[holder] * (now - self._kept[holder].since))

    def _count_to_tell(self, ended: int) -> int:
        """How many ends to tell of now: once a minute at the most."""
        assert self._mutex.locked()
        self._ended += ended
        now = monotonic()
        if not self._ended or (self._told_at and now < self._told_at + _TELLING_SECONDS):
            return 0
        self._told_at, count, self._ended = now, self._ended, 0
        return count


class Budgets(NamedTuple):
    """Those of one server. unsent: answers and deliveries that have not been taken. requests: that are not whole, or being
    served, of those who are trusted; strangers: of all others."""

    unsent: MemoryBudget
    requests: MemoryBudget
    strangers: MemoryBudget

    @classmethod
    def of(cls, unsent: int = 64 * _MIB, requests: int = 64 * _MIB, strangers: int = 16 * _MIB) -> Budgets:
        """Budgets of so many bytes."""
        return cls(
            MemoryBudget(unsent, "answers that nobody reads"), MemoryBudget(requests, "requests that nobody ends"),
            MemoryBudget(strangers, "greetings that nobody ends"),
        )  # fmt: skip
