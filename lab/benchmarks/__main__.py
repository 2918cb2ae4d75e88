"""``python -m lab benchmarks``: measure, and write the results."""

import argparse
import dataclasses
import shlex
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from lab.benchmarks.machine import describe
from lab.benchmarks.output import write_results
from lab.benchmarks.plan import FULL, QUICK, Plan, Progress
from lab.benchmarks.report import BOUNDS, Report
from lab.benchmarks.work import (
    confirmations,
    durable,
    fan_out,
    growth,
    hosting,
    idle,
    joining,
    latency,
    memory,
    remarks,
    searching,
)
from lab.processes import BenchError

RESULTS = Path(__file__).parent / "results"

Work = Callable[[Plan, Report, Progress], None]

WORKS: dict[str, Work] = {
    "fan-out": fan_out.run,
    "latency": latency.run,
    "durable": durable.run,
    "joining": joining.run,
    "remarks": remarks.run,
    "idle": idle.run,
    "memory": memory.run,
    "confirmations": confirmations.run,
    "growth-members": growth.run_deliveries,
    "growth-log": growth.run_posts,
    "searching": searching.run,
    "hosting": hosting.run,
}
ROWS = {
    "singles": "fan-out",
    "server-cpu": "fan-out",
    "latency-p50": "latency",
    "latency-p99": "latency",
    "posts-empty": "durable",
    "posts-jetstream": "durable",
    "cpu-growth": "growth-members",
    "log-growth": "growth-log",
    "search": "searching",
    "search-posts": "searching",
    "remarks-joining": "remarks",
    "remarks-history": "remarks",
    "remarks-current": "remarks",
    "idle-cpu": "idle",
    "idle-memory": "idle",
    "start-log": "hosting",
    "start-rooms": "hosting",
    "rooms-memory": "hosting",
}
"""What has to run for a row that is not named like its work."""
_NOT_QUICK = {"memory", "searching", "hosting"}
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m lab benchmarks", description="Compare PyroChat with its peers.")
    parser.add_argument(
        "--quick", action="store_true", help="only what the rows need, but for searching, with less of it"
    )
    parser.add_argument("--repeat", type=int, metavar="N", help="rounds; default: 5, where no row is made: 3; quick: 3")
    parser.add_argument(
        "--results", type=Path, metavar="FOLDER",
        help="where the results go; default: benchmarks/results, its folder quick, or its folder partial with --only",
    )  # fmt: skip
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="ROW", choices=sorted({*WORKS, *BOUNDS}),
        help="rows or kinds of work: " + ", ".join(sorted({*WORKS, *BOUNDS})),
    )  # fmt: skip
    return parser.parse_args(arguments)


def command_of(options: argparse.Namespace) -> str:
    """The command that these options came from, without the place of the results."""
    words = ["python", "-m", "lab", "benchmarks"]
    if options.quick:
        words.append("--quick")
    if options.repeat:
        words += ["--repeat", str(options.repeat)]
    if options.only:
        words += ["--only", *options.only]
    return shlex.join(words)


def chosen_works(only: list[str], quick: bool) -> list[str]:
    """The names of the kinds of work for the rows *only* (none: all; quick: those that are)."""
    if only:
        wanted = {ROWS.get(name, name) for name in only}
        return [name for name in WORKS if name in wanted]
    return [name for name in WORKS if not (quick and name in _NOT_QUICK)]


def main(arguments: list[str]) -> int:
    """Run; returns the exit code."""
    options = parse(arguments)
    for number in _ENDING:
        signal.signal(number, _end)
    plan = QUICK if options.quick else FULL
    if options.repeat:
        plan = dataclasses.replace(plan, rounds=options.repeat, other_rounds=options.repeat)
    results = options.results or RESULTS / ("partial" if options.only else "quick" if options.quick else "")
    console = Console(stderr=True)
    machine, report = describe(), Report()
    failed = []
    began = time.monotonic()
    for name in chosen_works(options.only, options.quick):
        with console.status(name) as status:
            try:
                WORKS[name](plan, report, lambda what: _show(console, status.update, what))
            except BenchError as error:
                failed.append(name)
                console.print(f"[red]{name}: {error}")
        console.print(f"{name}: done after {time.monotonic() - began:.0f} s")
        write_results(report, machine, command_of(options), results)
    _print_rows(console, report)
    return 1 if failed else 0


def _end(number: int, frame: object) -> None:
    """End in order, so that every arena is closed; a second signal must not cut that short."""
    for each in _ENDING:
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def _show(console: Console, update: Callable[[str], None], what: str) -> None:
    """On a terminal in one line that changes, elsewhere line by line."""
    if console.is_terminal:
        update(what)
    else:
        console.print(what, markup=False, highlight=False)


def _print_rows(console: Console, report: Report) -> None:
    for row in report.rows.values():
        sign = "[green]reached" if row.is_reached else "[red]missed "
        console.print(
            f"{sign}[/] {row.value:8.3g} {row.bound.unit} (reach {row.bound.reach_text})  {row.bound.title}",
            soft_wrap=True,
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
