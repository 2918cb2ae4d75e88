"""Joining a room with a past, against reading its rows from SQLite."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from lab.benchmarks.arena import Arena
from lab.benchmarks.logs import write_log
from lab.benchmarks.plan import Plan, Progress
from lab.benchmarks.report import Report
from lab.benchmarks.summary import percentile, ratios

_ANSWER_SECONDS = 120.0
_NEWCOMERS = 100
_CROWD_HISTORY = 10_000
_CHAT_RATE = 50.0
_CHAT_MEMBERS = 10
_HISTORY = 100_000


def run(plan: Plan, report: Report, progress: Progress) -> None:
    """One newcomer to 100,000 messages; in a full run 100 at once to 10,000 too, while a chat goes on."""
    work = f"joining, {_HISTORY:,} messages"
    report.remark(
        work,
        "each in a new process; first: by a server that has just started; again: by one that somebody has joined "
        "already (not in the row above); rows: `SELECT … ORDER BY id`, all as tuples",
    )
    for turn in range(plan.rounds):
        progress(f"{work}: round {turn + 1}")
        with Arena("pyrochat", prepare=lambda folder: write_log(folder, _HISTORY)) as arena:
            reading_seconds, joining_seconds = _newcomers(arena, 1)
            report.add(work, "SQLite rows", {"seconds": reading_seconds})
            report.add(work, "joining first", {"seconds": joining_seconds[0]})
            report.add(work, "joining again", {"seconds": _newcomers(arena, 1)[1][0]})
    report.row(
        "joining", ratios(report.of(work, "joining first", "seconds"), report.of(work, "SQLite rows", "seconds"))
    )
    if plan.everything:
        _crowd(plan, report, progress)


def _newcomers(arena: Arena, count: int) -> tuple[float, Sequence[float]]:
    process = arena.start_there("lab.benchmarks.newcomer", count, arena.folder)
    found = json.loads(process.line(_ANSWER_SECONDS)[1])
    process.kill()
    return found["reading_seconds"], found["joining_seconds"]


def _crowd(plan: Plan, report: Report, progress: Progress) -> None:
    work = f"joining, {_NEWCOMERS} at once, {_CROWD_HISTORY:,} messages, a chat at {_CHAT_RATE:g}/s"
    report.remark(work, f"latency: to the last of {_CHAT_MEMBERS} members who were there before")
    for turn in range(plan.other_rounds):
        progress(f"{work}: round {turn + 1}")
        with (
            Arena("pyrochat", _CHAT_MEMBERS, prepare=lambda folder: write_log(folder, _CROWD_HISTORY)) as arena,
            ThreadPoolExecutor(1) as pool,
        ):
            arena.paced(_CHAT_RATE, 0.5)
            chat = pool.submit(arena.paced, _CHAT_RATE, plan.paced_seconds)
            _, seconds = _newcomers(arena, _NEWCOMERS)
            latencies = chat.result().to_last
            report.add(
                work,
                "pyrochat",
                {
                    "all joined s": max(seconds),
                    "p50 ms": percentile(latencies, 50),
                    "p99 ms": percentile(latencies, 99),
                },
            )
