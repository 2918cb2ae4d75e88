"""``pyrochat`` alone: host or join; and how servers end."""

from __future__ import annotations

import signal

import pytest

from tests.system.support import Machine


def test_pyrochat_hosts_where_nobody_does(machine: Machine) -> None:
    alone = machine.run("pyrochat", "Ana", typed="hello\n/history\n/confirmations\n/who\n")
    assert alone.wait() == 0
    assert alone.bodies[:2] == ["* Ana joined", "Ana: hello"]
    assert [line for line in alone.lines if line.startswith("-- ")] == [
        "-- history: 2 messages",
        "-- end of history",
        "-- confirmations of #2: delivered to nobody; read by nobody; waiting for nobody",
        "-- 1 member: Ana",
    ]
    assert alone.errors[0].startswith("nobody hosts room lobby: it is hosted here now, at localhost:")
    assert alone.errors[1:] == ["joined room lobby as Ana"]


def test_a_second_pyrochat_joins_the_first(machine: Machine) -> None:
    first = machine.client("Ana", program="pyrochat")
    first.write("is anybody here?")
    first.wait_line("Ana: is anybody here?")
    second = machine.client("Igor", program="pyrochat")
    assert second.errors == ["joined room lobby as Igor"]
    second.write("I am")
    first.wait_line("Igor: I am")
    second.wait_line("Igor: I am")
    assert first.messages == second.messages
    assert second.finish() == 0
    first.wait_line("* Igor left")
    assert first.finish() == 0


def test_what_was_said_is_there_the_next_time(machine: Machine) -> None:
    machine.run("pyrochat", "Ana", typed="remember this")
    again = machine.run("pyrochat", "Ana", typed="and this")
    assert again.bodies == ["* Ana joined", "Ana: remember this", "* Ana left", "* Ana joined", "Ana: and this"]


def test_when_the_host_ends_the_others_are_told_that_it_has_left(machine: Machine) -> None:
    host = machine.client("Ana", program="pyrochat")
    guest = machine.client("Igor")
    host.wait_line("* Igor joined")
    assert host.finish() == 0
    guest.wait_error("the host has left")
    assert host.errors[-1] == "1 other is still here: they are told that the host has left"
    assert guest.finish() == 0
    assert not guest.complaints


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_end_does_so_within_five_seconds(machine: Machine, number: int) -> None:
    server = machine.server()
    ana, stopped = machine.client("Ana"), machine.client("stopped")
    ana.wait_line("* stopped joined")
    stopped.signal(signal.SIGSTOP)
    server.signal(number)
    assert server.wait(5) == 0
    ana.wait_error("connection lost (the server has been stopped): trying to come back")


def test_an_idle_server_ends_at_once(machine: Machine) -> None:
    server = machine.server()
    server.signal(signal.SIGTERM)
    assert server.wait(5) == 0
    assert not server.complaints


def test_a_client_of_a_room_that_is_gone_ends_when_it_is_told_to(machine: Machine) -> None:
    server = machine.server()
    ana = machine.client("Ana")
    server.kill()
    ana.wait_error("trying to come back")
    ana.write("/quit")
    assert ana.wait(15) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_client_that_is_told_to_end_leaves_the_room(machine: Machine, number: int) -> None:
    machine.server("--grace", "600")
    ana, igor = machine.client("Ana"), machine.client("Igor")
    igor.signal(number)
    assert igor.wait(10) == 0
    ana.wait_line("* Igor left")
    assert not igor.complaints
