"""One trap after the other against a server on which members chat, and what came of each."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.attacks.target import Latency, Target
from lab.attacks.traps import Trap, callbacks, calls, closed, crowds, frames, guests, hoards, losses, values, waits
from lab.attacks.wire import Attacked
from lab.processes import BenchError

TRAPS = [
    *frames.TRAPS, *values.TRAPS, *calls.TRAPS, *closed.TRAPS, *losses.TRAPS, *callbacks.TRAPS, *frames.PATIENT, *waits.TRAPS,
    *crowds.TRAPS, *guests.TRAPS, *hoards.TRAPS, *frames.TLS,
]  # fmt: skip
_MOST_SECONDS = 45.0
_CALM_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a trap. grew: the most memory meanwhile above that before, MiB. wrong: empty where all is well."""

    name: str
    outcome: str
    seconds: float
    grew: float
    latency: Latency | None
    wrong: str

    @property
    def is_good(self) -> bool:
        """Whether the server has withstood it."""
        return not self.wrong


def spring(target: Target, trap: Trap) -> Result:
    """Try *trap* on *target*."""
    wrong = outcome = ""
    before = target.vitals.memory
    target.vitals.reset_peak()
    begun = time.monotonic()
    try:
        outcome = trap.attack(target)
        if not re.search(trap.refusal, outcome):
            wrong = f"expected {trap.refusal!r}"
    except (Attacked, BenchError, OSError) as error:
        outcome = wrong = str(error) or type(error).__name__
    seconds = time.monotonic() - begun
    latency = None
    try:
        grew = target.vitals.peak - before
        target.check_alive()
        latency = target.latency() if target.crowd is not None else None
    except (Attacked, BenchError, OSError) as error:
        return Result(trap.name, outcome, seconds, 0.0, latency, f"afterwards: {error}")
    if not wrong and seconds > _MOST_SECONDS:
        wrong = f"took {seconds:.0f} s"
    if not wrong and grew > trap.most_mib:
        wrong = f"grew by {grew:.0f} MiB, {trap.most_mib:g} are the most"
    return Result(trap.name, outcome, seconds, grew, latency, wrong)


def run(only: str, progress: Callable[[str], None]) -> tuple[Latency, list[Result]]:
    """All traps whose names contain *only*; the members' latency in peace, and the results.

    Raises Attacked where the log is not whole afterwards.
    """
    chosen = [trap for trap in TRAPS if only in trap.name]
    calm = Latency(0, 0.0, 0.0)
    results: list[Result] = []
    for tls, private, descriptors in dict.fromkeys(trap.server for trap in chosen):
        traps = [trap for trap in chosen if trap.server == (tls, private, descriptors)]
        with Target(tls=tls, password="a word" if private else None, descriptors=descriptors) as target:
            progress("members chat in peace")
            target.latency()
            target.check_alive()
            time.sleep(_CALM_SECONDS)
            measured = target.latency()
            calm = calm if calm.count else measured
            for trap in traps:
                progress(trap.name)
                results.append(spring(target, trap))
                if not target.server.is_running:
                    break
            if "Traceback" in target.log_text():
                results.append(_complaint(target))
            target.verify()
    return calm, results


def _complaint(target: Target) -> Result:
    """Something happened that nobody had thought of: the log says where."""
    found = re.findall(r"^(\w+(?:\.\w+)*(?:Error|Exception)\b.*)$", target.log_text(), re.MULTILINE)
    said = "; ".join(sorted(set(found)))[:300]
    return Result("the server's log", said, 0.0, 0.0, None, "an error that nobody had thought of")


def show(console: Console, calm: Latency, results: Sequence[Result]) -> bool:
    """The table; whether all is well."""
    table = Table(title=f"{len(results)} traps; sends in peace took {calm} ms (p50 / p99)", title_justify="left")
    table.add_column("trap")
    table.add_column("what came of it", overflow="fold")
    table.add_column("s", justify="right")
    table.add_column("MiB", justify="right")
    table.add_column("sends, ms", justify="right")
    for result in results:
        said = escape(result.outcome[:160])
        if result.wrong:
            said = f"[bold red]{said} – {escape(result.wrong)}[/]"
        latency = str(result.latency) if result.latency and result.latency.count >= 5 else ""
        table.add_row(escape(result.name), said, f"{result.seconds:.2f}", f"{result.grew:.1f}", latency)
    console.print(table)
    failed = [result for result in results if not result.is_good]
    console.print(f"{len(results) - len(failed)} withstood, {len(failed)} not")
    return not failed
