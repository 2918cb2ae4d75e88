"""1,000 members connected, and nobody speaks."""

import time

from lab.benchmarks.arena import Arena
from lab.benchmarks.plan import Plan, Progress
from lab.benchmarks.report import Report

_MEMBERS = 1000
_SETTLE_SECONDS = 5.0
_KIB = 1024


def run(plan: Plan, report: Report, progress: Progress) -> None:
    """The server's CPU in each stretch of quiet, and what its memory has grown by."""
    work = f"idle, {_MEMBERS:,} members"
    report.remark(work, "memory: resident after the joins less resident before them, which has their history in it")
    shares, sizes = [], []
    with Arena("pyrochat") as arena:
        before = arena.server_memory()
        progress(f"{work}: connecting")
        arena.connect(_MEMBERS)
        time.sleep(_SETTLE_SECONDS)
        for turn in range(plan.rounds):
            progress(f"{work}: round {turn + 1}")
            began, cpu = time.monotonic(), arena.server_cpu()
            time.sleep(plan.idle_seconds / plan.rounds)
            shares.append((arena.server_cpu() - cpu) / (time.monotonic() - began) * 100)
            sizes.append((arena.server_memory() - before) / _MEMBERS / _KIB)
            report.add(work, "pyrochat", {"server CPU %": shares[-1], "KiB a member": sizes[-1]})
    report.row("idle-cpu", shares)
    report.row("idle-memory", sizes)
