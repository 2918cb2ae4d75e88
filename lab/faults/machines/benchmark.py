"""``python -m lab.faults.machines.benchmark``: three machines on loopback, PyroChat beside the brokers' own client, on the same brokers.

Both take turns, and each figure is the median of the rounds' ratios.
"""

import json
import statistics
import subprocess
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from lab.faults.machines.trio import Trio

ROUNDS = 3
_SECONDS = 4


def measure(trio: Trio, peer: str, what: str, count: int, length: int) -> dict[str, Any]:
    """What `measuring` says."""
    machines = ",".join(machine.name for machine in trio.machines)
    where = [machine.at for machine in trio.machines] if peer == "chat" else [str(trio.secret), machines]
    command = [sys.executable, "-m", "lab.faults.machines.measuring", peer, what, str(count), str(length), *where]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=None, timeout=180)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


ROWS = (
    # what is measured, of PyroChat and of JetStream, which figure, its bound, whether more is better
    # first: later a hundred members would join a long history
    ("latency to the last of 100 members, p50", ("latency", 60, 100), ("latency", 60, 100), "p50_ms", 1.5, False),
    ("single posts a second, 1 sender", ("post", 1, _SECONDS), ("post", 1, _SECONDS), "per_second", None, True),
    ("single posts a second, 10 senders", ("post", 10, _SECONDS), ("post", 10, _SECONDS), "per_second", None, True),
    ("single posts a second, 100 senders", ("post", 100, _SECONDS), ("post", 100, _SECONDS), "per_second", 0.35, True),
    ("texts a second, lists of 100, 10 senders, beside single publishes of 100", ("many", 10, _SECONDS), ("post", 100, _SECONDS), "per_second", 3.0, True),
    ("one sender's p50", ("post", 1, _SECONDS), ("post", 1, _SECONDS), "p50_ms", 3.0, False),
)  # fmt: skip


def main() -> None:
    """Measure, and print the table; exit code 1 where a bound is not kept."""
    kept = True
    table = Table(title="three machines on loopback, every write synced", title_justify="left")
    for heading in ("", "PyroChat", "JetStream", "ratio", "bound"):
        table.add_column(heading, justify="right" if heading else "left")
    with Trio(in_namespaces=False) as trio:
        trio.start_machines()
        for title, chat, jetstream, figure, bound, more in ROWS:
            pairs = []
            for _ in range(ROUNDS):
                print(title, file=sys.stderr)
                pairs.append((measure(trio, "chat", *chat)[figure], measure(trio, "jetstream", *jetstream)[figure]))
            ratio = statistics.median(ours / theirs for ours, theirs in pairs)
            is_kept = bound is None or (ratio >= bound if more else ratio <= bound)
            kept = kept and is_kept
            ours, theirs = (statistics.median(values) for values in zip(*pairs, strict=True))
            table.add_row(
                title, f"{ours:,.1f}", f"{theirs:,.1f}", f"{ratio:.2f}" if is_kept else f"[bold red]{ratio:.2f}[/]",
                "" if bound is None else f"{'≥' if more else '≤'} {bound:g}",
            )  # fmt: skip
    Console(width=140).print(table)
    sys.exit(not kept)


if __name__ == "__main__":
    main()
