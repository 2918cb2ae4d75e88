"""What the chain of digests costs at a commit: the SQLite log with it and without it, in turn.

Run: ``.venv/bin/python -m lab.benchmarks.digests``. Times on a shared machine mean little; the ratios, taken pair by pair
in one run, do.
"""

import statistics
import tempfile
import time
from pathlib import Path
from unittest import mock

from rich.console import Console
from rich.progress import track
from rich.table import Table

from pyrochat.core.digests import DIGEST_BYTES
from pyrochat.storage import sqlite_log
from pyrochat.storage.sqlite_log import SqliteLog
from pyrochat.values.message import Message

MESSAGES = 4000
PAIRS = 7


def microseconds_a_message(messages_a_commit: int) -> float:
    """Append MESSAGES texts of 100 characters to a fresh log."""
    with tempfile.TemporaryDirectory() as folder:
        log = SqliteLog(Path(folder) / "log.sqlite3", "lobby")
        started = time.perf_counter()
        for first in range(1, MESSAGES + 1, messages_a_commit):
            ids = range(first, first + messages_a_commit)
            log.append([Message(id, "lobby", "Erick", "x" * 100, 0, key=f"k{id:08d}") for id in ids])
        seconds = time.perf_counter() - started
        log.close()
    return seconds / MESSAGES * 1e6


def without_chain(previous: bytes, messages: list[Message]) -> list[bytes]:
    """In place of the chain: nothing is computed."""
    return [bytes(DIGEST_BYTES)] * len(messages)


def main() -> None:
    """Measure, and print a table."""
    console = Console()
    table = Table(title="a message's cost at a commit, µs (medians)")
    for heading in ("messages a commit", "with digests", "without", "ratio, pair by pair"):
        table.add_column(heading, justify="right")
    for messages_a_commit in (1, 10, 100):
        pairs = []
        for _ in track(range(PAIRS), f"{messages_a_commit} a commit", console=console, transient=True):
            with_digests = microseconds_a_message(messages_a_commit)
            with mock.patch.object(sqlite_log, "extend_chain", without_chain):
                pairs.append((with_digests, microseconds_a_message(messages_a_commit)))
        ratio = statistics.median(a / b for a, b in pairs)
        medians = [statistics.median(column) for column in zip(*pairs, strict=True)]
        table.add_row(f"{messages_a_commit}", *(f"{median:.1f}" for median in medians), f"{ratio:.2f}")
    console.print(table)


if __name__ == "__main__":
    main()
