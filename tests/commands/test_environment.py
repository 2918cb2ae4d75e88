"""What Pyro5 finds in the environment when it is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
COMMANDS = [
    [str(BIN / "pyrochat")], [str(BIN / "pyrochat-client"), "Ana"], [str(BIN / "pyrochat-server"), "--version"],
    [sys.executable, "-m", "pyrochat", "--version"],
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [("PYRO_NS_PORT", "abc"), ("PYRO_COMMTIMEOUT", "soon"), ("PYRO_PORT", "1")])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: Path(command[0]).name)
def test_a_setting_that_pyro_refuses_is_one_line(command: list[str], name: str, value: str) -> None:
    ended = subprocess.run(command, env=os.environ | {name: value}, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith("pyrochat: invalid Pyro environment")
    assert name in ended.stderr
    assert ended.stderr.endswith(": correct that environment variable, or unset it\n")
    assert ended.stderr.count("\n") == 1


def test_programs_get_an_error_of_the_tree() -> None:
    program = "try:\n from pyrochat import join\nexcept ValueError as error:\n print(type(error).__name__, error)"
    command = [sys.executable, "-c", program]
    ended = subprocess.run(
        command, env=os.environ | {"PYRO_NS_PORT": "abc"}, capture_output=True, text=True, timeout=60
    )
    assert ended.stdout.startswith("InvalidArgument invalid Pyro environment config value: PYRO_NS_PORT=abc")
