"""Standard streams that are closed, or can't be written: cron, supervisors and daemons start programs so."""

from __future__ import annotations

import contextlib
import itertools
import signal
import socket
from pathlib import Path

import pytest

from tests.support import eventually
from tests.system.support import PATIENCE_SECONDS, Machine, Process, free_port

CLOSED = {"input": "<&-", "output": ">&-", "errors": "2>&-", "all": "<&- >&- 2>&-"}


def descriptors(process: Process) -> dict[int, str]:
    """What the first three descriptors of *process* lead to."""
    folder = Path(f"/proc/{process._process.pid}/fd")
    return {
        number: str((folder / str(number)).readlink()) for number in range(3) if (folder / str(number)).is_symlink()
    }


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("localhost", port), PATIENCE_SECONDS):
        return True
    return False


def assert_no_traceback(process: Process) -> None:
    said = [line for line in process.lines + process.errors if "Traceback" in line or "internal error" in line]
    assert not said, str(process)


def test_found_25_a_client_with_closed_streams_does_what_it_can(machine: Machine) -> None:
    server = machine.server()
    for program, closed in itertools.product(("pyrochat-client", "pyrochat"), CLOSED):
        client = machine.shell(f"echo hello | {program} Ana --at {server.at} {CLOSED[closed]}; echo $? >code")
        assert client.finish() == 0
        assert_no_traceback(client)
        assert (machine.folder / "code").read_text() == "0\n"
        if closed == "errors":
            assert client.bodies[-1] == "Ana: hello"
            assert client.errors == []
        if closed == "input":
            assert client.bodies[-1] == "* Ana joined"


@pytest.mark.parametrize("closed", CLOSED)
def test_found_25_a_server_with_closed_streams_serves(machine: Machine, closed: str) -> None:
    at = f"localhost:{free_port()}"
    port = at.partition(":")[2]
    server = machine.shell(f"exec pyrochat-server --port {port} {CLOSED[closed]}")

    eventually(lambda: listens(int(port)), PATIENCE_SECONDS)
    client = machine.run("pyrochat-client", "Ana", "--at", at, typed="hello")
    assert client.wait() == 0, f"{client}\n{server}"
    missing = {"input": [0], "output": [1], "errors": [2], "all": [0, 1, 2]}[closed]
    assert dict.fromkeys(missing, "/dev/null").items() <= descriptors(server).items(), "no socket is there"
    server.signal(signal.SIGTERM)
    assert server.wait(20) == 0, str(server)
    assert_no_traceback(server)


def test_found_25_a_server_whose_output_is_full_serves_and_says_so(machine: Machine) -> None:
    port = free_port()
    server = machine.shell(f"exec pyrochat-server --port {port} >/dev/full")
    server.wait_error("warning: standard output can't be written (No space left on device)")
    machine.client("Ana", "--at", f"localhost:{port}").wait_line("* Ana joined")
    server.signal(signal.SIGTERM)
    assert server.wait(20) == 0, str(server)
    assert_no_traceback(server)


FULL = {
    "key show": "pyrochat key show",
    "key export": "pyrochat key export",
    "names list": "pyrochat-server names list",
    "help": "pyrochat-client --help",
}


@pytest.mark.parametrize("command", FULL)
def test_found_25_what_could_not_be_written_is_a_failure_in_one_line(machine: Machine, command: str) -> None:
    process = machine.shell(f"exec {FULL[command]} >/dev/full")
    assert process.wait() == 1, str(process)
    [complaint] = process.errors
    assert "No space left on device" in complaint


def test_found_25_errors_that_can_not_be_written_change_no_exit_code(machine: Machine) -> None:
    for code, command in (
        (2, "pyrochat-client Ana --colour"),
        (1, f"pyrochat-client Ana --at localhost:{free_port()}"),
    ):
        for where in ("2>/dev/full", "2>&-"):
            process = machine.shell(f"exec {command} {where}")
            assert process.wait() == code, str(process)
            assert process.lines == process.errors == []
