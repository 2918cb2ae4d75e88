"""Durable posts by senders that are not members, with nobody present."""

import contextlib

from lab.benchmarks.arena import Arena
from lab.benchmarks.plan import Plan, Progress
from lab.benchmarks.report import Report
from lab.benchmarks.summary import ratios

RATE = "acknowledged/s"
MICROSECONDS = "server CPU µs a post"
_DAEMON = "empty-method"  # has a room too, so both are called in the same process


def run(plan: Plan, report: Report, progress: Progress) -> None:
    """Posts, the empty method and JetStream in turn, with 1, 10 and 100 senders."""
    with contextlib.ExitStack() as stack:
        daemon = stack.enter_context(Arena(_DAEMON))
        jetstream = stack.enter_context(Arena("jetstream"))
        contestants = {
            "pyrochat": (daemon, "pyrochat"),
            "empty-method": (daemon, _DAEMON),
            "jetstream": (jetstream, "jetstream"),
        }
        for senders in (1, 10, 100) if plan.everything else (100,):
            work = f"durable posts, {senders} senders"
            report.remark(work, "a thread and a connection for each sender, all in one process")
            for turn in range(plan.rounds if senders == 100 else plan.other_rounds):
                for name, (arena, peer) in contestants.items():
                    progress(f"{work}: round {turn + 1}, {name}")
                    found = arena.posts(senders, plan.posts_seconds, peer)
                    costs = {RATE: found.posts_a_second, MICROSECONDS: found.server_seconds / found.posts * 1e6}
                    report.add(work, name, costs)
    work = "durable posts, 100 senders"
    ours = report.of(work, "pyrochat", RATE)
    report.row("posts-empty", ratios(ours, report.of(work, "empty-method", RATE)))
    report.row("posts-jetstream", ratios(ours, report.of(work, "jetstream", RATE)))
