"""Floods, one after the other, and how long the sends of the others take meanwhile."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from attacks.target import Latency, Target
from attacks.wire import Attacked

__all__ = ["FLOODS", "Outcome", "flood", "measure"]

MOST_TIMES = 1.5
_BURST_SECONDS = 4.0
_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Kind:
    """name: of `flooder.KINDS`. limited: whether the rate limit has to answer it."""

    name: str
    connections: int
    limited: bool


FLOODS = [
    Kind("post", 1, True), Kind("post", 8, True), Kind("post_many", 1, True), Kind("post_many", 8, True),
    Kind("oneway", 1, False), Kind("join", 1, True), Kind("join", 8, True), Kind("history", 1, False),
    Kind("mark_read", 1, False), Kind("lists", 1, False), Kind("forge", 1, False), Kind("forge", 8, False),
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one flood. answers: how often the server said what; before, during: the others' sends."""

    kind: Kind
    answers: dict[str, int]
    before: Latency
    during: Latency

    @property
    def times(self) -> tuple[float, float]:
        """How much longer sends took, in the median and at the 99th percentile."""
        return self.during.p50 / (self.before.p50 or 1), self.during.p99 / (self.before.p99 or 1)

    @property
    def is_limited(self) -> bool:
        """Whether it was refused as it has to be."""
        return not self.kind.limited or "rate-limited" in self.answers


def measure(target: Target, kind: Kind, seconds: float) -> Outcome:
    """Flood *target*. Raises Attacked where members are hurt."""
    target.latency()
    time.sleep(seconds)
    before = target.latency()
    command = [sys.executable, "-m", "attacks.flooder", "--port", str(target.address[1]), "--kind", kind.name]
    command += ["--seconds", str(seconds + _BURST_SECONDS), "--connections", str(kind.connections)]
    flooder = target.start(command, f"flooder-{kind.name}")
    time.sleep(_BURST_SECONDS)  # it has to start, and to use up its burst
    target.latency()
    time.sleep(seconds)
    during = target.latency()
    answers = json.loads(flooder.line(30.0)[1])
    time.sleep(_PAUSE_SECONDS)
    return Outcome(kind, answers, before, during)


def flood(seconds: float, console: Console, progress: Callable[[str], None]) -> bool:
    """All of them; whether each was limited, and the others were not hurt. Raises Attacked."""
    outcomes = []
    with Target() as target:
        for kind in FLOODS:
            progress(f"{kind.name}, {kind.connections} connections")
            outcomes.append(measure(target, kind, seconds))
        memory = target.vitals.memory
        target.check_alive()
        target.verify()
    _show(outcomes, console)
    console.print(f"the server had {memory:.0f} MiB at the end; its log is whole", highlight=False)
    if unlimited := [outcome.kind.name for outcome in outcomes if not outcome.is_limited]:
        raise Attacked(f"not limited: {', '.join(unlimited)}")
    return all(max(outcome.times) <= MOST_TIMES for outcome in outcomes)


def _show(outcomes: Sequence[Outcome], console: Console) -> None:
    table = Table(title="sends of ten members, ms (p50 / p99)", title_justify="left")
    for column in ("flood", "connections", "before", "meanwhile", "times", "answers"):
        table.add_column(column, justify="left" if column in ("flood", "answers") else "right", overflow="fold")
    for outcome in outcomes:
        times = f"{outcome.times[0]:.2f} / {outcome.times[1]:.2f}"
        times = times if max(outcome.times) <= MOST_TIMES else f"[bold red]{times}[/]"
        answers = ", ".join(f"{said}: {count:,}" for said, count in sorted(outcome.answers.items()))
        table.add_row(
            outcome.kind.name, str(outcome.kind.connections), str(outcome.before), str(outcome.during), times,
            escape(answers),
        )  # fmt: skip
    console.print(table)
