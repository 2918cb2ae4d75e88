"""The addresses that servers print, as clients are given them; and what is said where they lead nowhere."""

from __future__ import annotations

import socket

import pytest

from tests.system.support import Machine, free_port, stop
from tests.system.test_wrong_use import FAILED, WRONG_USAGE, assert_one_complaint

LOOPBACK_BY_A_NAME = (
    "0x7f000001"  # what inet_aton reads as 127.0.0.1, as Debian's /etc/hosts does with a machine's name
)


def test_found_26_the_uri_that_a_server_prints_is_taken_by_at(machine: Machine) -> None:
    server = machine.server("--room", "tea", "--room", "coffee", rooms=2)
    nowhere = {"PYRO_NS_PORT": free_port()}
    uri = server.uris["tea"]
    ana = machine.run("pyrochat-client", "Ana", "--room", "tea", "--at", uri, typed="hello", env=nowhere)
    assert ana.bodies == ["* Ana joined", "Ana: hello"]
    for program in ("pyrochat-client", "pyrochat"):
        other = machine.run(program, "Ana", "--room", "coffee", "--at", uri, env=nowhere)
        assert_one_complaint(other, WRONG_USAGE, "is the URI of room 'tea', not of 'coffee': say --room tea")


@pytest.mark.parametrize("at", ["a..b:5679", "PYRO:pyrochat.lobby@a..b:5679", f"{'x' * 64}:5679", "bell\a:1"])
def test_found_23_an_address_that_can_be_none_is_one_line(machine: Machine, at: str) -> None:
    for program in ("pyrochat-client", "pyrochat"):
        assert_one_complaint(machine.run(program, "Ana", "--at", at), WRONG_USAGE, "is no address")


@pytest.mark.parametrize("option", ["--host", "--advertise"])
def test_found_23_a_host_that_can_be_none_is_one_line(machine: Machine, option: str) -> None:
    assert_one_complaint(machine.run("pyrochat-server", option, "a..b"), WRONG_USAGE, "'a..b' is no host")


def test_found_23_a_name_server_that_can_be_nowhere_is_one_line(machine: Machine) -> None:
    nowhere = {"PYRO_NS_HOST": "a..b"}
    assert_one_complaint(machine.run("pyrochat-client", "Ana", env=nowhere), FAILED, "no name server answers at a..b")
    server = machine.run("pyrochat-server", "--port", "0", env=nowhere)
    assert_one_complaint(server, FAILED, "no name server answers at a..b")


@pytest.fixture
def on_ipv6(machine: Machine) -> str:
    """The address of a server that listens on IPv6's loopback."""
    return machine.server("--host", "::1").at


def test_found_26_ipv6_has_brackets_in_what_is_said_and_what_is_taken(machine: Machine, on_ipv6: str) -> None:
    assert on_ipv6.startswith("[::1]:")
    nowhere = {"PYRO_NS_PORT": free_port()}
    assert machine.run("pyrochat-client", "Ana", "--at", on_ipv6, env=nowhere).wait() == 0
    other = machine.run("pyrochat-client", "Ana", "--room", "tea", "--at", on_ipv6, env=nowhere)
    assert_one_complaint(other, FAILED, f"there is no room 'tea' at {on_ipv6}")
    by_name = machine.run("pyrochat-client", "Igor", "--room", "lobby")
    assert by_name.wait() == 0
    second = machine.run("pyrochat-server", "--port", "0", "--data", str(machine.folder / "other"))
    assert_one_complaint(second, FAILED, f"is served at {on_ipv6} already")
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as sock:
        port = sock.getsockname()[1]
    gone = machine.run("pyrochat-client", "Ana", "--at", f"[::1]:{port}")
    assert_one_complaint(gone, FAILED, f"nothing answers at [::1]:{port}")


def test_found_26_a_machines_name_that_leads_to_itself_is_said(machine: Machine) -> None:
    server = machine.server("--host", LOOPBACK_BY_A_NAME)
    server.wait_error(f"warning: {LOOPBACK_BY_A_NAME} is 127.0.0.1 here, which leads others to themselves")
    assert not [line for line in server.lines if line.startswith("others join with")]
    assert server.at.startswith(LOOPBACK_BY_A_NAME)
    stop(server)
    secure = machine.server("--host", LOOPBACK_BY_A_NAME, "--tls")
    secure.wait_line("others on this machine join with: ")
    secure.wait_error("which leads others to themselves")


def test_found_26_an_address_that_others_would_reach_themselves_by_is_said(machine: Machine) -> None:
    server = machine.server("--lan", "--advertise", "127.0.1.1")
    server.wait_line("others join with: pyrochat-client NAME --at 127.0.1.1:")
    server.wait_error("warning: others reach themselves at 127.0.1.1, and not this machine")


def test_an_address_that_others_can_reach_is_printed_without_a_doubt(machine: Machine) -> None:
    server = machine.server("--lan", "--advertise", "[2001:db8::7]", "--tls")
    server.wait_line(f"others join with: pyrochat-client NAME --at [2001:db8::7]:{server.port} --fingerprint ")
    stop(server)
    assert [line for line in server.errors if "warning" in line] == []
