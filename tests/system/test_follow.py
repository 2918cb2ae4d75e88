"""``--follow``: a client that reads no input, as a service runs it."""

from __future__ import annotations

import signal

import pytest

from tests.system.support import Machine


@pytest.mark.parametrize(
    ("command", "lines"), [("pyrochat-client", "--json"), ("pyrochat-client", "--plain"), ("pyrochat", "--json")]
)
def test_found_44_a_follower_without_input_stays_until_it_is_ended(machine: Machine, command: str, lines: str) -> None:
    machine.server()
    watcher = machine.client("watcher", "--follow", lines, program=command)
    watcher.end_input()
    ana = machine.client("Ana")
    for number in range(3):
        ana.write(f"line {number}")
        watcher.wait_line(f"line {number}")
    watcher.signal(signal.SIGTERM)
    assert watcher.wait() == 0, str(watcher)
    assert "Traceback" not in str(watcher)
