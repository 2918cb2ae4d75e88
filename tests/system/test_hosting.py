"""``pyrochat`` alone: host or join; and how servers end."""

from __future__ import annotations

import signal

import pytest

from tests.system.support import Machine, free_port


def test_pyrochat_hosts_where_nobody_does(machine: Machine) -> None:
    alone = machine.run("pyrochat", "Ana", typed="hello\n/history\n/confirmations\n/who\n")
    assert alone.wait() == 0, str(alone)
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
    assert server.wait(20) == 0
    ana.wait_error("connection lost (the server has been stopped): trying to come back")


def test_an_idle_server_ends_at_once(machine: Machine) -> None:
    server = machine.server()
    server.signal(signal.SIGTERM)
    assert server.wait(20) == 0
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
    assert igor.wait(20) == 0
    ana.wait_line("* Igor left")
    assert not igor.complaints


@pytest.mark.parametrize("number", range(2))
def test_found_27a_of_two_who_start_at_the_same_moment_one_hosts_and_the_other_joins(
    machine: Machine, number: int
) -> None:
    both = [machine.start("pyrochat", name) for name in ("Ana", "Igor")]
    for client in both:
        client.write(f"from {number}")
    for client in both:
        client.wait_line(f"Ana: from {number}")
        client.wait_line(f"Igor: from {number}")
    hosts = [client for client in both if any("hosted here now" in line for line in client.errors)]
    assert len(hosts) == 1
    for client in sorted(both, key=lambda client: client in hosts):
        assert client.finish() == 0, str(client)
        assert not client.complaints


@pytest.mark.parametrize("number", range(2))
def test_found_27a_lines_that_were_piped_in_are_not_lost_then(machine: Machine, number: int) -> None:
    """Given three that are started at once, with all their input there and its end: all of it is in the log."""
    names = ["Ana", "Igor", "Zoe"]
    started = [machine.start("pyrochat", name) for name in names]
    for client in started:
        client.write(*(f"{line} of {number}" for line in range(20)))
        client.end_input()
    for client in started:
        assert client.wait(60) == 0, str(client)
        assert not client.complaints
    reader = machine.run("pyrochat", "reader", typed="")
    for name in names:
        assert [body for body in reader.bodies if body.startswith(f"{name}: ")] == [
            f"{name}: {line} of {number}" for line in range(20)
        ]


def test_who_can_neither_join_nor_host_is_told_why(machine: Machine) -> None:
    """The log is in use, and its room is registered with another name server."""
    machine.server(env={"PYRO_NS_PORT": free_port()})
    refused = machine.run("pyrochat", "Ana", typed="hello")
    assert refused.wait() == 1
    assert len(refused.complaints) == 1


def test_found_27b_survivors_of_a_host_are_told_what_to_do_and_go_on_in_the_next_ones_log(machine: Machine) -> None:
    """Given a room whose host goes, when somebody else hosts it from an empty log, then who is still there is told so,
    and how to get in; what was said before stays above a line, and nothing is lost without a word."""
    first = machine.client("Ana", "--data", str(machine.folder / "of-ana"), program="pyrochat")
    survivor = machine.client("Igor")
    first.write("before")
    survivor.wait_line("Ana: before")
    assert first.finish() == 0
    survivor.wait_error("connection lost")
    elsewhere = {"PYROCHAT_CONFIG_DIR": machine.folder / "config-of-zoe"}  # a server of the same user has the same key
    second = machine.client("Zoe", "--data", str(machine.folder / "of-zoe"), program="pyrochat", env=elsewhere)
    told = survivor.wait_error("IS NOT ON THE SERVER THAT YOU KNOW")
    forget = machine.shell(told.partition("say: ")[2].partition(" (in Python")[0])
    assert forget.wait() == 0, str(forget)
    survivor.wait_error("another log")
    survivor.write("after")
    second.wait_line("Igor: after")
    survivor.wait_line("Igor: after")
    survivor.write("/verify")
    survivor.wait_line("-- ANOTHER LOG")
    assert survivor.bodies == ["* Ana joined", "* Igor joined", "Ana: before", "* Ana left", *second.bodies]
    assert survivor.finish() == 0, str(survivor)
    assert second.finish() == 0
    again = machine.run("pyrochat", "Ana", "--data", str(machine.folder / "of-ana"), typed="back")
    assert any("hosted here now" in line for line in again.errors)
    assert "Ana: before" in again.bodies
