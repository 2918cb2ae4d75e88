"""Lamport's totally ordered multicast over a graph, inside one view whose members are agreed on.

L. Lamport, "Time, clocks, and the ordering of events in a distributed system" (1978); van Steen and Tanenbaum,
"Distributed Systems", the chapter on coordination. Textbook Lamport delivers what everybody has sent something later
than: who saw that alone, and crashes, has shown an order that the others don't keep. So there are three Lamport times
of a site, each of which only grows while the view lasts:

- clock: what the site says from now on is later than this;
- frontier: the lowest clock of all members, as the site knows them: it has everything up to here, so the order is known;
- commit: a quorum's frontiers have reached this, so the order is final, whatever view comes next (`agreement`). The
  same idea as the commit index of Raft (Ongaro and Ousterhout, 2014).
"""

import hashlib
import heapq
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pyrochat.core.graph.causal import Graph, Receipt
from pyrochat.core.graph.event import Event


class View(NamedTuple):
    """Who is in, the eldest first."""

    number: int
    members: tuple[str, ...]

    def is_quorum(self, sites: Iterable[str]) -> bool:
        """Whether *sites* are a majority, or half of the view with its eldest: any two such sets meet.

        Jajodia and Mutchler, "Dynamic voting algorithms" (1990): the majority of the last view, and a distinguished site.
        """
        present = set(sites).intersection(self.members)
        return 2 * len(present) + (self.members[0] in present) > len(self.members) if self.members else False

    def root(self, room: bytes) -> bytes:
        """The root of the view's graph, in the room *room*."""
        names = [name.encode() for name in self.members]
        parts = [room, str(self.number).encode(), *names]
        form = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hashlib.sha256(b"PyroChat view 1" + form).digest()


class Mark(NamedTuple):
    """A site says: there are *sent* events of mine, whoever has them all knows my clock; and this is my frontier."""

    site: str
    view: int
    sent: int
    clock: int
    frontier: int


class Ordering:
    """The order of one view, as one of its members knows it. Not synchronized.

    final: the view's events whose order is final; it grows at its end only. is_frozen: the view is about to end, so
    this site announces no further frontier: nothing becomes final that the agreement on the view's end doesn't know.
    """

    def __init__(self, me: str, view: View, room: bytes) -> None:
        self.me, self.view = me, view
        self.graph = Graph(me, view.root(room), lambda event: event.site in view.members)
        self.events: dict[bytes, Event] = {}  # as they were delivered
        self.final: list[Event] = []
        self.commit = 0
        self.is_frozen = False
        self.marks: dict[str, Mark] = {}  # the others' newest
        self._announced = 0  # the frontier that others may rely on
        self._open: list[tuple[int, str, bytes]] = []  # a heap: what is delivered and not final
        self._clocks = dict.fromkeys(view.members, 0)  # as far as they are proved
        self._claims: dict[
            str, tuple[int, int]
        ] = {}  # site: of its newest mark (sent, clock), while events are missing
        self._frontiers = dict.fromkeys(view.members, 0)

    def receive(self, events: Iterable[Event], giver: str) -> Receipt:
        """Take in *events*: see `Graph.receive`."""
        receipt = self.graph.receive(events, giver)
        for event in receipt.delivered:
            self.events[event.id] = event
            heapq.heappush(self._open, (event.lamport, event.site, event.id))
            self._clocks[event.site] = max(self._clocks[event.site], event.lamport)
            self._prove(event.site)
        if receipt.delivered:
            self.advance()
        return receipt

    def heard(self, mark: Mark) -> None:
        """Take in what a member says of itself, whoever has passed it on; old ones do no harm."""
        if mark.view != self.view.number or mark.site not in self._clocks or mark.site == self.me:
            return
        self.marks[mark.site] = max(self.marks.get(mark.site, mark), mark)
        self._claims[mark.site] = max(self._claims.get(mark.site, (0, 0)), (mark.sent, mark.clock))
        self._frontiers[mark.site] = max(self._frontiers[mark.site], mark.frontier)
        self._prove(mark.site)
        self.advance()

    def _prove(self, site: str) -> None:
        """A mark's clock counts once all events are here that its site had sent; until then what was proved before does."""
        claim = self._claims.get(site)
        if claim is not None and len(self.graph.chains.get(site, ())) >= claim[0]:
            self._clocks[site] = max(self._clocks[site], claim[1])
            del self._claims[site]

    def mark(self) -> Mark:
        """What to tell the others, once all events that were delivered are on disk. Others rely on it from now on."""
        if not self.is_frozen and self.frontier > self._announced:
            self._announced = self._frontiers[self.me] = self.frontier
            self.advance()
        sent = len(self.graph.chains.get(self.me, ()))
        return Mark(self.me, self.view.number, sent, self.graph.clock, self._announced)

    @property
    def frontier(self) -> int:
        """Up to here everything is here that any member has said, or will say, in this view."""
        self._clocks[self.me] = self.graph.clock
        return min(self._clocks.values())

    def agreed(self) -> int:
        """Up to here the order is final: the highest frontier that a quorum has announced, and not beyond one's own."""
        present = []
        for frontier, site in sorted(((its, site) for site, its in self._frontiers.items()), reverse=True):
            present.append(site)
            if frontier <= self.commit:
                break
            if self.view.is_quorum(present):
                return min(frontier, self.frontier)
        return self.commit

    def advance(self, commit: int = 0) -> None:
        """Make final what is. commit: up to where it was already, before a restart."""
        self.commit = max(self.commit, self.agreed(), commit)
        while self._open and self._open[0][0] <= self.commit:
            self.final.append(self.events[heapq.heappop(self._open)[2]])

    def unordered(self, most: int) -> list[Event]:
        """So many of those whose order is not final, in the one that they would have now."""
        return [self.events[id] for _, _, id in heapq.nsmallest(most, self._open)]

    def has(self, cut: Mapping[str, int]) -> bool:
        """Whether all events of *cut* are here: of each site so many."""
        return all(len(self.graph.chains.get(site, ())) >= count for site, count in cut.items())

    def up_to(self, cut: Mapping[str, int]) -> list[Event]:
        """All of the view in its order, once it is agreed which events belong to it."""
        events = (event for event in self.events.values() if event.n <= cut.get(event.site, 0))
        return sorted(events, key=lambda event: (event.lamport, event.site, event.id))
