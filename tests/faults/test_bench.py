"""The bench itself, in a short form: the real command, real processes, a fixed seed, a clean report."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def faults(*arguments: str, timeout: float = 90) -> subprocess.CompletedProcess[str]:
    """``python -m lab faults …``."""
    return subprocess.run(
        [sys.executable, "-m", "lab", "faults", *arguments],
        cwd=REPOSITORY, env={**os.environ, "COLUMNS": "120"}, text=True, capture_output=True, timeout=timeout,
        check=False,
    )  # fmt: skip


def test_random_faults_leave_a_clean_history() -> None:
    done = faults("run", "--seconds", "4", "--seed", "4", "--senders", "4")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "seed 4" in done.stdout
    assert "messages acknowledged" in done.stdout


def test_a_killed_server_loses_nothing_and_everybody_is_back() -> None:
    done = faults("kill", "--quick", "--seed", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "lost" in done.stdout
