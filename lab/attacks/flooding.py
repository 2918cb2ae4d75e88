"""Floods, one after the other, and how long the sends of the others take meanwhile."""

import itertools
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.attacks.target import Latency, Target
from lab.attacks.wire import Attacked

MOST_TIMES = 1.5
_BURST_SECONDS = 4.0
_PAUSE_SECONDS = 1.0
_NO_GUESTS = ("--no-guests",)


@dataclass(frozen=True, slots=True)
class Kind:
    """name: of `flooder.KINDS`. limited: whether the rate limit has to answer it. options: of the server."""

    name: str
    connections: int
    limited: bool
    options: tuple[str, ...] = ()


FLOODS = [
    Kind("post", 1, True), Kind("post", 8, True), Kind("post_many", 1, True), Kind("post_many", 8, True),
    Kind("oneway", 1, False), Kind("join", 1, True), Kind("join", 8, True), Kind("history", 1, False),
    Kind("mark_read", 1, False), Kind("lists", 1, False), Kind("forge", 1, False), Kind("forge", 8, False),
    Kind("rename", 2, True), Kind("rename", 8, True), Kind("rekey", 2, True, _NO_GUESTS), Kind("rekey", 8, True, _NO_GUESTS),
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one flood. answers: how often the server said what; written: MiB, on its disk; before, during: the others' sends."""

    kind: Kind
    answers: dict[str, int]
    written: float
    before: Latency
    during: Latency

    @property
    def times(self) -> tuple[float, float]:
        """How much longer sends took, in the median and at the 99th percentile."""
        return self.during.p50 / (self.before.p50 or 1), self.during.p99 / (self.before.p99 or 1)

    @property
    def hurts(self) -> bool:
        """Whether a flood that has limits makes others' sends slower than it may, in the median."""
        return self.kind.limited and self.times[0] > MOST_TIMES

    @property
    def is_limited(self) -> bool:
        """Whether it was refused as it has to be."""
        limits = ("rate-limited", "quota-used-up")
        return not self.kind.limited or any(limit in said for said in self.answers for limit in limits)


def measure(target: Target, kind: Kind, seconds: float) -> Outcome:
    """Flood *target*. Raises Attacked where members are hurt."""
    target.latency()
    time.sleep(seconds)
    before, on_disk = target.latency(), target.bytes_on_disk()
    command = [sys.executable, "-m", "lab.attacks.flooder", "--port", str(target.address[1]), "--kind", kind.name]
    command += ["--seconds", str(seconds + _BURST_SECONDS), "--connections", str(kind.connections)]
    flooder = target.start(command, f"flooder-{kind.name}")
    time.sleep(_BURST_SECONDS)  # it has to start, and to use up its burst
    target.latency()
    time.sleep(seconds)
    during = target.latency()
    answers = json.loads(flooder.line(30.0)[1])
    time.sleep(_PAUSE_SECONDS)
    return Outcome(kind, answers, (target.bytes_on_disk() - on_disk) / (1 << 20), before, during)


def flood(seconds: float, only: str, console: Console, progress: Callable[[str], None]) -> bool:
    """All whose names contain *only*; whether each was limited, and the others were not hurt. Raises Attacked."""
    chosen = [kind for kind in FLOODS if only in kind.name]
    outcomes, memory = [], 0.0
    for options, kinds in itertools.groupby(chosen, lambda kind: kind.options):
        with Target(options=options) as target:
            for kind in kinds:
                progress(f"{kind.name}, {kind.connections} connections")
                outcomes.append(measure(target, kind, seconds))
            memory = max(memory, target.vitals.memory)
            if options != _NO_GUESTS:
                target.check_alive()
            target.verify()
    _show(outcomes, console)
    console.print(f"the server had {memory:.0f} MiB at the most at the end; its logs are whole", highlight=False)
    if unlimited := [outcome.kind.name for outcome in outcomes if not outcome.is_limited]:
        raise Attacked(f"not limited: {', '.join(unlimited)}")
    return not any(outcome.hurts for outcome in outcomes)


def _show(outcomes: Sequence[Outcome], console: Console) -> None:
    table = Table(title="sends of ten members, ms (p50 / p99)", title_justify="left")
    for column in ("flood", "connections", "before", "meanwhile", "times", "MiB", "answers"):
        table.add_column(column, justify="left" if column in ("flood", "answers") else "right", overflow="fold")
    for outcome in outcomes:
        times = f"{outcome.times[0]:.2f} / {outcome.times[1]:.2f}"
        times = f"[bold red]{times}[/]" if outcome.hurts else times
        answers = ", ".join(f"{said}: {count:,}" for said, count in sorted(outcome.answers.items()))
        table.add_row(
            outcome.kind.name, str(outcome.kind.connections), str(outcome.before), str(outcome.during), times,
            f"{outcome.written:.0f}", escape(answers),
        )  # fmt: skip
    console.print(table)
