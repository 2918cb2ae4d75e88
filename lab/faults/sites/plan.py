"""What happens to the sites, drawn from a seed.

Faults come in episodes. An episode begins when all sites are one again; what happens in it adds up, and all of it is healed at its end.
"""

import random
from collections.abc import Iterator
from typing import NamedTuple

SITES = 5
_FEWEST, _MOST = 2.0, 5.0  # seconds from the last fault of an episode until it is healed
_BETWEEN = 1.0  # seconds between two faults at the most


class Kill(NamedTuple):
    """``kill -9``."""

    site: int


class Stop(NamedTuple):
    """SIGSTOP."""

    site: int


class Split(NamedTuple):
    """Nobody in *part* reaches anybody else; of two splits the second leaves a third part."""

    part: tuple[int, ...]


class Deaf(NamedTuple):
    """What *others* send to *site* is lost; what it sends to them is not."""

    site: int
    others: tuple[int, ...]


Fault = Kill | Stop | Split | Deaf


class Step(NamedTuple):
    """*fault*, and *seconds* after it the next, or the end of the episode."""

    fault: Fault
    seconds: float


def plan(seed: int, faults: int, sites: int = SITES, cuts: bool = True) -> Iterator[list[Step]]:
    """Episodes with so many *faults* in all. cuts: whether sites can be cut off from each other."""
    chance = random.Random(seed)
    while faults > 0:
        episode = _episode(chance, sites, cuts)[:faults]
        faults -= len(episode)
        last = episode.pop()
        steps = [Step(fault, chance.uniform(0.1, _BETWEEN)) for fault in episode]
        yield [*steps, Step(last, chance.uniform(_FEWEST, _MOST))]


def _episode(chance: random.Random, sites: int, cuts: bool) -> list[Fault]:
    shuffled = chance.sample(range(sites), sites)
    kind = chance.choice(
        ["one", "two", "split", "deaf", "half deaf", "split and one", "three parts", "all"] if cuts else ["one", "two"]
    )
    minority = (sites - 1) // 2
    match kind:
        case "one":
            return [_loss(chance, shuffled[0])]
        case "two":
            return [_loss(chance, site) for site in shuffled[:minority]]
        case "split":
            return [Split(tuple(sorted(shuffled[: chance.randint(1, minority)])))]
        case "deaf":
            return [Deaf(shuffled[0], tuple(sorted(shuffled[1:])))]
        case "half deaf":
            return [Deaf(shuffled[0], (shuffled[1],)), Deaf(shuffled[1], (shuffled[2],))]
        case "three parts":  # as of 2, 2 and 1
            ends = (minority, 2 * minority)
            return [Split(tuple(sorted(shuffled[end - minority : end]))) for end in ends]
        case "split and one":
            return [Split(tuple(sorted(shuffled[:minority]))), _loss(chance, shuffled[0])]
        case _:
            return [Kill(site) for site in shuffled]


def _loss(chance: random.Random, site: int) -> Fault:
    return Kill(site) if chance.random() < 0.5 else Stop(site)


def parted(steps: list[Step], sites: int) -> tuple[bool, frozenset[int]]:
    """Whether a quorum of all sites has each other all the time, and the sites that can't hear a quorum at the end, and run."""
    away = {step.fault.site for step in steps if isinstance(step.fault, Kill | Stop)}
    cut: set[int] = set()
    for step in steps:
        match step.fault:
            case Split(part):
                cut.update(part)
            case Deaf(site, others) if len(others) == sites - 1:
                cut.add(site)
    missed = {step.fault.site for step in steps if isinstance(step.fault, Deaf)}
    rest = set(range(sites)) - away - cut
    if len(rest) <= sites // 2:
        cut |= rest
    return sites - len(away | cut | missed) > sites // 2, frozenset(cut - away)
