"""Sites of a causal room without a network: a graph, and the events that its disk would have."""

from __future__ import annotations

from collections.abc import Iterable

from pyrochat.core.graph.anti_entropy import Summary, missing, summary
from pyrochat.core.graph.causal import Graph, Receipt
from pyrochat.core.graph.event import Event

ROOT = b"root" * 8
SMALL_SHARE = 20_000


class Site:
    """members: who may write; None: anybody."""

    def __init__(self, name: str, members: Iterable[str] | None = None, share_bytes: int = 4 << 20) -> None:
        allowed = None if members is None else set(members)
        self.name = name
        self.graph = Graph(name, ROOT, lambda event: allowed is None or event.site in allowed, share_bytes)
        self.events: dict[bytes, Event] = {}  # as they were delivered

    def say(self, body: bytes = b"") -> Event:
        event = self.graph.make(body)
        assert self.receive(self.name, event).delivered == [event]
        return event

    def receive(self, giver: str, *events: Event) -> Receipt:
        receipt = self.graph.receive(events, giver)
        self.events.update((event.id, event) for event in receipt.delivered)
        return receipt

    def answer(self, theirs: Summary) -> list[Event]:
        ids = missing(self.graph, theirs)
        assert ids == sorted(ids, key=lambda id: self.graph.nodes[id].place)
        return [self.events[id] for id in ids]

    def meet(self, other: Site) -> bool:
        """One exchange; whether anything was passed on."""
        theirs = summary(self.graph)
        given, asked = other.answer(theirs), summary(other.graph, theirs)
        self.receive(other.name, *given)
        returned = self.answer(asked)
        other.receive(self.name, *returned)
        return bool(given or returned)

    def bodies(self) -> list[bytes]:
        return [event.body for event in self.events.values()]


def meet_all(sites: list[Site], rounds: int = 100) -> None:
    """All meet all, until nobody has anything to give any more."""
    for _ in range(rounds):
        passed_on = [one.meet(other) for one in sites for other in sites if one is not other]
        if not any(passed_on):
            return
    raise AssertionError(f"something is still missing after {rounds} rounds")


def assert_causes_first(site: Site) -> None:
    seen: set[bytes] = set()
    for event in site.events.values():
        assert seen.issuperset(event.parents), "an effect stands before its cause"
        seen.add(event.id)
