"""What every command has: its version, completion in shells, `python -m`."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pyrochat import __version__
from tests.system.support import script

COMMANDS = ["pyrochat", "pyrochat-server", "pyrochat-client"]


def run(*arguments: str, **environment: str) -> str:
    """What a command prints; it has to end well, and to say nothing else."""
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@pytest.mark.parametrize("command", COMMANDS)
def test_found_32_every_command_knows_its_version(command: str) -> None:
    assert run(script(command), "--version") == f"{command} {__version__}"


def test_found_32_the_package_can_be_run_as_a_module() -> None:
    assert run(sys.executable, "-m", "pyrochat", "--version") == f"pyrochat {__version__}"


@pytest.mark.parametrize("command", COMMANDS)
def test_found_32_a_shell_completes_options(command: str) -> None:
    assert command in run("bash", "-c", f"{script(command)} --show-completion; exit $?")  # asks who started it
    asks = {f"_{command.replace('-', '_').upper()}_COMPLETE": "complete_bash"}
    assert "--room" in run(script(command), COMP_WORDS=f"{command} --roo", COMP_CWORD="1", **asks)


@pytest.mark.parametrize(
    ("line", "completed"),
    [("pyrochat key sh", "show"), ("pyrochat servers fo", "forget"), ("pyrochat-server names unb", "unban")],
)
def test_found_32_a_shell_completes_the_groups_of_a_command(line: str, completed: str) -> None:
    command = line.split()[0]
    asks = {f"_{command.replace('-', '_').upper()}_COMPLETE": "complete_bash"}
    assert run(script(command), COMP_WORDS=line, COMP_CWORD="2", **asks) == completed
