"""Machines that can't reach each other."""

import time

from lab.faults.machines.round import UP_SECONDS, Round, Silence

_CUT_SECONDS = 20.0
_HEALED_SECONDS = 12.0
INSIDER = "insider"


def both_ways(round: Round) -> None:
    """One machine and the other two."""
    _cut(round, sends=False, gets=False)


def one_way(round: Round) -> None:
    """What one machine sends to the others vanishes, or what they send to it."""
    sends = round.chance.random() < 0.5
    round.notes.append(f"it only {'sends' if sends else 'gets'}")
    _cut(round, sends=sends, gets=not sends)


def _cut(round: Round, sends: bool, gets: bool) -> None:
    trio = round.trio
    leader = trio.leader()
    leads = round.chance.random() < 0.5
    machine = leader if leads else round.chance.choice(trio.others(leader))
    round.notes.append("the one that leads" if leads else "one that does not lead")
    trio.start_members([INSIDER], machine, inside=machine)
    round.uncounted = {INSIDER}
    # it was not heard by the majority for longer than the grace: it has left, and comes back
    round.left = round.joined = 1
    trio.wait_until_back(0, UP_SECONDS)
    trio.network.cut(machine.number, [other.number for other in trio.others(machine)], sends, gets)
    since = time.monotonic_ns()
    round.refuses(machine, until=time.monotonic() + _CUT_SECONDS)
    healed = time.monotonic_ns()
    round.silences.append(Silence(since, healed, frozenset([INSIDER])))
    trio.network.heal()
    trio.wait_until_back(healed, UP_SECONDS)
    round.within((time.monotonic_ns() - healed) / 1e9, _HEALED_SECONDS, "healed in")
