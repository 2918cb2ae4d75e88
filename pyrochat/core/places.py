"""Places: how many of something there may be, of one peer and in all, and who makes room for a newcomer.

Who costs nothing to let go (a connection that nobody vouches for) has a place in `Places`: at its bound the peer
that has the most gives one up. Who may stay once it is in (a session, a member's connection) has a share in
`Shares`: at its bound a newcomer is refused.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

RESERVED_DESCRIPTORS = 64  # of a process: for logs, the name server, the multicaster's own sockets

Holder = TypeVar("Holder", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many connections and sessions a server holds; each is a descriptor, but for a lost session.

    strangers: connections without a key that is proved, guests' too. guests: sessions of guests.
    newcomers: connections and sessions of keys that are new here; callbacks: that are being connected to.
    of_a_key: connections and sessions of one key. descriptors: the process may have so many open.
    kept_for_known: the last of them, for members whose keys are known here.
    """

    strangers: int = 2048
    strangers_of_a_peer: int = 1024
    guests: int = 1024
    guests_of_a_peer: int = 512
    newcomers_of_a_peer: int = 8192
    of_a_key: int = 4096
    callbacks: int = 512
    callbacks_of_a_peer: int = 64
    descriptors: int = 1 << 20
    kept_for_known: int = 1 << 17

    @classmethod
    def within(cls, descriptors: int) -> Self:
        """The bounds of a process that may have so many open: everything has its part, and members the rest."""
        ours, usual = max(0, descriptors - RESERVED_DESCRIPTORS), cls()
        return cls(
            min(usual.strangers, ours // 2), min(usual.strangers_of_a_peer, ours // 4),
            min(usual.guests, ours // 4), min(usual.guests_of_a_peer, ours // 8),
            min(usual.newcomers_of_a_peer, ours // 2), min(usual.of_a_key, ours // 4),
            min(usual.callbacks, ours // 8), min(usual.callbacks_of_a_peer, ours // 16),
            descriptors, ours // 8,
        )  # fmt: skip

    @property
    def strangers_when_crowded(self) -> int:
        """So many of the last places are for those who have yet to show their key."""
        return self.kept_for_known // 2

    @property
    def last_descriptor(self) -> int:
        """A connection whose descriptor is this or above has no place."""
        return self.descriptors - RESERVED_DESCRIPTORS

    @property
    def last_free_descriptor(self) -> int:
        """From this descriptor on, places are for members whose keys are known."""
        return self.last_descriptor - self.kept_for_known


class Places(Generic[Holder]):
    """Who has a place, by peer. Not synchronized.

    in_all, of_a_peer: the bounds. Nobody is refused: who lets a newcomer in has to let others go.
    """

    def __init__(self, in_all: int, of_a_peer: int) -> None:
        self._in_all = in_all
        self._of_a_peer = of_a_peer
        self._peer: dict[Holder, str] = {}
        self._queues: dict[
            str, tuple[dict[Holder, None], dict[Holder, None]]
        ] = {}  # of each peer; the first goes first

    def __len__(self) -> int:
        return len(self._peer)

    def put(self, holder: Holder, peer: str, stays: bool = False) -> None:
        """*holder* of *peer* has a place, or has just used it: it goes after all others of that peer.

        stays: it has a reason to be here, and goes after all that have none.
        """
        self.remove(holder)
        self._peer[holder] = peer
        self._queues.setdefault(peer, ({}, {}))[stays][holder] = None

    def renew(self, holder: Holder, stays: bool) -> None:
        """As `put`, for who has a place; others get none."""
        peer = self._peer.get(holder)
        if peer is not None:
            self.put(holder, peer, stays)

    def remove(self, holder: Holder) -> None:
        """*holder* needs its place no longer. Idempotent."""
        peer = self._peer.pop(holder, None)
        if peer is None:
            return
        first, last = self._queues[peer]
        first.pop(holder, None)
        last.pop(holder, None)
        if not (first or last):
            del self._queues[peer]

    def surplus(self, peer: str) -> int:
        """How many have to go before somebody of *peer* comes."""
        return max(len(self._peer) + 1 - self._in_all, self._count(peer) + 1 - self._of_a_peer, 0)

    def candidates(self, peer: str) -> list[Holder]:
        """Who may make room for somebody of *peer*, in order.

        Of *peer* itself where it has all that a peer may have, else of whichever has the most.
        """
        return self._in_order(peer if self._count(peer) >= self._of_a_peer else self._largest())

    def too_many(self) -> list[Holder]:
        """Who has to go for the bounds to hold: some of those that had to go before may have been busy."""
        found: list[Holder] = []
        for peer in self._queues:
            found += self._in_order(peer)[: max(0, self._count(peer) - self._of_a_peer)]
        surplus = len(self._peer) - self._in_all - len(found)
        if surplus > 0:
            found += [holder for holder in self._in_order(self._largest()) if holder not in found][:surplus]
        return found

    def _largest(self) -> str:
        """The peer that has the most; empty where there is none."""
        return max(self._queues, key=self._count, default="")

    def _in_order(self, peer: str) -> list[Holder]:
        first, last = self._queues.get(peer, ({}, {}))
        return [*first, *last]

    def _count(self, peer: str) -> int:
        return sum(map(len, self._queues.get(peer, ())))


class Shares:
    """How many each owner has, at most *each*, and all together at most *in_all*. Not synchronized."""

    def __init__(self, each: int, in_all: int | None = None) -> None:
        self.each = each
        self._in_all = in_all
        self._counts: dict[Hashable, int] = {}
        self._sum = 0

    def fits(self, owner: Hashable) -> bool:
        """Whether *owner* may take one more."""
        return self._counts.get(owner, 0) < self.each and (self._in_all is None or self._sum < self._in_all)

    def take(self, owner: Hashable) -> None:
        """*owner* has one more."""
        self._counts[owner] = self._counts.get(owner, 0) + 1
        self._sum += 1

    def give_back(self, owner: Hashable) -> None:
        """*owner* has one less."""
        self._sum -= 1
        self._counts[owner] -= 1
        if not self._counts[owner]:
            del self._counts[owner]
