"""How much one member, or one address, may do: a token bucket for each.

A bucket refills at the rate and holds the burst. A call that sends more than the burst passes when the
bucket is full, and leaves it in debt: large batches are possible, and the rate holds over time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pyrochat.values.errors import InvalidArgument

__all__ = ["DEFAULT_RATE", "Rate", "TokenBuckets", "rate_of"]

DEFAULT_RATE = 200.0  # messages a second
_BURST_SECONDS = 10.0

_MOST_FULL_BUCKETS = 10_000


@dataclass(frozen=True, slots=True)
class Rate:
    """per_second: of whatever is counted (messages, seconds of a core, names); 0 sets no limit. burst: at once."""

    per_second: float = DEFAULT_RATE
    burst: float = DEFAULT_RATE * _BURST_SECONDS


def rate_of(per_second: float, burst: float | None = None) -> Rate:
    """A rate; its burst is what ten seconds make, unless it is given. Raises InvalidArgument."""
    if not (0 <= per_second < math.inf) or (burst is not None and not 1 <= burst < math.inf):
        raise InvalidArgument("a rate is 0 (no limit) or more messages a second, and a burst 1 or more")
    return Rate(per_second, max(1.0, per_second * _BURST_SECONDS) if burst is None else burst)


class TokenBuckets:
    """A bucket for each member. Not synchronized; times are seconds of any monotonic clock."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._levels: dict[str, tuple[float, float]] = {}  # tokens, and when that was true

    def take(self, member: str, count: int, now: float) -> float:
        """Take *count* tokens; 0.0 where they were there, else the seconds to wait (and nothing is taken)."""
        if self.rate.per_second <= 0:
            return 0.0
        level = self._level(member, now)
        needed = min(count, self.rate.burst)
        if level < needed:
            return (needed - level) / self.rate.per_second
        if len(self._levels) > _MOST_FULL_BUCKETS:
            self._forget_full(now)
        self._levels[member] = (level - count, now)
        return 0.0

    def charge(self, member: str, amount: float, now: float) -> float:
        """Take *amount* for what is done already; the seconds until the bucket is out of debt."""
        if self.rate.per_second <= 0:
            return 0.0
        level = self._level(member, now) - amount
        if len(self._levels) > _MOST_FULL_BUCKETS:
            self._forget_full(now)
        self._levels[member] = (level, now)
        return max(0.0, -level / self.rate.per_second)

    def _level(self, member: str, now: float) -> float:
        level, since = self._levels.get(member, (self.rate.burst, now))
        return min(self.rate.burst, level + (now - since) * self.rate.per_second)

    def _forget_full(self, now: float) -> None:
        self._levels = {m: level for m, level in self._levels.items() if self._level(m, now) < self.rate.burst}
