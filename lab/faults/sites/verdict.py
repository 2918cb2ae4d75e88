"""What was promised, held against what the sites have, and what was seen meanwhile. No clock, no files: lists in, anomalies out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from lab.faults.sites.sender import Sent

_MOST_SHOWN = 5


class Episode(NamedTuple):
    """kinds: of its faults. begun, last: when its first and its last fault were there; until: when they were to be healed; healed: when nothing stood in
    anybody's way any more; one: when all sites were one again. has_quorum: whether most of the sites had each other all the time. alone: sites that could not hear a quorum
    from the last fault on, and ran."""

    what: str
    kinds: tuple[str, ...]
    begun: float
    last: float
    until: float
    healed: float
    one: float
    has_quorum: bool
    alone: frozenset[int]


Log = Sequence[str]
"""The texts of a site, in its order."""


def anomalies(logs: Sequence[Log], sent: Sequence[Sent]) -> list[str]:
    """What no order may have done."""
    acknowledged = {one.text for one in sent if one.fate == "ok"}
    asked = {one.text for one in sent}
    found: list[str] = []
    for number, log in enumerate(logs):
        here = Counter(log)
        found += _say(number, "lost", acknowledged - here.keys())
        found += _say(number, "twice", {text for text, count in here.items() if count > 1})
        found += _say(number, "from nowhere", here.keys() - asked)
        found += _say(number, "before what it answers", _early(log))
        found += _say(number, "before what its sender said before", _overtaken(log))
    if len({frozenset(log) for log in logs}) > 1:
        found.append("the sites have different texts")
    return found


def _say(site: int, what: str, texts: object) -> list[str]:
    chosen = sorted(texts)  # type: ignore[call-overload]
    return [f"site {site}: {len(chosen)} {what}: {', '.join(chosen[:_MOST_SHOWN])}"] if chosen else []


def _early(log: Log) -> set[str]:
    seen, early = {"nothing"}, set()
    for text in log:
        name, _, answered = text.partition(" after ")
        if answered not in seen:
            early.add(text)
        seen.add(name)
    return early


def _overtaken(log: Log) -> set[str]:
    newest: dict[str, int] = {}
    overtaken = set()
    for text in log:
        sender, _, number = text.partition(" ")[0].rpartition("-")
        if int(number) < newest.get(sender, 0):
            overtaken.add(text)
        newest[sender] = max(int(number), newest.get(sender, 0))
    return overtaken


def gaps(episodes: Sequence[Episode], sent: Sequence[Sent]) -> list[tuple[float, Episode]]:
    """For each episode in which most were together: for how long nothing got its number, at the most, from its last fault until all were one again."""
    ends = sorted(one.ended for one in sent if one.fate == "ok")
    found = []
    for episode in (one for one in episodes if one.has_quorum):
        moments = [episode.last, *(at for at in ends if episode.last < at < episode.one), episode.one]
        found.append((max(after - before for before, after in pairwise(moments)), episode))
    return found


def alone(episodes: Sequence[Episode], sent: Sequence[tuple[int, Sent]]) -> list[str]:
    """Texts that got a number at a site that had no quorum."""
    return [
        f"site {site}: {one.text} was numbered without a quorum ({episode.what})"
        for episode in episodes for site, one in sent
        if one.fate == "ok" and site in episode.alone and episode.last < one.begun and one.ended < episode.until
    ]  # fmt: skip


def late(episodes: Sequence[Episode], sent: Sequence[Sent], shown: Sequence[Mapping[str, float]]) -> list[float]:
    """For each episode: the seconds from its healing until the last site showed the last text that was acknowledged before."""
    found = []
    for episode in episodes:
        texts = [one.text for one in sent if one.fate == "ok" and episode.begun <= one.ended <= episode.healed]
        arrivals = [site.get(text, float("inf")) for site in shown for text in texts]
        found.append(max(0.0, max(arrivals, default=episode.healed) - episode.healed))
    return found


def durations(sent: Sequence[tuple[int, Sent]], away: Sequence[tuple[int, float, float]]) -> list[float]:
    """How long sends took, but for those at a site that was away meanwhile. away: site, from, until."""
    return [
        one.ended - one.begun for site, one in sent
        if one.fate == "ok" and not any(site == gone and one.begun < until and one.ended > since for gone, since, until in away)
    ]  # fmt: skip
