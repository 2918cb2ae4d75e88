"""A causally ordered room: the sites, one liar in half of the runs, and what must not happen."""

from dataclasses import replace

from lab.simulate.simulation import Anomaly, Simulation
from pyrochat.core.graph.anti_entropy import Summary, missing, summary
from pyrochat.core.graph.causal import Fork, Graph
from pyrochat.core.graph.event import Event

ROOM = b"room" * 8
SHARE_BYTES = 1 << 20
LIAR, STRANGER = "liar", "stranger"
ANOMALIES = {
    "effect before cause": "an event is delivered before one of its parents, or sorts before it in an export",
    "retracted": "a site that starts again has not what it had, in the order in which it had it",
    "sets differ": "all have met, and don't have the same",
    "lost": "what a site had written down, and never lost, is not everywhere",
    "honest site forked": "a site that never lied has told two stories",
    "fork not proved": "a liar's two stories are in the graph, and a site has no proof, or a wrong one",
    "no member": "an event of somebody who is no member was delivered",
    "inflated clock": "an event's time is not one more than its causes'",
    "waiting": "what waits for parents outgrows its share, or waits when all have met",
}


class Site:
    """disk: what was delivered, in this order."""

    graph_class = Graph

    def __init__(self, name: str) -> None:
        self.name = name
        self.disk: list[Event] = []
        self.events: dict[bytes, Event] = {}
        self.start()

    def start(self) -> None:
        """From the disk."""
        self.graph = self.graph_class(self.name, ROOM, lambda event: event.site != STRANGER, SHARE_BYTES)
        self.events = {}
        if self.take_in(self.disk, self.name) != self.disk:
            raise Anomaly("retracted", self.name)

    def take_in(self, events: list[Event], giver: str) -> list[Event]:
        """What was delivered now, which is not on disk yet."""
        delivered = self.graph.receive(events, giver).delivered
        for event in delivered:
            if any(parent not in self.events for parent in event.parents):
                raise Anomaly("effect before cause", f"{event.site} {event.n} at {self.name}")
            if event.site == STRANGER:
                raise Anomaly("no member", f"at {self.name}")
            if event.lamport != 1 + max((self.events[parent].lamport for parent in event.parents), default=0):
                raise Anomaly("inflated clock", f"{event.site} {event.n} at {self.name}")
            self.events[event.id] = event
        return delivered

    def summary(self, theirs: Summary | None = None) -> Summary:
        """What it has, and asks for."""
        return summary(self.graph, theirs)

    def answer(self, theirs: Summary) -> tuple[Event, ...]:
        """What they lack."""
        return tuple(self.events[id] for id in missing(self.graph, theirs))


