"""What an operator reads: one line each for what happens, bounded; a SIGHUP asks for the status."""

from __future__ import annotations

import re
import signal

import pyrochat
from tests.system.support import Machine, ServerProcess, stop

TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"


def logged(server: ServerProcess, text: str) -> str:
    """The first line of the log that has *text*, as soon as it is there, without its time."""
    line = server.wait_error(text)
    assert re.match(rf"{TIME} (INFO|WARNING) ", line), line
    return line.split(" ", 2)[2]


def test_found_31_the_server_logs_who_comes_and_goes_and_is_refused(machine: Machine) -> None:
    server = machine.server("--no-guests", env={"PYROCHAT_PASSWORD": "sesame"})
    assert logged(server, "serves at").startswith(
        f"INFO PyroChat {pyrochat.__version__} serves at {server.at}, its data"
    )
    assert logged(server, "is open") == "INFO room 'lobby' is open, with 0 messages"
    known = {"PYROCHAT_PASSWORD": "sesame"}
    ana = machine.client("Ana", env=known)
    assert logged(server, "has joined") == "INFO room lobby: Ana has joined, from 127.0.0.1"
    wrong = machine.run("pyrochat-client", "Igor", env={"PYROCHAT_PASSWORD": "simsalabim"})
    assert wrong.wait() == 1
    assert logged(server, "wrong-password").startswith("INFO refused Igor at 127.0.0.1: wrong-password: ")
    other = known | {"PYROCHAT_CONFIG_DIR": machine.folder / "other"}
    assert machine.run("pyrochat-client", "ana", env=other).wait() == 1
    assert logged(server, "name-taken").startswith("INFO refused ana at 127.0.0.1: name-taken: ")
    bare = 'import Pyro5.api, sys; p = Pyro5.api.Proxy(sys.argv[1]); p._pyroHandshake = {"name": "bot"}; p.members()'
    assert machine.python(bare, server.uris["lobby"]).finish() == 1
    assert logged(server, "guests-refused").startswith("INFO refused bot at 127.0.0.1: guests-refused: ")
    assert machine.run("pyrochat-server", "names", "ban", "Igor").wait() == 0
    assert machine.run("pyrochat-client", "Igor", env=known).wait() == 1
    assert logged(server, ": banned:").startswith("INFO refused Igor at 127.0.0.1: banned: ")
    ana.finish()
    assert logged(server, "has left") == "INFO room lobby: Ana has left, from 127.0.0.1"
    eva = machine.client("Eva", env=known)
    eva.kill()
    assert logged(server, "lost a session of eva").startswith("INFO room lobby: lost a session of eva at 127.0.0.1 (")
    stop(server)
    assert [line.split(" ", 2)[2] for line in server.errors[-2:]] == ["INFO stopping", "INFO stopped"]


def test_found_31_who_is_limited_is_logged_and_does_not_fill_the_disk(machine: Machine) -> None:
    server = machine.server("--rate", "1", "--burst", "2")
    flood = """
import sys, Pyro5.api
refused = 0
while refused < 30:  # each on a connection of its own: one that was refused rests
    room = Pyro5.api.Proxy(sys.argv[1])
    room._pyroHandshake = {"name": "bot"}
    try:
        room.post_many(["again"] * 2)
    except PermissionError as error:
        refused += str(error).startswith("rate-limited")
"""
    assert machine.python(flood, server.uris["lobby"]).finish() == 0
    assert logged(server, "rate-limited").startswith("INFO refused bot at 127.0.0.1: rate-limited: ")
    stop(server)
    assert len([line for line in server.errors if "rate-limited" in line]) <= 20


def test_found_31_the_level_of_the_log_is_the_operators(machine: Machine) -> None:
    for level, has_info in (("warning", False), ("info", True), ("debug", True)):
        server = machine.server("--log-level", level, port=0)
        machine.run("pyrochat-client", "Ana")
        stop(server)
        assert any("Ana has joined" in line for line in server.errors) == has_info
    wrong = machine.run("pyrochat-server", "--log-level", "loud")
    assert wrong.wait() == 2
    assert "'debug', 'info', 'warning', 'error'" in wrong.complaints[0]


def test_found_31_a_hang_up_makes_a_server_say_its_status_and_go_on(machine: Machine) -> None:
    server = machine.server("--room", "tea", "--room", "coffee", "--log-level", "error", rooms=2)
    ana = machine.client("Ana", "--room", "tea")
    ana.write("hi")
    ana.wait_line("Ana: hi")
    server.signal(signal.SIGHUP)
    line = logged(server, "room tea:")
    assert re.fullmatch(
        r"INFO room tea: 2 messages, 1 members, 1 sessions, 0 of them lost, the last is \d messages behind", line
    )
    assert "0 messages, 0 members, 0 sessions" in logged(server, "room coffee:")
    assert logged(server, "connections at").endswith(f" connections at {server.at}")
    ana.write("still there")
    ana.wait_line("Ana: still there")
    server.signal(signal.SIGHUP)
    server.wait_lines(lambda line: "connections at" in line, 2, errors=True)
    ana.finish()
    stop(server)
