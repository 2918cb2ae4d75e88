"""Growth: what a delivery costs with more members, and a post with more messages in the log."""

import contextlib
import functools

from lab.benchmarks.arena import Arena
from lab.benchmarks.logs import write_log
from lab.benchmarks.plan import Plan, Progress
from lab.benchmarks.report import Report
from lab.benchmarks.summary import ratios
from lab.benchmarks.work.arenas import MICROSECONDS, burst_size, fan_out_quantities

DELIVERY_WORK = "growth, members"
POST_WORK = "growth, messages in the log"
POST_MICROSECONDS = "µs a post"

_FEWEST_MESSAGES = 100


def run(plan: Plan, report: Report, progress: Progress) -> None:
    """Both."""
    run_deliveries(plan, report, progress)
    run_posts(plan, report, progress)


def run_deliveries(plan: Plan, report: Report, progress: Progress) -> None:
    """Bursts to rooms of 10 to 1,000 members, in turn."""
    with contextlib.ExitStack() as stack:
        arenas = {}
        for members in (10, 30, 100, 300, 1000) if plan.everything else (100, 1000):
            progress(f"{DELIVERY_WORK}: connecting {members:,}")
            arena = stack.enter_context(Arena("pyrochat", members))
            arenas[members] = (arena, burst_size(plan, members, arena.burst, _FEWEST_MESSAGES))
        for turn in range(plan.rounds):
            for members, (arena, messages) in arenas.items():
                progress(f"{DELIVERY_WORK}: round {turn + 1}, {members:,} members, {messages:,} messages")
                report.add(DELIVERY_WORK, f"{members}", fan_out_quantities(arena.burst(messages)))
    large, small = (report.of(DELIVERY_WORK, members, MICROSECONDS) for members in ("1000", "100"))
    report.row("cpu-growth", ratios(large, small))


def run_posts(plan: Plan, report: Report, progress: Progress) -> None:
    """One sender, one post after another, into logs of 1,000 to 1,000,000 messages, in turn."""
    report.remark(POST_WORK, "one sender, which is not a member, and nobody present")
    with contextlib.ExitStack() as stack:
        arenas = {}
        for messages in (1000, 10_000, 100_000, 1_000_000) if plan.everything else (1000, 1_000_000):
            progress(f"{POST_WORK}: making a log of {messages:,}")
            prepare = functools.partial(write_log, messages=messages)
            arenas[messages] = stack.enter_context(Arena("pyrochat", prepare=prepare))
        for turn in range(plan.rounds):
            for messages, arena in arenas.items():
                progress(f"{POST_WORK}: round {turn + 1}, {messages:,} messages")
                found = arena.posts(1, plan.posts_seconds / 2)
                costs = {
                    POST_MICROSECONDS: 1e6 / found.posts_a_second,
                    "server CPU µs a post": found.server_seconds / found.posts * 1e6,
                }
                report.add(POST_WORK, f"{messages}", costs)
    large, small = (report.of(POST_WORK, messages, POST_MICROSECONDS) for messages in ("1000000", "1000"))
    report.row("log-growth", ratios(large, small))
