"""The graph: events are delivered after their causes, by every site for itself, with nobody to agree with.

Causally ordered multicast (van Steen and Tanenbaum, "Distributed Systems", the chapter on coordination), with the
parents' hashes in the place of vector clocks, as in git. It goes on in every part of a split network; sites that meet
give each other what they lack (`anti_entropy`), and then have equal sets of events.

How it is used:

- To say something: `make`, sign, write to disk, `receive` it as one's own, send it to everybody. In this order.
- What comes from a site: verify signatures, `receive`, write what was delivered to disk, and only then send anything
  that follows from it. The graph keeps no bodies: the events by their ids are the caller's to keep.
- At a start: `receive` all that is on disk, in the order in which it was delivered.
"""

from collections.abc import Callable, Iterable
from enum import Enum
from heapq import nlargest
from typing import NamedTuple

from pyrochat.core.graph.event import Event
from pyrochat.core.graph.waiting import Waiting

PARENTS = 256
"""An event has so many parents at most: more sites than a room may have; only who tells two stories makes more heads."""
WAITING_BYTES = 4 << 20
"""For events of each site that handed them over, as long as their parents are not here."""


class Refusal(Enum):
    """Why an event is not taken."""

    OTHER_ROOT = "it belongs to another room"
    NOT_A_MEMBER = "its site is no member, or has not said it"
    UNSOUND = "its number or its time do not follow from its parents"
    AFTER_REFUSED = "one of its parents was refused"
    CROWDED_OUT = "its parents did not come, and there is no room for it to wait any longer"


class Fork(NamedTuple):
    """The proof that *site* has told two stories: both events are its, under the same number."""

    site: str
    first: bytes
    second: bytes


class Receipt(NamedTuple):
    """What came of events: those delivered now, in causal order; those not taken; forks that are new (one a site)."""

    delivered: list[Event]
    refused: list[tuple[Event, Refusal]]
    forks: list[Fork]


class Node(NamedTuple):
    """What is kept of an event that was delivered. place: how many were delivered before."""

    place: int
    site: str
    n: int
    lamport: int


class Graph:
    """One site's copy. Not synchronized.

    may_write: whether an event's site is a member; it is asked when the event's causes have been delivered, and has
    to say the same on all sites. Sites that hand events over are members: each has a share of `waiting_bytes`.
    """

    def __init__(
        self, me: str, root: bytes, may_write: Callable[[Event], bool], waiting_bytes: int = WAITING_BYTES
    ) -> None:
        self.me, self.root = me, root
        self.nodes: dict[bytes, Node] = {}  # all that was delivered, in this order
        self.chains: dict[str, list[bytes]] = {}  # site: its events 1, 2, …; of a forked one those that came first
        self.heads: dict[bytes, None] = {}
        self.forks: dict[str, Fork] = {}
        self.clock = 0
        self.waiting = Waiting(waiting_bytes)
        self.branches: dict[str, list[bytes]] = {}  # of forked sites: what is not in the chain
        self._may_write = may_write

    def make(self, body: bytes) -> Event:
        """This site's next event, after all that was delivered here. It is not delivered: `receive` it when signed."""
        chain = self.chains.get(self.me, ())
        own = chain[-1:]
        others = [head for head in self.heads if head not in own]
        if len(others) > PARENTS - len(own):
            others = nlargest(PARENTS - len(own), others, key=lambda id: (self.nodes[id].lamport, id))
        parents = (*own, *others)
        lamport = 1 + max((self.nodes[id].lamport for id in parents), default=0)
        return Event(self.root, self.me, len(chain) + 1, lamport, parents, body)

    def receive(self, events: Iterable[Event], giver: str) -> Receipt:
        """Take in *events* that *giver* has handed over: in any order, any number of times."""
        receipt = Receipt([], [], [])
        for event in events:
            if event.root != self.root:
                receipt.refused.append((event, Refusal.OTHER_ROOT))
            elif len(event.parents) > PARENTS:
                receipt.refused.append((event, Refusal.UNSOUND))
            elif event.id not in self.nodes and event.id not in self.waiting:
                self._take(event, giver, receipt)
        return receipt

    def _take(self, event: Event, giver: str, receipt: Receipt) -> None:
        ready = [(event, giver)]
        refused: set[bytes] = set()
        while ready:
            event, giver = ready.pop()
            why: Refusal | None = Refusal.AFTER_REFUSED
            if refused.isdisjoint(event.parents):
                missing = next((parent for parent in event.parents if parent not in self.nodes), None)
                if missing is not None:
                    dropped = self.waiting.add(event, giver, missing)
                    receipt.refused.extend((other, Refusal.CROWDED_OUT) for other in dropped)
                    continue
                why = self._why_refused(event)
            if why is None:
                self._deliver(event, receipt)
            else:
                receipt.refused.append((event, why))
                refused.add(event.id)
            ready += self.waiting.release(event.id)

    def _why_refused(self, event: Event) -> Refusal | None:
        """Number and Lamport time follow from the parents: nobody can run ahead of the others' clocks."""
        parents = [self.nodes[parent] for parent in event.parents]
        before = parents[0].n if parents and parents[0].site == event.site else 0
        lamport = 1 + max((parent.lamport for parent in parents), default=0)
        if event.n != before + 1 or event.lamport != lamport:
            return Refusal.UNSOUND
        return None if self._may_write(event) else Refusal.NOT_A_MEMBER

    def _deliver(self, event: Event, receipt: Receipt) -> None:
        chain = self.chains.setdefault(event.site, [])
        if event.n > len(chain):
            chain.append(event.id)
        else:
            self.branches.setdefault(event.site, []).append(event.id)
            if event.site not in self.forks:
                self.forks[event.site] = Fork(event.site, chain[event.n - 1], event.id)
                receipt.forks.append(self.forks[event.site])
        self.nodes[event.id] = Node(len(self.nodes), event.site, event.n, event.lamport)
        self.clock = max(self.clock, event.lamport)
        for parent in event.parents:
            self.heads.pop(parent, None)
        self.heads[event.id] = None
        receipt.delivered.append(event)
