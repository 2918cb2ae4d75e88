"""Searching a room with 1,000,000 messages, and what its index costs those who post."""

import contextlib
import functools
import json

from lab.benchmarks.arena import Arena
from lab.benchmarks.logs import write_log
from lab.benchmarks.plan import Plan, Progress
from lab.benchmarks.report import Report
from lab.benchmarks.summary import percentile, ratios
from lab.benchmarks.texts import COMMON_WORDS, PREFIX, RARE_WORD, worded_texts

_HISTORY = 1_000_000
_SEARCHES = 100
_JOIN_SECONDS = 600.0  # the whole history, and until it is indexed
_ANSWER_SECONDS = 120.0
_SENDERS = (1, 100)
_POSTED = "acknowledged/s"

_QUERIES = {
    "a rare word": RARE_WORD,
    "a word of every message": COMMON_WORDS[0],
    "two words of every message": " ".join(COMMON_WORDS),
    "a common and a rare word": f"{COMMON_WORDS[0]} {RARE_WORD}",
    "the beginning of common words": f"{PREFIX}*",
    "a phrase that no message has": f'"{COMMON_WORDS[1]} {COMMON_WORDS[0]}"',
    "a sender and a word": f"from:Erick {RARE_WORD}",
}


def run(plan: Plan, report: Report, progress: Progress) -> None:
    """Both."""
    _run_searches(plan, report, progress)
    _run_posts(plan, report, progress)


def _run_searches(plan: Plan, report: Report, progress: Progress) -> None:
    work = f"searching {_HISTORY:,} messages"
    report.remark(work, f"`Chat.search`, {_SEARCHES} times each a round, one after another")
    worst = []
    progress(f"{work}: making a log of {_HISTORY:,}")
    prepare = functools.partial(write_log, messages=_HISTORY, texts_of=worded_texts)
    with Arena("pyrochat", prepare=prepare) as arena:
        progress(f"{work}: joining, and waiting until it is indexed")
        process = arena.start_there("lab.benchmarks.searcher")
        report.add(work, "joining and indexing", json.loads(process.line(_JOIN_SECONDS)[1]))
        for turn in range(plan.rounds):
            slowest = 0.0
            for title, words in _QUERIES.items():
                progress(f"{work}: round {turn + 1}, {title}")
                process.tell(json.dumps({"words": words, "count": _SEARCHES}))
                found = json.loads(process.line(_ANSWER_SECONDS)[1])
                p99 = percentile(found["milliseconds"], 99)
                costs = {"p50 ms": percentile(found["milliseconds"], 50), "p99 ms": p99, "found": found["found"]}
                report.add(work, title, costs)
                slowest = max(slowest, p99)
            worst.append(slowest)
    report.row("search", worst)


def _run_posts(plan: Plan, report: Report, progress: Progress) -> None:
    work = "posting with a search index, {} senders"
    with contextlib.ExitStack() as stack:
        arenas = {name: stack.enter_context(Arena(name)) for name in ("pyrochat", "pyrochat-unindexed")}
        for senders in _SENDERS:
            for turn in range(plan.rounds):
                for name, arena in arenas.items():
                    progress(f"{work.format(senders)}: round {turn + 1}, {name}")
                    found = arena.posts(senders, plan.posts_seconds)
                    report.add(work.format(senders), name, {_POSTED: found.posts_a_second})
    of = functools.partial(report.of, work.format(_SENDERS[-1]), quantity=_POSTED)
    report.row("search-posts", ratios(of(contestant="pyrochat"), of(contestant="pyrochat-unindexed")))
