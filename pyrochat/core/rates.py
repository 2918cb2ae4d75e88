"""How much one member, or one peer, may do: a token bucket for each.

A bucket refills at the rate and holds the burst. A call that sends more than the burst passes when the
bucket is full, and leaves it in debt: large batches are possible, and the rate holds over time.
"""

from collections.abc import Hashable
from dataclasses import dataclass

from pyrochat.values.rules import checked_number

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
    checked_number(per_second, "the rate, in messages a second (0: no limit),")
    if burst is not None:
        checked_number(burst, "the burst, in messages,", 1)
    return Rate(per_second, max(1.0, per_second * _BURST_SECONDS) if burst is None else burst)


class TokenBuckets:
    """A bucket for each subject: a member, a peer. Not synchronized; times are seconds of any monotonic clock.

    Above *most_full* buckets those that are full again are forgotten.
    """

    def __init__(self, rate: Rate, most_full: int = _MOST_FULL_BUCKETS) -> None:
        self.rate = rate
        self._levels: dict[Hashable, tuple[float, float]] = {}  # tokens, and when that was true
        self._most_full = most_full
        self._most = most_full

    def take(self, subject: Hashable, count: int, now: float) -> float:
        """Take *count* tokens; 0.0 where they were there, else the seconds to wait (and nothing is taken)."""
        wait = self.wait(subject, count, now)
        if not wait:
            self.charge(subject, count, now)
        return wait

    def wait(self, subject: Hashable, count: int, now: float) -> float:
        """The seconds until *count* tokens can be taken; nothing is."""
        if self.rate.per_second <= 0:
            return 0.0
        return max(0.0, (min(count, self.rate.burst) - self._level(subject, now)) / self.rate.per_second)

    def charge(self, subject: Hashable, amount: float, now: float) -> float:
        """Take *amount* for what is done already; the seconds until the bucket is out of debt."""
        if self.rate.per_second <= 0:
            return 0.0
        level = self._level(subject, now) - amount
        if len(self._levels) > self._most:
            self._forget_full(now)
        self._levels[subject] = (level, now)
        return max(0.0, -level / self.rate.per_second)

    def _level(self, subject: Hashable, now: float) -> float:
        level, since = self._levels.get(subject, (self.rate.burst, now))
        return min(self.rate.burst, level + (now - since) * self.rate.per_second)

    def _forget_full(self, now: float) -> None:
        self._levels = {s: level for s, level in self._levels.items() if self._level(s, now) < self.rate.burst}
        self._most = max(self._most_full, 2 * len(self._levels))  # or each call would look at all of them again
