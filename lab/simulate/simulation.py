"""What runs of both orders have in common: sites that crash and lose their memory but not their disk, and the faults."""

import random
from abc import ABC, abstractmethod
from enum import Enum
from typing import Any

from lab.simulate.network import Network

TICK = 15.0, 25.0
STEPS = 100
PAUSES = (1, 3, 10, 40, 150)


class Anomaly(AssertionError):
    """What must not happen. kind: in a word or two, the same for all of its sort."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind = kind


class Crash(Enum):
    """Where in the next input a site crashes."""

    BEFORE_WRITING = 1
    BEFORE_SENDING = 2
    WHILE_SENDING = 3


class Simulation(ABC):
    """One run. names: all sites that are, or will be, there; a site that lost its disk's tail is not, its successor is.

    sends_first: true in a broken variant, which sends before it writes.
    """

    sends_first = False

    def __init__(self, seed: int, sizes: tuple[int, ...]) -> None:
        self.draw = random.Random(seed)
        self.names = [f"s{number}" for number in range(self.draw.choice(sizes))]
        self.network = Network(self.draw, self.draw.choice([0.0, 0.05, 0.2]), self._arrive)
        self.texts = 0
        self.inputs = 0
        self.views = 0  # in an order that has views
        self.is_stuck = False  # for good: too many have lost their disk
        self._crashing: dict[str, Crash] = {}
        self._born = len(self.names)

    def play(self) -> None:
        """Faults, then peace, then the last checks. Raises Anomaly."""
        for name in self.names:
            self._start_ticking(name)
        for _ in range(STEPS):
            self._step(self.draw.random())
            self.network.run(self.draw.choice(PAUSES))
        self.network.heal()
        self._crashing.clear()
        for name in self.names:
            self._restart(name)
        self.settle()

    # -- of each order --------------------------------------------------------------------------------

    @abstractmethod
    def create(self, name: str) -> None:
        """A new site, with nothing."""

    @abstractmethod
    def start(self, name: str) -> None:
        """A site starts from its disk."""

    @abstractmethod
    def forget(self, name: str) -> None:
        """A site crashes: its memory is gone."""

    @abstractmethod
    def lose_tail(self, name: str, successor: str) -> bool:
        """A disk has lost its tail: what is left becomes the site *successor*; false: not now."""

    @abstractmethod
    def say(self, name: str) -> None:
        """Somebody at that site says something."""

    @abstractmethod
    def hear(self, name: str, sender: str, message: Any) -> None:
        """A message arrives at a site that is up."""

    @abstractmethod
    def tick(self, name: str) -> None:
        """Time has passed at a site that is up."""

    @abstractmethod
    def settle(self) -> None:
        """All is well: let them converge, and check what has come of it."""

    # -- faults ---------------------------------------------------------------------------------------

    def _step(self, what: float) -> None:
        draw, network = self.draw, self.network
        if what < 0.10:
            network.split(self.names)
        elif what < 0.18:
            network.mend()
        elif what < 0.26:
            self._crash(draw.choice(self.names))
        elif what < 0.37:
            if self.network.down:
                self._restart(draw.choice(sorted(self.network.down)))
        elif what < 0.39:
            for name in self.names:
                self._crash(name)
        elif what < 0.41:
            for name in self.names:
                self._restart(name)
        elif what < 0.44:
            network.cut_one_way(self.names)
        elif what < 0.48:
            network.slow_down(draw.choice(self.names))
        elif what < 0.50:
            if len(self.names) < 9:
                self._add(self._new_name())
        elif what < 0.52:
            self._rebuild(draw.choice(self.names))
        else:
            for _ in range(draw.randrange(1, 4)):
                self._speak(draw.choice(self.names))

    def _crash(self, name: str) -> None:
        """At once, or in the middle of what it does next that has to be written down; some are started again at once."""
        if name in self.network.down or name in self._crashing:
            return
        where = self.draw.choice([None, *Crash])
        if where is None:
            self._end(name)
        else:
            self._crashing[name] = where
            if self.draw.random() < 0.5:
                self._speak(name)
        if self.draw.random() < 0.5:
            self.network.at(self.draw.uniform(1, 20), self._restart, name)

    def _speak(self, name: str) -> None:
        if name not in self.network.down:
            self.texts += 1
            self.say(name)

    def fate(self, name: str, writes: bool) -> tuple[bool, float]:
        """Asked once for each input, which that site may not survive: is what follows written down, and how likely is each
        message sent? writes: whether there is something to write down."""
        self.inputs += 1
        crash = self._crashing.pop(name, None) if writes else None
        if crash is None:
            return True, 1.0
        self._end(name)
        if crash is Crash.BEFORE_WRITING:
            return False, 0.5 if self.sends_first else 0.0
        return True, 0.5 if crash is Crash.WHILE_SENDING else 0.0

    def _end(self, name: str) -> None:
        self.network.down.add(name)
        self.forget(name)

    def _restart(self, name: str) -> None:
        if name in self.network.down:
            self.network.down.remove(name)
            self.start(name)
            if self.draw.random() < 0.5:
                self._speak(name)

    def _new_name(self) -> str:
        self._born += 1
        return f"s{self._born - 1}"

    def _add(self, name: str) -> None:
        self.names.append(name)
        self.create(name)
        self._start_ticking(name)

    def _rebuild(self, name: str) -> None:
        successor = self.successor_of(name)
        if not self.lose_tail(name, successor):
            return
        self._crashing.pop(name, None)
        self._end(name)
        if successor != name:
            self.network.down.remove(name)
            self.names[self.names.index(name)] = successor
            self.network.down.add(successor)
            self._start_ticking(successor)
        if self.draw.random() < 0.5:
            self._restart(successor)

    def successor_of(self, name: str) -> str:
        """What a site that has lost its tail is called from then on: another site."""
        return self._new_name()

    # -- time -----------------------------------------------------------------------------------------

    def _start_ticking(self, name: str) -> None:
        self.network.at(self.draw.uniform(0, TICK[1]), self._on_tick, name)

    def _on_tick(self, name: str) -> None:
        if name in self.names:
            self.network.at(self.draw.uniform(*TICK), self._on_tick, name)
            if name not in self.network.down:
                self.tick(name)

    def _arrive(self, name: str, sender: str, message: Any) -> None:
        if name in self.names:
            self.hear(name, sender, message)
