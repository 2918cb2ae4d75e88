"""Fan-out with live confirmations against fan-out to members that never move a mark."""

from lab.benchmarks.plan import Plan, Progress
from lab.benchmarks.report import Report
from lab.benchmarks.summary import ratios
from lab.benchmarks.work.arenas import RATE, burst_size, fan_out_quantities, open_arenas

_FEWEST_MESSAGES = 100
_ON, _OFF = "pyrochat", "pyrochat-unconfirmed"


def run(plan: Plan, report: Report, progress: Progress) -> None:
    """At 1,000 members; in a full run at 100 too. Both get bursts of the same size."""
    for members in (100, 1000) if plan.everything else (1000,):
        work = f"confirmations, {members:,} members"
        report.remark(
            work,
            'on: `on_message` handlers with read="auto"; off: read="manual", and a callback that answers every '
            "delivery with [0, 0], so that the server has no mark to store or to announce",
        )
        with open_arenas((_ON, _OFF), members, progress) as arenas:
            messages = min(burst_size(plan, members, arena.burst, _FEWEST_MESSAGES) for arena in arenas.values())
            for turn in range(plan.rounds if members == 1000 else plan.other_rounds):
                for name, arena in arenas.items():
                    progress(f"{work}: round {turn + 1}, {name}, {messages:,} messages")
                    report.add(work, name, fan_out_quantities(arena.burst(messages)))
    report.row("confirmations", ratios(report.of(work, _ON, RATE), report.of(work, _OFF, RATE)))
