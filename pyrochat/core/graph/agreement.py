"""The next view: the members of a view agree who is in the next one, and which events still belong to this one.

One decision of Paxos (Lamport, "The part-time parliament", 1998, and "Paxos made simple", 2001) for each view, among the
view's members; the decision says who decides next (as in "Vertical Paxos and primary-backup replication": Lamport,
Malkhi and Zhou, 2009). What is decided are the members and the *cut*: how many events of each site belong to the view
that ends, so all end it with the same (virtual synchrony: Birman and Joseph, 1987).

Who has promised is frozen until the next view, also over a restart (`lamport.Ordering.is_frozen`): a quorum's
promises know every event that has become final. Nobody may take a promise back because the attempt has failed.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from pyrochat.core.graph.lamport import Ordering, View

Ballot = tuple[int, str]
"""Round and coordinator."""


class Proposal(NamedTuple):
    """The members of the next view, the eldest first, and how many events of each site belong to this one."""

    members: tuple[str, ...]
    cut: Mapping[str, int]


class Promise(NamedTuple):
    """accepted: what the site has accepted before, under which ballot. counts: how many events of each site it has."""

    ballot: Ballot
    accepted: tuple[Ballot, Proposal] | None
    counts: Mapping[str, int]


class Acceptor:
    """What a member must never forget of the view it is in: `promised` and `accepted` are written to disk before they
    are told."""

    def __init__(self, ordering: Ordering) -> None:
        self._ordering = ordering
        self.promised: Ballot = (0, "")
        self.accepted: tuple[Ballot, Proposal] | None = None

    def restore(self, promised: Ballot, accepted: tuple[Ballot, Proposal] | None) -> None:
        """What was on disk."""
        self.promised, self.accepted, self._ordering.is_frozen = promised, accepted, True

    def prepare(self, ballot: Ballot) -> Promise | None:
        """Promise to accept nothing under a lower ballot; None where a higher one was promised."""
        if ballot < self.promised:
            return None
        self.restore(ballot, self.accepted)
        counts = {site: len(chain) for site, chain in self._ordering.graph.chains.items()}
        return Promise(ballot, self.accepted, counts)

    def accept(self, ballot: Ballot, proposal: Proposal) -> bool:
        """Only with every event of the cut at hand: a quorum has them then, so the decision can be carried out."""
        if ballot < self.promised or not self.has_cut(proposal):
            return False
        self.restore(ballot, (ballot, proposal))
        return True

    def has_cut(self, proposal: Proposal) -> bool:
        """Whether all events of the proposal's cut are here."""
        return self._ordering.has(proposal.cut)


class Coordinator:
    """One attempt of one member to end the view. Forgotten in a restart: the next attempt has a higher ballot.

    wanted: who shall be in the next view. All who wait to come in at once: each view interrupts the numbering.
    """

    def __init__(self, view: View, ballot: Ballot, wanted: tuple[str, ...]) -> None:
        self.ballot = ballot
        self.promises: dict[str, Promise] = {}
        self.proposal: Proposal | None = None
        self._view, self._wanted = view, wanted
        self._accepted_by: set[str] = set()

    def promised(self, site: str, promise: Promise) -> None:
        """A member has answered."""
        if promise.ballot == self.ballot and self.proposal is None:
            self.promises[site] = promise

    def propose(self, expected: Collection[str]) -> Proposal | None:
        """What to propose, once: when a quorum has promised, and all *expected*: more answers lose less."""
        if self.proposal is not None or not self.promises.keys() >= set(expected):
            return None
        if not self._view.is_quorum(self.promises):
            return None
        earlier = [promise.accepted for promise in self.promises.values() if promise.accepted is not None]
        if earlier:  # it may be decided already
            self.proposal = max(earlier, key=lambda accepted: accepted[0])[1]
        else:
            all_counts = [promise.counts for promise in self.promises.values()]
            cut = {site: max(counts.get(site, 0) for counts in all_counts) for site in self._view.members}
            self.proposal = Proposal(self._wanted, cut)
        return self.proposal

    def accepted(self, site: str, ballot: Ballot) -> bool:
        """A member has accepted; true once, when that decides it."""
        if ballot != self.ballot or self._view.is_quorum(self._accepted_by):
            return False
        self._accepted_by.add(site)
        return self._view.is_quorum(self._accepted_by)
