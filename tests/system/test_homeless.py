"""A user without a home: no HOME and no entry in the list of users, as in most containers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import free_port
from tests.system.support import Process, ServerProcess

START = """
import pwd
def nobody(which):
    raise KeyError(which)
pwd.getpwuid = pwd.getpwnam = nobody
from pyrochat.commands.{module} import run
run()
"""
MODULES = {"pyrochat": "chat", "pyrochat-server": "server", "pyrochat-client": "client"}


def homeless(program: str, *arguments: str) -> list[str]:
    """The command line of *program* for somebody who is not in the list of users."""
    return [sys.executable, "-c", START.format(module=MODULES[program]), *arguments]


@pytest.mark.parametrize(
    "line",
    ["pyrochat Ana", "pyrochat-client Ana", "pyrochat key show", "pyrochat servers list", "pyrochat-server",
     "pyrochat-server --verify", "pyrochat-server names list", "pyrochat-server rooms list"],
)  # fmt: skip
def test_found_31_without_a_home_it_is_said_what_names_the_folders(line: str) -> None:
    program, *arguments = line.split()
    done = subprocess.run(
        homeless(program, *arguments), env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == ""
    [complaint] = done.stderr.splitlines()
    assert "you have no home folder here: name another with" in complaint
    assert ("--data" in complaint) == (program == "pyrochat-server")


def test_found_31_two_folders_are_enough_for_every_command(tmp_path: Path) -> None:
    """Given --data and PYROCHAT_CONFIG_DIR, when there is no home, a server is hosted, joined, verified and ended."""
    environment = {"PYROCHAT_CONFIG_DIR": str(tmp_path / "config"), "PYRO_NS_PORT": str(free_port())}
    data = str(tmp_path / "data")
    server = ServerProcess(homeless("pyrochat-server", "--data", data, "--port", "0"), env=environment)
    try:
        client = Process(homeless("pyrochat-client", "Ana", "--at", server.at), env=environment)
        client.write("hello")
        assert client.finish() == 0
        assert client.bodies == ["* Ana joined", "Ana: hello"]
        for line in (["pyrochat-server", "names", "list", "--data", data], ["pyrochat", "key", "show"]):
            process = Process(homeless(*line), env=environment)
            assert process.finish() == 0, str(process)
        server.signal(15)
        assert server.wait() == 0
    finally:
        server.close()
    verified = Process(homeless("pyrochat-server", "--verify", "--data", data), env=environment)
    assert verified.finish() == 0


def test_found_31_a_server_without_a_configuration_folder_keeps_its_key_with_its_data(tmp_path: Path) -> None:
    data = tmp_path / "data"
    arguments = ["--data", str(data), "--port", "0"]
    server = ServerProcess(homeless("pyrochat-server", *arguments), env={"PYRO_NS_PORT": str(free_port())})
    try:
        assert (data / "server-key.pem").exists()
    finally:
        server.close()
