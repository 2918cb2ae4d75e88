"""Odd answers to everything that a client asks, and odd calls of its callback; against a client process."""

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from lab.attacks.hostile import Answer, HostileServer
from lab.attacks.oddities import GOOD_ANSWERS, Oddities
from lab.attacks.target import Target, Vitals, settled
from lab.attacks.wire import Attacked, Stranger
from lab.processes import Process
from pyrochat.core.rates import Rate

MOST_MIB = 20.0
_WARM_UP = 0.2
_ODD_SHARE = 0.12  # of the answers; where most are odd, nobody gets beyond the first
_ODD_DELIVERY_SHARE = 0.2
_PATIENCE_SECONDS = 600.0


@contextmanager
def odd_server(folder: Path, seed: int) -> Iterator[HostileServer]:
    """A server that answers oddly now and then, as *seed* says."""
    chance = random.Random(seed)
    oddities = Oddities(chance)

    def odd(method: str) -> Answer:
        return lambda arguments: oddities.answer(method) if chance.random() < _ODD_SHARE else None

    class OddServer(HostileServer):
        def choose_deliver(self) -> Callable[[Stranger], None] | None:
            return oddities.deliver if chance.random() < _ODD_DELIVERY_SHARE else None

    with OddServer(folder, {method: odd(method) for method in GOOD_ANSWERS}, rate=Rate(0.0)) as server:
        yield server


def fuzz_answers(target: Target, seed: int, conversations: int, console: Console) -> None:
    """So many conversations with a server that answers oddly. Raises Attacked."""
    with odd_server(target.folder / "odd", seed) as server:
        client = target.start([sys.executable, "-m", "lab.attacks.fuzzed_chat", server.at], "fuzzed_chat")
        client.wait_for_line("ready", 20.0)
        vitals = Vitals(client.pid)
        warm_up = int(conversations * _WARM_UP)
        _hold(client, warm_up)
        threads, descriptors, memory = vitals.threads, vitals.descriptors, vitals.memory
        vitals.reset_peak()
        begun = time.monotonic()
        outcomes = _hold(client, conversations - warm_up)
        seconds = time.monotonic() - begun
        quiet = settled(vitals, threads, descriptors)
        grown, peak = vitals.memory - memory, vitals.peak - memory
    fine = sum(count for outcome, count in outcomes.items() if outcome.endswith(": fine"))
    console.print(
        f"answers to a client: {conversations:,} conversations, {(conversations - warm_up) / seconds:,.0f}/s; "
        f"{fine:,} steps went well, {sum(outcomes.values()) - fine:,} ended with an error of the tree\n"
        f"  memory {memory:.1f} MiB after the warm-up, {grown:+.1f} MiB at the end (peak {peak:+.1f}); "
        f"threads {threads} before, {vitals.threads} after; descriptors {descriptors} and {vitals.descriptors}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    if not quiet:
        raise Attacked("odd answers: threads or descriptors are left")
    if grown > MOST_MIB:
        raise Attacked(f"odd answers: grown by {grown:.1f} MiB, {MOST_MIB:g} are the most")


def _hold(client: Process, conversations: int) -> Counter[str]:
    client.tell(str(conversations))
    outcomes = json.loads(client.line(_PATIENCE_SECONDS)[1])
    if "error" in outcomes:
        raise Attacked(str(outcomes["error"]))
    return Counter(outcomes)
