"""How much is measured."""

from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[str], None]
"""Called with what is being done now."""


@dataclass(frozen=True, slots=True)
class Plan:
    """rounds: how often the contestants take turns; other_rounds: where no row is made of it.

    most_deliveries: the bound on one burst, for the sake of memory.
    """

    rounds: int
    other_rounds: int
    everything: bool
    burst_seconds: float
    most_deliveries: int
    paced_seconds: float
    posts_seconds: float
    idle_seconds: float


QUICK = Plan(
    rounds=3, other_rounds=1, everything=False, burst_seconds=1.0, most_deliveries=1_000_000, paced_seconds=3.0, posts_seconds=2.0,
    idle_seconds=8.0,
)  # fmt: skip
FULL = Plan(
    rounds=5, other_rounds=3, everything=True, burst_seconds=1.0, most_deliveries=2_000_000, paced_seconds=3.0,
    posts_seconds=3.0, idle_seconds=20.0,
)  # fmt: skip
