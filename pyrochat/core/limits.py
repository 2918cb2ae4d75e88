"""What one member, and one peer, may make a server do: who shares what with whom.

A name costs nothing, and a key little. So what somebody does counts for its key, and, unless that has been known for an
hour, for the peer (`core.peers`) behind it too: all guests of a peer share what one member may do, and so do all keys
that were seen there first within the hour. The two share nothing, so guests can't keep new members from speaking.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

from pyrochat.core.quotas import Quota
from pyrochat.core.rates import Rate, TokenBuckets
from pyrochat.values.errors import QuotaUsedUp, RateLimited
from pyrochat.values.sizes import shown_size

NEW_SECONDS = 3600.0  # so long a key counts as new
DAY_SECONDS = 86_400.0
MOST_NEW_NAMES = 256  # from one peer within `NEW_SECONDS`: each stays in the registry
MEMBERS_TIME = Rate(0.05, 0.5)  # seconds of a core, a second; each member's share
PEERS_TIME = Rate(0.1, 0.5)  # of a peer's guests, and of its new keys; the burst holds 400 joins
STRANGERS_TIME = Rate(0.1, 1.5)  # of those who have not shown who they are; the burst holds 4,000 greetings
REFUSAL_SECONDS = 0.005  # a refusal counts for so much more than it takes: who reconnects is refused at once again

_MOST_KEYS = 100_000
_MEMBER, _GUESTS, _NEW_KEYS = "one member", "the guests at your address", "the new keys at your address"


def is_new(seconds_known: float) -> bool:
    """Whether a key counts as new that has been known for so long; negative where the clock was corrected meanwhile."""
    return abs(seconds_known) < NEW_SECONDS


class Bucket(NamedTuple):
    """whose: as one says to people. subject: the key of a member, or the peer."""

    whose: str
    subject: bytes | str


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose doing something is.

    key: of a member; None for a guest. peer: where a guest comes from, and where a key was seen first. new_until: until
    then (monotonic seconds) the key counts as new.
    """

    key: bytes | None
    peer: str
    new_until: float = -math.inf

    def buckets(self, now: float) -> list[Bucket]:
        """What it does is taken from all of these."""
        if self.key is None:
            return [Bucket(_GUESTS, self.peer)]
        own = Bucket(_MEMBER, self.key)
        return [own, Bucket(_NEW_KEYS, self.peer)] if now < self.new_until else [own]


class Limits:
    """Messages, bytes, and time of the server's. Not synchronized; *now* is seconds of a monotonic clock.

    rate: of one member's messages; 0 turns off all of this. peer_bytes: of a peer's guests and new keys a day;
    0 sets no bound.
    """

    def __init__(
        self, rate: Rate, peer_bytes: int, members_time: Rate = MEMBERS_TIME, peers_time: Rate = PEERS_TIME,
        strangers_time: Rate = STRANGERS_TIME,
    ) -> None:  # fmt: skip
        off = Rate(0, 0)
        self.is_on = rate.per_second > 0
        self._messages = TokenBuckets(rate)
        self._bytes = Quota(peer_bytes if self.is_on else 0, DAY_SECONDS)
        self._members_time = TokenBuckets(members_time if self.is_on else off)
        self._peers_time = TokenBuckets(peers_time if self.is_on else off)
        self._strangers_time = TokenBuckets(strangers_time if self.is_on else off)

    def take(self, origin: Origin, count: int, size: int, now: float) -> None:
        """Let *origin* send *count* messages that take *size* bytes. Raises RateLimited, QuotaUsedUp."""
        buckets = origin.buckets(now)
        wait, whose = max((self._messages.wait(bucket, count, now), bucket.whose) for bucket in buckets)
        if wait > 0:
            raise RateLimited.until(wait, self._messages.rate.per_second, whose)
        for bucket in buckets:
            self._messages.charge(bucket, count, now)  # also for what is refused now: refusals cost time too
        is_known = all(bucket.whose == _MEMBER for bucket in buckets)
        wait = 0.0 if is_known else self._bytes.take(origin.peer, size, now)
        if wait > 0:
            raise QuotaUsedUp(
                f"the guests and new keys at your address have sent {shown_size(self._bytes.amount)} within a day, and "
                f"may send no more: nothing was stored; try again in {_shown_time(wait)}, or come with a key that has "
                f"been known here for an hour"
            )

    def charge(self, origin: Origin, seconds: float, now: float) -> float:
        """A call of *origin*'s has taken *seconds* of a core; for how long it should not be served."""
        return max(
            (self._members_time if bucket.whose == _MEMBER else self._peers_time).charge(bucket, seconds, now)
            for bucket in origin.buckets(now)
        )

    def charge_stranger(self, peer: str, seconds: float, now: float) -> float:
        """The same for somebody at *peer* who has not said who it is, or not proved it."""
        return self._strangers_time.charge(peer, seconds, now)


class Newcomers:
    """New names, and the keys that have not been known for an hour. Not synchronized.

    most_names: from one peer within the hour; 0 sets no limit.
    """

    def __init__(self, most_names: int = MOST_NEW_NAMES) -> None:
        self._names = Quota(most_names, NEW_SECONDS)
        self._first_seen: dict[bytes, tuple[str, float]] = {}  # where, and until when that counts; the oldest first

    def take_name(self, peer: str, now: float) -> None:
        """A name that nobody has had is about to get a key, at *peer*. Raises QuotaUsedUp."""
        wait = self._names.take(peer, 1, now)
        if wait > 0:
            raise QuotaUsedUp(
                f"{self._names.amount} new names have come from your address within the hour: come with a name that "
                f"you have had here before, or try again in {_shown_time(wait)}"
            )

    def give_name_back(self, peer: str) -> None:
        """It got none."""
        self._names.give_back(peer, 1)

    def origin_of(self, key: bytes | None, peer: str, seconds_known: float, now: float) -> Origin:
        """Of a guest, or of *key*, that comes from *peer* now; seconds_known: as for `is_new`.

        Where a new key was seen first is forgotten at a restart: then it is *peer*.
        """
        if key is None or not is_new(seconds_known):
            return Origin(key, peer)
        where, until = self._first_seen.get(key, (peer, now + NEW_SECONDS - abs(seconds_known)))
        self._first_seen[key] = where, until
        if len(self._first_seen) > _MOST_KEYS or next(iter(self._first_seen.values()))[1] < now:
            del self._first_seen[next(iter(self._first_seen))]
        return Origin(key, where, until)


def _shown_time(seconds: float) -> str:
    """``2 h 5 min``, ``7 min``, ``12 s``: rounded up, so that who waits so long is served."""
    if seconds < 60:
        return f"{math.ceil(seconds)} s"
    hours, minutes = divmod(math.ceil(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
