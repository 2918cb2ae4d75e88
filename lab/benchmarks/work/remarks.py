"""A room where one message in six is about another: what it costs to join it, to read it, and to ask what a message is now."""

import json
from collections.abc import Callable
from pathlib import Path

from lab.benchmarks.arena import Arena
from lab.benchmarks.logs import write_log, write_remarks
from lab.benchmarks.plan import Plan, Progress
from lab.benchmarks.report import Report
from lab.benchmarks.summary import percentile, ratios

_TEXTS = 100_000
_ANSWER_SECONDS = 120.0


def run(plan: Plan, report: Report, progress: Progress, texts: int = _TEXTS) -> None:
    """A log with remarks, against one of as many plain messages."""
    work = f"{texts:,} texts with {texts // 5:,} edits and reactions"
    report.remark(
        work,
        f"beside {texts + texts // 5:,} texts; joining as in joining; history: all of it by a bare client; current: of 1,000 "
        "messages, and of the one that most of them are about",
    )
    logs: dict[str, Callable[[Path], None]] = {
        "texts": lambda folder: write_log(folder, texts + texts // 5),
        "with remarks": lambda folder: write_remarks(folder, texts),
    }
    slowest = []
    for turn in range(plan.rounds):
        for name, prepare in logs.items():
            progress(f"{work}: round {turn + 1}, {name}")
            with Arena("pyrochat", prepare=prepare) as arena:
                process = arena.start_there("lab.benchmarks.reader")
                found = json.loads(process.line(_ANSWER_SECONDS)[1])
                process.kill()
            times = {f"{who} p99 ms": percentile(found[f"{key}_ms"], 99) for key, who in _ASKED.items()}
            costs = {"joining s": found["joining_seconds"], "history s": found["history_seconds"], **times}
            report.add(work, name, costs)
            if name == "with remarks":
                slowest.append(percentile(found["current_ms"], 99))
    for row, quantity in (("remarks-joining", "joining s"), ("remarks-history", "history s")):
        report.row(row, ratios(report.of(work, "with remarks", quantity), report.of(work, "texts", quantity)))
    report.row("remarks-current", slowest)


_ASKED = {"current": "current", "bare_current": "bare current"}
