"""What 100,000 messages take, in the server and in a client."""

import time

from lab.benchmarks.arena import Arena
from lab.benchmarks.measure import resident_bytes
from lab.benchmarks.plan import Plan, Progress
from lab.benchmarks.report import Report

_MESSAGES = 100_000
_WARM_UP = 5000
_SETTLE_SECONDS = 2.0
_MIB = 1 << 20


def run(plan: Plan, report: Report, progress: Progress) -> None:
    """Resident memory before and after, with one member; a fresh server each round."""
    work = f"memory, {_MESSAGES:,} messages"
    report.remark(work, "growth of the resident memory while they are sent, after a warm-up of 5,000")
    for turn in range(plan.other_rounds):
        progress(f"{work}: round {turn + 1}")
        with Arena("pyrochat", 1) as arena:
            arena.burst(_WARM_UP)
            server, client = arena.server_memory(), resident_bytes(arena.member_pid)
            arena.burst(_MESSAGES)
            time.sleep(_SETTLE_SECONDS)
            grown = {
                "server MiB": (arena.server_memory() - server) / _MIB,
                "client MiB": (resident_bytes(arena.member_pid) - client) / _MIB,
            }
            report.add(work, "pyrochat", grown)
