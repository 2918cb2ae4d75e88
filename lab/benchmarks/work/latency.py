"""Latency at a steady pace: from when a send was due until the last member has it, and until it is acknowledged."""

from lab.benchmarks.arena import Latencies
from lab.benchmarks.contestants import OTHERS
from lab.benchmarks.plan import Plan, Progress
from lab.benchmarks.report import Report
from lab.benchmarks.summary import percentile, ratios
from lab.benchmarks.work.arenas import open_arenas

OURS = "pyrochat"
P50, P99 = "p50 ms", "p99 ms"
_NEEDED = (OURS, "course", "nats", "jetstream")


def run(plan: Plan, report: Report, progress: Progress) -> None:
    """100 members at 100 messages a second; in a full run 1,000 at 10 too."""
    peers = (OURS, *OTHERS, "floor") if plan.everything else _NEEDED
    _measure(plan, report, progress, 100, 100.0, peers)
    if plan.everything:
        _measure(plan, report, progress, 1000, 10.0, peers)
    work = _work_name(100, 100.0)
    report.row("latency-p50", ratios(report.of(work, OURS, P50), report.of(work, "nats", P50)))
    report.row("latency-p99", ratios(report.of(work, OURS, P99), report.of(work, "jetstream", P99)))


def _work_name(members: int, rate: float) -> str:
    return f"latency, {members:,} members, {rate:g} messages/s"


def _measure(plan: Plan, report: Report, progress: Progress, members: int, rate: float, peers: tuple[str, ...]) -> None:
    work = _work_name(members, rate)
    report.remark(
        work, 'where a peer has no acknowledgement, "acknowledged" is when its client has handed the text over'
    )
    with open_arenas(peers, members, progress) as arenas:
        for peer, arena in arenas.items():
            progress(f"{work}: warming up {peer}")
            arena.paced(rate, 0.5)
        for turn in range(plan.rounds if members == 100 else plan.other_rounds):
            for peer, arena in arenas.items():
                progress(f"{work}: round {turn + 1}, {peer}")
                report.add(work, peer, _quantities(arena.paced(rate, plan.paced_seconds)))


def _quantities(found: Latencies) -> dict[str, float]:
    return {
        P50: percentile(found.to_last, 50),
        P99: percentile(found.to_last, 99),
        "acknowledged p50 ms": percentile(found.to_acknowledged, 50),
        "acknowledged p99 ms": percentile(found.to_acknowledged, 99),
        "lost": found.lost,
    }
