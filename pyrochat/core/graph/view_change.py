"""How a member takes part in the agreement on the next view: who begins, what is answered, when it is decided."""

from collections.abc import Callable, Collection, Sequence

from pyrochat.core.graph.agreement import Acceptor, Coordinator, Proposal
from pyrochat.core.graph.anti_entropy import missing, summary
from pyrochat.core.graph.effects import Effects
from pyrochat.core.graph.event import Event
from pyrochat.core.graph.lamport import Ordering
from pyrochat.core.graph.messages import Accept, Accepted, Decided, Frozen, Message, Prepare, Promised


class ViewChange:
    """One member's part in the end of one view. take_in: events of the view have come, from that site."""

    def __init__(self, ordering: Ordering, effects: Effects, take_in: Callable[[Sequence[Event], str], None]) -> None:
        self.me, self.view = ordering.me, ordering.view
        self.ordering, self.acceptor = ordering, Acceptor(ordering)
        self.coordinator: Coordinator | None = None
        self._effects, self._take_in = effects, take_in
        self._expected: set[str] = set(self.view.members)
        self._left_at: object = None  # how far the agreement was here after the tick before

    def tick(
        self, suspected: Collection[str], joining: Collection[str], is_turn: bool, leaving: Collection[str] = (),
        is_long: bool = False,
    ) -> None:  # fmt: skip
        """Begin, or go on, if there is a reason: see `member.Member.tick`. is_long: the view has enough events.

        Only where a quorum is alive: who is frozen in vain can't go on when the others are heard of again. The eldest that
        is alive begins; whoever is frozen may begin again when it is their turn, and nothing has come of the others' attempts since
        the tick before: an attempt that waits for a silent site proposes one tick later, and must not be overtaken until then.
        """
        alive = [site for site in self.view.members if site == self.me or site not in suspected]
        self._expected = set(alive)
        staying = [site for site in alive if site not in leaving] or alive
        is_complete = len(staying) == len(self.view.members) and not joining
        if is_complete and not self.ordering.is_frozen and not is_long:
            return
        if self.coordinator is not None:
            self._propose(())
        is_first = alive[0] == self.me
        is_stuck = self._left_at == self._progress()
        may_begin = (is_first and self.coordinator is None) or (is_turn and is_stuck and self.ordering.is_frozen)
        if may_begin and (self.ordering.is_frozen or self.view.is_quorum(alive)):
            self._begin((*staying, *sorted(joining)))
        self._left_at = self._progress()

    def hear(self, site: str, message: Message) -> Proposal | None:
        """*site* says *message*; returns how the view ends, once that is decided and all that belongs to it is here."""
        if isinstance(message, Prepare):
            self._answer(site, message)
        elif isinstance(message, Promised):
            self._take_in(message.events, site)
            if self.coordinator is not None:
                self.coordinator.promised(site, message.promise)
                self._propose(self._expected)
        elif isinstance(message, Accept):
            self._take_in(message.events, site)
            if self._accept(message):
                self._effects.send(site, Accepted(message.ballot))
        elif isinstance(message, Accepted):
            return self._count(site, message)
        elif isinstance(message, Decided) and self.ordering.has(message.proposal.cut):
            return message.proposal
        return None  # without its events: the closed log will be asked for

    def _progress(self) -> object:
        return self.acceptor.promised, self.acceptor.accepted

    def _begin(self, wanted: tuple[str, ...]) -> None:
        ballot = (self.acceptor.promised[0] + 1, self.me)
        self.coordinator = Coordinator(self.view, ballot, wanted)
        promise = self.acceptor.prepare(ballot)
        assert promise is not None, "it is higher than what was promised"
        self._remember()
        self.coordinator.promised(self.me, promise)
        self._effects.cast(self.view.members, Prepare(ballot, summary(self.ordering.graph)))
        self._propose(self._expected)

    def _answer(self, site: str, prepare: Prepare) -> None:
        promise = self.acceptor.prepare(prepare.ballot)
        if promise is not None:
            self._remember()
            graph = self.ordering.graph
            lacking = missing(graph, prepare.summary, len(graph.nodes))
            self._effects.send(site, Promised(promise, tuple(self.ordering.events[id] for id in lacking)))

    def _propose(self, expected: Collection[str]) -> None:
        coordinator = self.coordinator
        proposal = None if coordinator is None else coordinator.propose(expected)
        if coordinator is None or proposal is None:
            return
        events = self.ordering.events.values()
        for site in self.view.members:
            promise = coordinator.promises.get(site)
            if site != self.me and promise is not None:
                lacking = (event for event in events if event.n > promise.counts.get(event.site, 0))
                self._effects.send(site, Accept(coordinator.ballot, proposal, tuple(lacking)))
        if self._accept(Accept(coordinator.ballot, proposal, ())):
            self._effects.send(self.me, Accepted(coordinator.ballot))

    def _accept(self, message: Accept) -> bool:
        is_accepted = self.acceptor.accept(message.ballot, message.proposal)
        if is_accepted:
            self._remember()
        return is_accepted

    def _count(self, site: str, message: Accepted) -> Proposal | None:
        coordinator = self.coordinator
        if coordinator is None or coordinator.proposal is None or not coordinator.accepted(site, message.ballot):
            return None
        proposal = coordinator.proposal
        self._effects.cast(dict.fromkeys([*self.view.members, *proposal.members]), Decided(proposal))
        return proposal

    def _remember(self) -> None:
        self._effects.record(Frozen(self.acceptor.promised, self.acceptor.accepted))
