"""Fan-out: one sender process, as fast as its client can, to 10, 100 and 1,000 members."""

import functools

from lab.benchmarks.arena import Arena
from lab.benchmarks.contestants import OTHERS
from lab.benchmarks.plan import Plan, Progress
from lab.benchmarks.report import Report
from lab.benchmarks.summary import best, ratios
from lab.benchmarks.work.arenas import MICROSECONDS, RATE, burst_size, fan_out_quantities, open_arenas

OURS = "pyrochat"
THREADS = 20
_SINGLES = ("pyrochat", "course")


def work_name(members: int, *, singles: bool = False) -> str:
    """In the report."""
    return f"fan-out to {members:,}" + (f", single sends from {THREADS} threads" if singles else "")


def run(plan: Plan, report: Report, progress: Progress) -> None:
    """Every peer in turn, and the floor; then the single sends."""
    for members in (10, 100, 1000) if plan.everything else (100,):
        rounds = plan.rounds if members == 100 else plan.other_rounds
        with open_arenas([OURS, *OTHERS, "floor"], members, progress) as arenas:
            _bursts(plan, report, progress, arenas, members, rounds)
            _singles(plan, report, progress, arenas, members, rounds)
    _fill_rows(report)


def _bursts(
    plan: Plan, report: Report, progress: Progress, arenas: dict[str, Arena], members: int, rounds: int
) -> None:
    sizes = {}
    for peer, arena in arenas.items():
        progress(f"{work_name(members)}: how fast is {peer}?")
        sizes[peer] = burst_size(plan, members, arena.burst)
    for turn in range(rounds):
        for peer, arena in arenas.items():
            progress(f"{work_name(members)}: round {turn + 1}, {peer}, {sizes[peer]:,} messages")
            report.add(work_name(members), peer, fan_out_quantities(arena.burst(sizes[peer])))


def _singles(
    plan: Plan, report: Report, progress: Progress, arenas: dict[str, Arena], members: int, rounds: int
) -> None:
    work = work_name(members, singles=True)
    report.remark(work, "one client shared by the threads: one `Chat`, or one socket under a lock")
    sizes = {}
    for peer in _SINGLES:
        sizes[peer] = burst_size(plan, members, functools.partial(arenas[peer].singles, threads=THREADS))
    for turn in range(rounds):
        for peer in _SINGLES:
            progress(f"{work}: round {turn + 1}, {peer}, {sizes[peer]:,} messages")
            report.add(work, peer, fan_out_quantities(arenas[peer].singles(sizes[peer], THREADS)))


def _fill_rows(report: Report) -> None:
    work = work_name(100)
    winner = best({peer: report.of(work, peer, RATE) for peer in OTHERS})
    report.row("fan-out", ratios(report.of(work, OURS, RATE), report.of(work, winner, RATE)), winner)
    report.row("server-cpu", ratios(report.of(work, OURS, MICROSECONDS), report.of(work, "ngircd", MICROSECONDS)))
    work = work_name(100, singles=True)
    report.row("singles", ratios(report.of(work, OURS, RATE), report.of(work, "course", RATE)))