class CausalRun(Simulation):
    """One run; in half of them one site lies: it tells two stories, runs ahead, hands over orphans and strangers."""

    site_class = Site
    lying = 0.5
    """How many of the runs have a liar."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed, (3, 5, 8))
        self.sites = {name: self.site_class(name) for name in self.names}
        self.required: dict[bytes, Event] = {}
        self.has_liar = self.draw.random() < self.lying
        if self.has_liar:
            self.names.append(LIAR)
            self.sites[LIAR] = self.site_class(LIAR)

    @property
    def honest(self) -> list[str]:
        return [name for name in self.names if name != LIAR]

    def create(self, name: str) -> None:
        self.sites[name] = self.site_class(name)

    def start(self, name: str) -> None:
        self.sites[name].start()

    def forget(self, name: str) -> None:
        pass  # `Site.start` makes all anew

    def lose_tail(self, name: str, successor: str) -> bool:
        old = self.sites.pop(name)
        if name == LIAR:
            self.sites[name] = old
            return False
        kept = self.draw.randrange(len(old.disk) + 1)
        for event in old.disk[kept:]:
            if not any(event.id in {other.id for other in site.disk} for site in self.sites.values()):
                self.required.pop(event.id, None)
        self.sites[successor] = self.site_class(successor)
        self.sites[successor].disk = old.disk[:kept]
        return True

    # -- what sites do --------------------------------------------------------------------------------

    def _finish(self, name: str, delivered: list[Event], messages: list[tuple[str, object]]) -> None:
        """The end of an input: first the disk, then the network."""
        is_written, likelihood = self.fate(name, bool(delivered))
        if is_written:
            self.sites[name].disk += delivered
            self.required.update((event.id, event) for event in delivered if event.site == name != LIAR)
        for other, message in messages:
            if likelihood == 1 or self.draw.random() < likelihood:
                self.network.send(name, other, message)

    def say(self, name: str) -> None:
        if self.has_liar and LIAR not in self.network.down and (name == LIAR or self.draw.random() < 0.3):
            self._lie()
        if name == LIAR:
            return
        site = self.sites[name]
        event = site.graph.make(b"%d" % self.texts)
        delivered = site.take_in([event], name)
        self._finish(name, delivered, [(other, (event,)) for other in self.names if other != name])

    def tick(self, name: str) -> None:
        others = [other for other in self.names if other != name]
        self._finish(name, [], [(self.draw.choice(others), self.sites[name].summary())])

    def hear(self, name: str, sender: str, message: object) -> None:
        site = self.sites[name]
        if isinstance(message, Summary):
            answer = site.answer(message)
            return self._finish(name, [], [(sender, (answer, site.summary(message)))])
        delivered: list[Event] = []
        messages: list[tuple[str, object]] = []
        assert isinstance(message, tuple)
        if message and isinstance(message[-1], Summary):
            events, theirs = message
            delivered = site.take_in(events, sender)
            messages = [(sender, tuple(site.answer(theirs)))]
        else:
            delivered = site.take_in(list(message), sender)
        return self._finish(name, delivered, messages)

    def _lie(self) -> None:
        site, draw = self.sites[LIAR], self.draw
        event = site.graph.make(b"%d" % self.texts)
        others = self.honest
        what = draw.random()
        if what < 0.5:
            twin = site.graph.make(b"%d, the other story" % self.texts)
            self._finish(LIAR, site.take_in([event], LIAR), [])
            stories = [event, twin]
        elif what < 0.65:
            stories = [replace(event, lamport=event.lamport + draw.randrange(1, 1000))]
        elif what < 0.8:
            stories = [replace(event, parents=(draw.randbytes(32),))]
        else:
            stories = [replace(event, site=STRANGER, n=1)]
        for place, other in enumerate(others):
            self.network.send(LIAR, other, (stories[place % len(stories)],))

    # -- checks ---------------------------------------------------------------------------------------

    def settle(self) -> None:
        for _ in range(200):
            self.network.run(100)
            first = self.sites[self.honest[0]].events.keys()
            if all(self.sites[name].events.keys() == first for name in self.honest):
                break
        self.check()

    def check(self) -> None:
        """All have the same, and it is right."""
        for name in self.honest:
            self._check(self.sites[name])

    def _check(self, site: Site) -> None:
        first = self.sites[self.honest[0]]
        if site.events.keys() != first.events.keys():
            raise Anomaly("sets differ", f"{len(site.events)} at {site.name}, {len(first.events)} at {first.name}")
        if [event.id for event in site.disk] != list(site.events):
            raise Anomaly("retracted", f"{site.name} has another order on its disk")
        if not site.events.keys() >= self.required.keys():
            raise Anomaly("lost", f"{len(self.required.keys() - site.events.keys())} at {site.name}")
        places = {event.id: (event.lamport, event.site, event.id) for event in site.disk}
        if any(places[parent] >= places[event.id] for event in site.disk for parent in event.parents):
            raise Anomaly("effect before cause", "in an export")
        if site.graph.waiting.size > SHARE_BYTES * len(self.names):
            raise Anomaly("waiting", f"{site.graph.waiting.size} bytes at {site.name}")
        self._check_forks(site)

    def _check_forks(self, site: Site) -> None:
        told: dict[tuple[str, int], list[bytes]] = {}
        for event in site.disk:
            told.setdefault((event.site, event.n), []).append(event.id)
        forked = sorted({name for (name, _), ids in told.items() if len(ids) > 1})
        if honest := [name for name in forked if name != LIAR]:
            raise Anomaly("honest site forked", ", ".join(honest))
        proofs = site.graph.forks
        if sorted(proofs) != forked or not all(self._is_proof(site, fork) for fork in proofs.values()):
            raise Anomaly("fork not proved", f"at {site.name}")

    def _is_proof(self, site: Site, fork: Fork) -> bool:
        first, second = site.events[fork.first], site.events[fork.second]
        return first.id != second.id and (first.site, first.n) == (second.site, second.n) == (fork.site, first.n)
