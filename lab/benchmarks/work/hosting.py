"""What it costs to host much: the start with a long log, and 1,000 rooms that nobody uses."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from lab.benchmarks.plan import Plan, Progress
from lab.benchmarks.report import Report
from lab.ports import free_port
from pyrochat.core.digests import SALT_CHARACTERS
from pyrochat.room.door.registry import Registry
from pyrochat.storage.log_file import log_path
from pyrochat.storage.sqlite_log import SqliteLog
from pyrochat.values.message import Message

_AT_ONCE = 20_000
_MIB = 1 << 20
_TEXT = "a message as people type them, some sixty characters of it"
# A process of its own for each start: what the last one has left in memory would count else.
_START = """
import json, os, sys, time
import pyrochat
begun = time.perf_counter()
with pyrochat.host("lobby", sys.argv[1], nameserver=sys.argv[2] == "yes") as server:
    seconds = time.perf_counter() - begun
    pages = int(open("/proc/self/statm").read().split()[1])
    print(json.dumps([seconds, pages * os.sysconf("SC_PAGE_SIZE"), len(server.rooms)]))
"""


def run(plan: Plan, report: Report, progress: Progress, messages: int = 1_000_000, rooms: int = 1_000) -> None:
    """Starts of a server: empty, with a long log, with many rooms; seconds, and memory above an empty one's."""
    work = f"a server's start: {messages:,} messages, {rooms:,} rooms"
    report.remark(
        work, "the second start, in a process of its own each; memory: resident, above that of the empty server"
    )
    log_seconds, rooms_seconds, memory = [], [], []
    with tempfile.TemporaryDirectory(prefix="pyrochat-hosting-") as folder:
        empty, long, many = (Path(folder) / name for name in ("empty", "long", "many"))
        progress(f"{work}: writing them")
        _write_log(long, messages)
        _write_rooms(many, rooms)
        starts = [(empty, 0), (long, 0), (many, rooms)]
        for data, created in starts:  # the first start makes what the others find
            _start(data, created)
        for turn in range(plan.rounds):
            progress(f"{work}: round {turn + 1}")
            (least, resident), (long_log, _), (many_rooms, with_rooms) = (_start(*start) for start in starts)
            log_seconds.append(long_log - least)
            rooms_seconds.append(many_rooms)
            memory.append((with_rooms - resident) / _MIB)
            found = {"empty s": least, "long log s": long_log, "rooms s": many_rooms, "rooms MiB": memory[-1]}
            report.add(work, "pyrochat", found)
    report.row("start-log", log_seconds)
    report.row("start-rooms", rooms_seconds)
    report.row("rooms-memory", memory)


def _write_log(data: Path, count: int) -> None:
    log = SqliteLog(log_path(data, "lobby"), "lobby")
    for first in range(1, count + 1, _AT_ONCE):
        ids = range(first, min(first + _AT_ONCE, count + 1))
        log.append([Message(id, "lobby", "Ana", _TEXT, id, proof="s" * SALT_CHARACTERS) for id in ids])
    log.close()


def _write_rooms(data: Path, count: int) -> None:
    registry = Registry(data)
    for number in range(count):
        registry.remember_room(f"room{number}", "Ana")
        SqliteLog(log_path(data, f"room{number}"), f"room{number}").close()
    registry.close()


def _start(data: Path, created: int) -> tuple[float, int]:
    """The seconds until a server there served, and the bytes of memory then. created: rooms that are remembered there."""
    environment = os.environ | {"PYRO_NS_HOST": "localhost", "PYRO_NS_PORT": str(free_port())}
    command = [sys.executable, "-c", _START, str(data), "yes" if created else "no"]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300, env=environment)
    seconds, resident, rooms = json.loads(found.stdout)
    assert rooms == 1 + created
    return seconds, resident
