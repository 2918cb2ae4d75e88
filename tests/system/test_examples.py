"""The examples for operators do what they say: their own commands and environments, through a start, a stop and a crash.

What stands in for systemd and for a container here: an environment with nothing in it but what the file names, a user
who is in no list, and a folder in the place of theirs.
"""

from __future__ import annotations

import configparser
import json
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import pyrochat
from tests.support import texts
from tests.system.support import Process, ServerProcess, free_port
from tests.system.test_homeless import homeless

EXAMPLES = Path(__file__).parents[2] / "examples"
LOOPBACK = ["--host", "localhost"]  # in place of what opens the server to the network


class Service:
    """How an example starts its server. command: the words behind ``pyrochat-server``; environment: all of it."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.command = command
        self.environment = environment | {"PYRO_NS_PORT": str(free_port())}

    def start(self) -> ServerProcess:
        return ServerProcess(homeless("pyrochat-server", *self.command), env=self.environment)


def unit() -> configparser.SectionProxy:
    """The unit's section on the service; what stands there twice is in two lines."""

    class Several(dict[str, object]):
        def __setitem__(self, key: str, value: object) -> None:
            super().__setitem__(key, [*self[key], *value] if isinstance(value, list) and key in self else value)  # type: ignore[misc]

    parser = configparser.RawConfigParser(strict=False, dict_type=Several)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(EXAMPLES / "pyrochat-server.service")
    return parser["Service"]


def systemd(folder: Path) -> Service:
    program, *arguments = shlex.split(unit()["ExecStart"])
    assert program == "/opt/pyrochat/bin/pyrochat-server"
    arguments.remove("--lan")
    environment = dict(line.replace("%S", str(folder)).split("=", 1) for line in unit()["Environment"].split("\n"))
    return Service([*arguments, *LOOPBACK], environment)


def container(folder: Path) -> Service:
    lines = (EXAMPLES / "Containerfile").read_text()
    found = re.search(r"^ENTRYPOINT (.*)", lines, re.MULTILINE)
    assert found is not None
    program, *arguments = json.loads(found[1])
    assert program == "pyrochat-server"
    arguments[arguments.index("0.0.0.0")] = "localhost"
    words = shlex.split(" ".join(re.findall(r"^ENV (.*)", lines, re.MULTILINE)))
    environment = dict(word.replace("/var/lib", str(folder)).split("=", 1) for word in words)
    (folder / "pyrochat").mkdir(mode=0o700)  # the image has it
    return Service(arguments, environment)


@pytest.mark.parametrize("example", [systemd, container])
def test_found_31_the_server_of_an_example_starts_says_its_status_stops_and_survives_a_crash(
    example: type[Service], tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    service = example(state)  # type: ignore[arg-type, call-arg]
    service.command += ["--port", str(free_port())]
    said: list[str] = []

    def say(server: ServerProcess, text: str) -> None:
        joining = server.wait_line("join with")
        fingerprint = joining.rpartition(" ")[2]
        with pyrochat.join("Ana", at=server.at, fingerprint=fingerprint) as ana:
            ana.send(text)
            said.append(text)
            assert texts(ana.history()) == said

    server = service.start()
    try:
        say(server, "first")
        server.signal(signal.SIGHUP)
        server.wait_error("room lobby: 3 messages, 0 members")
        say(server, "after the status")
        server.signal(signal.SIGTERM)
        assert server.wait(20) == 0
        server = service.start()
        say(server, "after a stop")
        server.kill()
        server = service.start()
        say(server, "after a crash")
        server.signal(signal.SIGTERM)
        assert server.wait(20) == 0
    finally:
        server.close()
    assert sorted(path.name for path in tmp_path.iterdir() if path != tmp_path / "config") == ["state"]
    assert [path.name for path in state.iterdir()] == ["pyrochat"]
    assert {path.name for path in (state / "pyrochat").iterdir()} == {"data", "config"}
    verified = Process(homeless("pyrochat-server", "--verify"), env=service.environment)
    assert verified.finish() == 0, str(verified)
    verified.close()


def test_found_31_the_units_reload_is_the_signal_that_asks_for_the_status() -> None:
    program, option, process = shlex.split(unit()["ExecReload"])
    assert (program, option, process) == ("/bin/kill", "-HUP", "$MAINPID")
    waits = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL); print(flush=True); signal.pause()"
    with subprocess.Popen([sys.executable, "-c", waits], stdout=subprocess.PIPE) as waiting:
        assert waiting.stdout is not None
        waiting.stdout.readline()
        subprocess.run([program, option, str(waiting.pid)], check=True)
        assert waiting.wait(60) == -signal.SIGHUP


def test_found_31_the_image_leaves_nothing_open_that_it_need_not() -> None:
    lines = (EXAMPLES / "Containerfile").read_text().splitlines()
    user = next(n for n, line in enumerate(lines) if line.startswith("USER "))
    assert all(not line.startswith("RUN ") for line in lines[user:])
    assert "USER 5679:5679" in lines
    assert "VOLUME /var/lib/pyrochat" in lines
