"""Which sites are heard of, and which of them the others miss too.

One slow clock must end no view: whom this site misses is suspected when half of those that it hears miss them as well
(as SWIM asks others: Das, Gupta and Motivala, 2002), or when that has lasted much longer. A site that was itself held up
begins to wait anew (Lifeguard: Dadgar, Phillips and Currey, 2017).
"""

import json
from collections.abc import Iterable
from typing import NamedTuple

from pyrochat.values.errors import InvalidArgument

_MOST_TEXT = 300
_LONG = 3  # times as long


class Who(NamedTuple):
    """A site, as it says of itself. nonce: see `bodies.site_id`. at: where others reach it, ``host:port``, or empty. home: this
    run of it. version: of the entries that it knows. view: the number of its view. missed: whom it doesn't hear. is_leaving: it is about to end."""

    site: str
    nonce: str
    label: str
    at: str
    home: str
    version: int
    view: int
    missed: tuple[str, ...] = ()
    is_leaving: bool = False

    def packed(self) -> str:
        """As text."""
        return json.dumps(self, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def of(cls, text: object) -> "Who":
        """What `packed` made *text* of. Raises InvalidArgument."""
        try:
            if not isinstance(text, str):
                raise TypeError("no text")
            site, nonce, label, at, home, version, view, missed, is_leaving = json.loads(text)
            if not all(
                isinstance(one, str) and len(one) <= _MOST_TEXT for one in (site, nonce, label, at, home, *missed)
            ):
                raise ValueError("no site")
            return cls(site, nonce, label, at, home, int(version), int(view), tuple(missed), bool(is_leaving))
        except (ValueError, TypeError, RecursionError) as error:
            raise InvalidArgument(f"not a site: {error}") from None


class Presence:
    """Not synchronized. me: this site. silent_seconds: whom nothing is heard of for so long is missed; told_seconds: and said to be. known: who
    was heard of.

    Times are seconds on any clock that only grows.
    """

    def __init__(
        self, me: str, now: float, silent_seconds: float, told_seconds: float, known: dict[str, Who]
    ) -> None:  # fmt: skip
        self._me = me
        self._silent_seconds, self._told_seconds = silent_seconds, told_seconds
        self._began_at = self._looked_at = now
        self._heard_at: dict[str, float] = {}
        self.known = known

    def heard(self, who: Who, now: float) -> None:
        """*who* has said something."""
        self._heard_at[who.site], self.known[who.site] = now, who

    def look(self, now: float) -> None:
        """To be called regularly: where that was too long ago, this site was held up, and not the others."""
        if now - self._looked_at > self._silent_seconds / 2:
            self._began_at = now
        self._looked_at = now

    def missed(self, sites: Iterable[str], now: float) -> list[str]:
        """Those of *sites* that this one doesn't hear."""
        return [site for site in sites if self._silence(site, now) > self._silent_seconds]

    def silent(self, sites: Iterable[str], now: float) -> list[str]:
        """Those of *sites* that nothing was heard of for so long that it is said."""
        return [site for site in sites if self._silence(site, now) > self._told_seconds]

    def suspected(self, sites: Iterable[str], now: float) -> list[str]:
        """Those of *sites* that are taken for gone."""
        members = set(sites) - {self._me}
        missed = self.missed(sorted(members), now)
        witnesses = [self.known[site] for site in members.difference(missed) if site in self.known]
        return [site for site in missed if self._is_missed_by_others(site, witnesses, now)]

    def _is_missed_by_others(self, site: str, witnesses: list[Who], now: float) -> bool:
        agreeing = sum(site in witness.missed for witness in witnesses)
        return 2 * agreeing >= len(witnesses) or self._silence(site, now) > _LONG * self._silent_seconds

    def is_leaving(self, site: str) -> bool:
        """Whether *site* has said that it ends."""
        return site in self.known and self.known[site].is_leaving

    def is_alive(self, home: str, now: float) -> bool:
        """Whether the run *home* of a site may be there still."""
        site = home.partition("/")[0]
        known = self.known.get(site)
        if known is not None and known.home != home:
            return False
        return self._silence(site, now) <= self._silent_seconds

    def _silence(self, site: str, now: float) -> float:
        return 0.0 if site == self._me else now - max(self._began_at, self._heard_at.get(site, self._began_at))
