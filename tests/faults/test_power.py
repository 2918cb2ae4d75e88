"""A power cut takes what was not synced, and nothing else."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from lab.faults.machines.power import cut, environment, forgetful_in

PROGRAM = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA journal_mode = WAL")
db.execute("CREATE TABLE t (n)")
db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
db.execute("PRAGMA synchronous = " + sys.argv[2])
for n in range(20):
    db.execute("INSERT INTO t VALUES (?)", (n,))
print("done", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(("synchronous", "rows"), [("FULL", 20), ("OFF", 0), ("NORMAL", 0)])
def test_what_was_synced_is_there(tmp_path: Path, synchronous: str, rows: int) -> None:
    data = tmp_path / "data"
    data.mkdir()
    path = data / "a.sqlite3"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path), synchronous], stdout=subprocess.PIPE, text=True,
        env={**os.environ, **environment(tmp_path, data, forgetful_in(tmp_path))},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "done\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert bool(cut(tmp_path, data)) == (rows == 0)
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM t").fetchone() == (rows,)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
