"""``python -m lab faults cluster``: what is asked of it that it can't do is said in a line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def lab(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lab", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, text=True, capture_output=True, timeout=60, check=False)


def test_all_faults_are_listed_with_their_bounds() -> None:
    done = lab("faults", "cluster", "--list")
    assert done.returncode == 0, done.stderr
    assert "room-server: kill -9 a room server (at most 1 s)" in done.stdout
    assert "partition: 1 of 3 cut off for 20 s, both ways (at most 12 s, needs root)" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("faults", "cluster", "earthquake"), "there is no fault 'earthquake': see --list"),
        (("faults", "cluster", "partition", "--quick"), "'partition' needs machines in network namespaces"),
        (("weather",), "usage: python -m lab faults|attacks|benchmarks|simulate"),
    ],
)
def test_what_is_asked_for_in_vain_is_said(arguments: tuple[str, ...], said: str) -> None:
    done = lab(*arguments)
    assert done.returncode in (1, 2)
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
