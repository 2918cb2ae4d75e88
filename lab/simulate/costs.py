"""What a chat message costs: messages between sites for each text, as the core's own code sends them.

A message takes half a ms to one and a half. At 100 texts a second, said by any site; the marks of a totally ordered room go by
way of the eldest, gathered for 5 ms. Ticks and summaries, one a second and site, are counted too.
"""

import random
from typing import Any, NamedTuple

from lab.simulate.network import Network
from pyrochat.core.graph.anti_entropy import Summary, missing, summary
from pyrochat.core.graph.causal import Graph
from pyrochat.core.graph.closed_log import ClosedLog
from pyrochat.core.graph.event import Event
from pyrochat.core.graph.lamport import View
from pyrochat.core.graph.member import Member
from pyrochat.core.graph.messages import Text

SITES = (3, 10, 30)
RATE = 100.0  # texts a second
GAP_MS = 1000 / RATE
TICK_MS = 1000.0
MARKS_MS = 5.0
ROOM = b"room" * 8
BOUNDS = {"causal": 1.1, "lamport": 6.0}
"""Messages a text, times N - 1, at the most."""


class Cost(NamedTuple):
    """Of one text, in a room of *sites* sites: messages; ms until its author's site, and until all, have its number
    (causal: have it)."""

    order: str
    sites: int
    messages: float
    own_ms: float
    all_ms: float

    @property
    def is_within(self) -> bool:
        """Whether that is what was promised."""
        return self.messages <= BOUNDS[self.order] * (self.sites - 1)


class _Room:
    """Sites that say *texts* texts, and what it costs."""

    order = ""

    def __init__(self, sites: int, texts: int, seed: int) -> None:
        self.draw = random.Random(seed)
        self.names = [f"s{number:02}" for number in range(sites)]
        self.network = Network(self.draw, 0.0, self.hear, delay=(0.5, 1.5), faults=False)
        self.said: dict[str, tuple[str, float]] = {}
        self.there: dict[str, dict[str, float]] = {}
        self.texts = texts

    def run(self) -> Cost:
        for name in self.names:
            self.network.at(self.draw.uniform(0, TICK_MS), self._on_tick, name)
        for number in range(self.texts):
            self.network.at(number * GAP_MS, self._say, f"{number}")
        self.network.run(self.texts * GAP_MS)
        messages = self.network.messages / self.texts
        self.network.run(2 * TICK_MS)
        own = [self.there[key][name] - at for key, (name, at) in self.said.items()]
        everywhere = [max(self.there[key].values()) - at for key, (_, at) in self.said.items()]
        assert all(len(there) == len(self.names) for there in self.there.values())
        return Cost(self.order, len(self.names), messages, _median(own), _median(everywhere))

    def _say(self, key: str) -> None:
        name = self.draw.choice(self.names)
        self.said[key], self.there[key] = (name, self.network.now), {}
        self.say(name, key)

    def _on_tick(self, name: str) -> None:
        self.network.at(TICK_MS, self._on_tick, name)
        self.tick(name)

    def say(self, name: str, key: str) -> None:
        raise NotImplementedError

    def tick(self, name: str) -> None:
        raise NotImplementedError

    def hear(self, name: str, sender: str, message: Any) -> None:
        raise NotImplementedError


class _CausalRoom(_Room):
    order = "causal"

    def __init__(self, sites: int, texts: int, seed: int) -> None:
        super().__init__(sites, texts, seed)
        self.graphs = {name: Graph(name, ROOM, lambda event: True) for name in self.names}
        self.events: dict[bytes, Event] = {}

    def say(self, name: str, key: str) -> None:
        event = self.graphs[name].make(key.encode())
        self.events[event.id] = event
        self._receive(name, name, (event,))
        for other in self.names:
            if other != name:
                self.network.send(name, other, (event,))

    def tick(self, name: str) -> None:
        other = self.draw.choice([other for other in self.names if other != name])
        self.network.send(name, other, summary(self.graphs[name]))

    def hear(self, name: str, sender: str, message: Any) -> None:
        graph = self.graphs[name]
        if isinstance(message, Summary):
            self.network.send(name, sender, (self._lacking(graph, message), summary(graph, message)))
        elif message and isinstance(message[-1], Summary):
            self._receive(name, sender, message[0])
            if lacking := self._lacking(graph, message[1]):
                self.network.send(name, sender, lacking)
        else:
            self._receive(name, sender, message)

    def _lacking(self, graph: Graph, theirs: Summary) -> tuple[Event, ...]:
        return tuple(self.events[id] for id in missing(graph, theirs))

    def _receive(self, name: str, sender: str, events: tuple[Event, ...]) -> None:
        for event in self.graphs[name].receive(events, sender).delivered:
            self.there[event.body.decode()][name] = self.network.now


class _LamportRoom(_Room):
    order = "lamport"

    def __init__(self, sites: int, texts: int, seed: int) -> None:
        super().__init__(sites, texts, seed)
        view = View(1, tuple(self.names))
        self.members = {name: Member(name, ROOM, ClosedLog([view])) for name in self.names}
        self.shown = dict.fromkeys(self.names, 0)
        self.due: set[str] = set()

    def say(self, name: str, key: str) -> None:
        self.members[name].say(Text(key, b""))
        self._finish(name)

    def tick(self, name: str) -> None:
        self.members[name].tick((), False)
        self._finish(name)

    def hear(self, name: str, sender: str, message: Any) -> None:
        self.members[name].receive(sender, *message)
        self._finish(name)

    def _pass_on_marks(self, name: str) -> None:
        self.due.discard(name)
        self.members[name].pass_on_marks()
        self._finish(name, is_due=False)

    def _finish(self, name: str, is_due: bool = True) -> None:
        member = self.members[name]
        for other, number, message in member.take()[1]:
            self.network.send(name, other, (number, message))
        for text in member.open.numbered[self.shown[name] :]:
            self.there[text.key][name] = self.network.now
        self.shown[name] = len(member.open.numbered)
        if is_due and name not in self.due:
            self.due.add(name)
            self.network.at(MARKS_MS, self._pass_on_marks, name)


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def costs(order: str, sites: int, texts: int = 300, seed: int = 1) -> Cost:
    """Of one order, in a room of so many sites."""
    room = {"causal": _CausalRoom, "lamport": _LamportRoom}[order]
    return room(sites, texts, seed).run()
