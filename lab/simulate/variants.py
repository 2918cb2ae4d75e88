"""Rules that are simpler than the core's, and broken: each stands for one that was tried. The checker has to find them out.

They live here and not in the core: what they change is replaced, in a subclass.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from lab.simulate.causal import CausalRun, Site
from lab.simulate.lamport import LamportRun
from lab.simulate.simulation import Simulation
from pyrochat.core.graph.agreement import Acceptor, Proposal
from pyrochat.core.graph.anti_entropy import Summary
from pyrochat.core.graph.causal import Graph, Receipt, Refusal
from pyrochat.core.graph.event import Event
from pyrochat.core.graph.lamport import Ordering, View
from pyrochat.core.graph.member import Member
from pyrochat.core.graph.messages import Decided, Message, Text
from pyrochat.core.graph.view_change import ViewChange


class Variant(NamedTuple):
    """rule: what is done instead. run: a simulation in which all sites do it."""

    rule: str
    run: Callable[[int], Simulation]


# -- causal --------------------------------------------------------------------------------------------


class CountsOnlySite(Site):
    """Tells no heads."""

    def summary(self, theirs: Summary | None = None) -> Summary:
        return super().summary(theirs)._replace(heads=())


class CountsOnly(CausalRun):
    """Summaries without heads."""

    site_class = CountsOnlySite
    lying = 1.0


class EagerGraph(Graph):
    """Delivers whatever comes."""

    def _take(self, event: Event, giver: str, receipt: Receipt) -> None:
        self._deliver(event, receipt)


class EagerSite(Site):
    """With such a graph."""

    graph_class = EagerGraph


class Eager(CausalRun):
    """Events are delivered as they come."""

    site_class = EagerSite


class CredulousGraph(Graph):
    """Believes in any number and any time."""

    def _why_refused(self, event: Event) -> Refusal | None:
        return None if self._may_write(event) else Refusal.NOT_A_MEMBER


class CredulousSite(Site):
    """With such a graph."""

    graph_class = CredulousGraph


class Credulous(CausalRun):
    """Times and numbers are not checked."""

    site_class = CredulousSite
    lying = 1.0


class HospitableGraph(Graph):
    """Everybody may write."""

    def _why_refused(self, event: Event) -> Refusal | None:
        why = super()._why_refused(event)
        return None if why is Refusal.NOT_A_MEMBER else why


class HospitableSite(Site):
    """With such a graph."""

    graph_class = HospitableGraph


class Hospitable(CausalRun):
    """Members are not checked."""

    site_class = HospitableSite
    lying = 1.0


class CausalSameName(CausalRun):
    """A site that has lost its tail goes on under its name."""

    def successor_of(self, name: str) -> str:
        return name


class CausalSentFirst(CausalRun):
    """What is said is sent before it is written down."""

    sends_first = True


# -- lamport -------------------------------------------------------------------------------------------


class OneSawItOrdering(Ordering):
    """The textbook's rule: stable is what everybody has sent something later than."""

    def agreed(self) -> int:
        return self.frontier


class OneSawItMember(Member):
    """With such an order."""

    def begin(self, view: View) -> None:
        super().begin(view)
        self.ordering.__class__ = OneSawItOrdering


class OneSawIt(LamportRun):
    """Final is what one site has seen a higher clock of everyone after."""

    member_class = OneSawItMember


class AnySideView(View):
    """Whoever is left is enough."""

    def is_quorum(self, sites: Iterable[str]) -> bool:
        return not set(sites).isdisjoint(self.members)


class AnySideMember(Member):
    """In such views."""

    def begin(self, view: View) -> None:
        super().begin(AnySideView(*view))


class AnySide(LamportRun):
    """Each part of a split goes on."""

    member_class = AnySideMember


class UnfreezingMember(Member):
    """Goes on when an attempt to end the view has not succeeded in time."""

    def tick(self, suspected: Collection[str], is_turn: bool, contacts: Collection[str] = ()) -> None:
        self.ordering.is_frozen = False
        super().tick(suspected, is_turn, contacts)


class Unfreezing(LamportRun):
    """A promise is taken back when the attempt has failed."""

    member_class = UnfreezingMember


class AuthorsOnlyMember(Member):
    """Carries over what was said here only."""

    def carried(self) -> list[Text]:
        return []


class AuthorsOnly(LamportRun):
    """What missed the cut is said again by its author, and nobody else."""

    member_class = AuthorsOnlyMember


class SameName(LamportRun):
    """A site that has lost its tail goes on under its name."""

    def successor_of(self, name: str) -> str:
        return name


class SentFirst(LamportRun):
    """Messages go out before what they follow from is written down."""

    sends_first = True


class HastyAcceptor(Acceptor):
    """Accepts without the cut at hand."""

    def has_cut(self, proposal: Proposal) -> bool:
        return True


class HastyMember(Member):
    """With such an acceptor."""

    def begin(self, view: View) -> None:
        super().begin(view)
        self.change.acceptor.__class__ = HastyAcceptor


class Hasty(LamportRun):
    """A view is accepted without its cut at hand. Random runs don't find it: the events come with what is to be accepted."""

    member_class = HastyMember


class CarelessChange(ViewChange):
    """Ends the view as it is told, with the events that are there."""

    def hear(self, site: str, message: Message) -> Proposal | None:
        if isinstance(message, Decided):
            return message.proposal
        return super().hear(site, message)


class CarelessMember(Member):
    """With such a part in the end of a view."""

    def begin(self, view: View) -> None:
        super().begin(view)
        self.change.__class__ = CarelessChange


class Careless(LamportRun):
    """A view ends without its cut at hand."""

    member_class = CarelessMember


CAUSAL: Mapping[str, Variant] = {
    "counts-only": Variant("summaries tell counts and no heads", CountsOnly),
    "no-gate": Variant("events are delivered as they come, before their causes", Eager),
    "unchecked-clocks": Variant("numbers and times are believed", Credulous),
    "strangers": Variant("events of non-members are delivered", Hospitable),
    "same-name": Variant("one chain per key: a lost tail, and the name stays", CausalSameName),
    "sent-first": Variant("sent before it is written down", CausalSentFirst),
}
LAMPORT: Mapping[str, Variant] = {
    "one-saw-it": Variant("final is what one site saw a higher clock of everyone after", OneSawIt),
    "any-side": Variant("each part of a split goes on", AnySide),
    "unfreezing": Variant("a promise is taken back when the attempt has failed", Unfreezing),
    "same-name": Variant("one chain per key: a lost tail, and the name stays", SameName),
    "authors-only": Variant("only authors say again what missed the cut", AuthorsOnly),
    "sent-first": Variant("sent before it is written down", SentFirst),
    "ended-without-cut": Variant("a view is ended without its cut", Careless),
    "accepted-without-cut": Variant("a view is accepted without its cut (a test of its own finds it)", Hasty),
}
