"""A network of sites that is only a queue: delays, drops, doubles, splits, one-way cuts, slow sites, sites that are down.

All chance comes from one `random.Random`; nothing iterates over a set. So a seed is the same run on every machine.
"""

import heapq
import random
from collections.abc import Callable
from typing import Any

DELAY = 1.0, 10.0
SELDOM_SLOWER = 0.05, 8  # how often, and how many times: so messages overtake each other
DOUBLED = 0.02
SLOW_SITE = 30.0, 150.0


class Network:
    """hear(site, sender, message) is called for what arrives. Times are units: a message takes one to ten, mostly.

    faults: whether some come twice, and some late.
    """

    def __init__(
        self,
        draw: random.Random,
        drop: float,
        hear: Callable[[str, str, Any], None],
        delay: tuple[float, float] = DELAY,
        faults: bool = True,
    ) -> None:
        self.now = 0.0
        self.messages = 0
        self.down: set[str] = set()
        self.drop = drop
        self._draw, self._hear = draw, hear
        self._delay, self._faults = delay, faults
        self._queue: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0
        self._groups: dict[str, int] = {}
        self._cut: set[tuple[str, str]] = set()
        self._slow: dict[str, float] = {}

    def at(self, delay: float, call: Callable[..., None], *arguments: Any) -> None:
        """Call that, *delay* from now."""
        self._count += 1
        heapq.heappush(self._queue, (self.now + delay, self._count, call, arguments))

    def is_linked(self, sender: str, site: str) -> bool:
        """Whether what *sender* says can get to *site*."""
        return self._groups.get(sender, 0) == self._groups.get(site, 0) and (sender, site) not in self._cut

    def send(self, sender: str, site: str, message: Any) -> None:
        """It arrives, perhaps."""
        self.messages += 1
        draw = self._draw
        if not self.is_linked(sender, site) or draw.random() < self.drop:
            return
        for _ in range(2 if self._faults and draw.random() < DOUBLED else 1):
            delay = draw.uniform(*self._delay) + self._slow.get(site, 0.0)
            if self._faults and draw.random() < SELDOM_SLOWER[0]:
                delay *= SELDOM_SLOWER[1]
            self.at(delay, self._arrive, sender, site, message)

    def _arrive(self, sender: str, site: str, message: Any) -> None:
        if site not in self.down and self.is_linked(sender, site):
            self._hear(site, sender, message)

    def run(self, duration: float) -> None:
        """Let that much time pass."""
        until = self.now + duration
        while self._queue and self._queue[0][0] <= until:
            self.now, _, call, arguments = heapq.heappop(self._queue)
            call(*arguments)
        self.now = until

    # -- faults ---------------------------------------------------------------------------------------

    def split(self, names: list[str]) -> None:
        """Into one to three parts."""
        parts = self._draw.choice([1, 2, 2, 3])
        self._groups = {name: self._draw.randrange(parts) for name in names}

    def cut_one_way(self, names: list[str]) -> None:
        """About a third of all links carry nothing, in that direction."""
        self._cut = {(one, other) for one in names for other in names if self._draw.random() < 0.3}

    def slow_down(self, name: str) -> None:
        """One site hears late."""
        self._slow[name] = self._draw.choice([0.0, 0.0, *SLOW_SITE])

    def mend(self) -> None:
        """No splits, no cuts."""
        self._groups, self._cut = {}, set()

    def heal(self) -> None:
        """All is well, but for some drops."""
        self.mend()
        self._slow = {}
        self.drop = min(self.drop, 0.05)
