"""The README is true: its programs run as they stand, and its commands exist as they are written."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.system.support import Machine

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PROGRAMS = {"pyrochat", "pyrochat-server", "pyrochat-client"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """Every PyroChat command in the console blocks, as its words."""
    found = []
    for block in blocks("console"):
        for line in block.splitlines():
            if line.startswith("$ "):
                words = [re.sub(r".*/", "", word) for word in shlex.split(line[2:], comments=True)]
                while any(word in PROGRAMS for word in words):
                    start = next(n for n, word in enumerate(words) if word in PROGRAMS)
                    end = words.index("|", start) if "|" in words[start:] else len(words)
                    found.append(words[start:end])
                    words = words[end:]
    return found


@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: code.splitlines()[0])
def test_a_program_of_the_readme_runs_as_it_stands(machine: Machine, code: str) -> None:
    if "host(" not in code:  # it needs a server that is there
        machine.server()
    program = machine.python(code)
    assert program.finish() == 0, str(program)
    assert program.lines
    assert not program.errors


def test_the_readme_has_programs_and_commands() -> None:
    assert len(blocks("python")) >= 2
    assert {command[0] for command in commands()} >= {"pyrochat-server", "pyrochat-client"}


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_a_command_of_the_readme_exists_with_its_options(machine: Machine, command: list[str]) -> None:
    helped = machine.run(command[0], "--help", env={"COLUMNS": 200})
    assert helped.wait() == 0
    known = set(re.findall(r"--[a-z-]+", "\n".join(helped.lines)))
    assert {word for word in command[1:] if word.startswith("--")} <= known


def test_found_30_what_the_readme_shows_of_a_pipe_is_all_that_comes(machine: Machine) -> None:
    """On both outputs, in a room where somebody has been before."""
    shown = next(block for block in blocks("console") if "printf" in block)
    command, expected, silent = shown.splitlines()[:3]
    machine.server()
    before = machine.client("Erick")
    before.write("hello")

    def without_numbers(lines: list[str]) -> list[str]:
        return [re.sub(r"#\d+ \d\d:\d\d:\d\d", "#5 14:03:22", line) for line in lines]

    before.wait_line("hello")
    pipe = machine.shell(f"({command.removeprefix('$ ')}) 2>&1")
    assert pipe.finish() == 0, str(pipe)
    assert without_numbers(pipe.lines) == without_numbers([expected])
    pipe = machine.shell(silent.removeprefix("$ "))
    assert pipe.finish() == 0, str(pipe)
    assert (pipe.lines, pipe.errors) == ([], [])
    before.wait_line("ci: deployed")
    before.finish()
    assert before.bodies[1:] == ["Erick: hello", "* ci joined", "ci: the build is green", "* ci left", "ci: deployed"]


def test_the_targets_and_files_that_the_readme_names_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"\$ make (\w+)", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for file in re.findall(r"\]\((?!https?:)([^)#]+)\)", README) + re.findall(r"\$ \./(\S+)", README):
        assert (ROOT / file).exists(), file
