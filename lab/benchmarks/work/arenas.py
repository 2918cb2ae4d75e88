"""Several arenas at once, so that the contestants can take turns."""

import contextlib
from collections.abc import Callable, Iterator, Sequence

from lab.benchmarks.arena import Arena, FanOut
from lab.benchmarks.plan import Plan, Progress

RATE = "deliveries/s"
MICROSECONDS = "server CPU µs a delivery"

_FIRST_BURST = 20
_STEP = 8


@contextlib.contextmanager
def open_arenas(peers: Sequence[str], members: int, progress: Progress) -> Iterator[dict[str, Arena]]:
    """An arena for each of *peers*, with as many *members*."""
    with contextlib.ExitStack() as stack:
        arenas = {}
        for peer in peers:
            progress(f"connecting {members:,} members: {peer}")
            arenas[peer] = stack.enter_context(Arena(peer, members))
        yield arenas


def burst_size(plan: Plan, members: int, burst: Callable[[int], FanOut], fewest: int = _FIRST_BURST) -> int:
    """How many messages *burst* gets through in about the plan's time, found out by trying; at least *fewest*."""
    most = plan.most_deliveries // members
    messages = _FIRST_BURST
    burst(messages)
    while True:
        seconds = burst(messages).seconds
        wanted = max(fewest, min(most, round(messages * plan.burst_seconds / seconds)))
        if seconds >= plan.burst_seconds / 4 or messages == most:
            return wanted
        messages = min(wanted, messages * _STEP)


def fan_out_quantities(found: FanOut) -> dict[str, float]:
    """For the report."""
    return {RATE: found.deliveries_a_second, MICROSECONDS: found.server_microseconds, "loss %": found.loss * 100}
