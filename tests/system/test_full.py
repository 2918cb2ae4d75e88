"""Bounds on what may be written, as operators give them and members meet them."""

from __future__ import annotations

import pytest

from tests.system.support import Machine
from tests.system.test_wrong_use import WRONG_USAGE, assert_one_complaint

LINES = "\n".join(["x" * 10_000] * 60)


def test_found_2_a_full_room_is_said_to_its_members_and_to_its_operator(machine: Machine) -> None:
    server = machine.server(env={"PYROCHAT_ROOM_BYTES": "400K"})
    erick = machine.client("Erick", "--at", server.at)
    for line in LINES.split("\n"):
        erick.write(line)
    assert "error: the room is full (400 KiB): nothing was stored" in erick.wait_error("error: ")
    server.wait_error("of its 400 KiB (--room-bytes): ")
    server.wait_error("it is full, and posts are refused")
    assert erick.finish() == 1
    assert 20 < len(erick.bodies) < 50  # by what is on disk, which is looked at now and then
    igor = machine.run("pyrochat-client", "Igor", "--at", server.at, typed="/history 1")
    assert igor.wait() == 0, str(igor)
    assert igor.bodies[-1] == "* Igor joined"
    assert len([line for line in server.errors if "it is full" in line]) == 1
    assert "Traceback" not in "\n".join(server.errors)


def test_found_2_whoever_hosts_for_himself_keeps_a_reserve_too(machine: Machine) -> None:
    alone = machine.run("pyrochat", "Erick", "--disk-reserve", "1000PiB", typed="hello")
    assert alone.wait() == 1
    assert alone.complaints == [
        "error: the server's disk is nearly full: nothing was stored; its operator has to make room there"
    ]
    assert alone.bodies == ["* Erick joined"]


@pytest.mark.parametrize(
    ("program", "arguments", "environment", "said"),
    [
        ("pyrochat-server", ["--room-bytes", "lots"], {}, "--room-bytes has to be a size, as 10GiB, 512M or a number"),
        ("pyrochat-server", [], {"PYROCHAT_PEER_BYTES": "-1"}, "--peer-bytes has to be a size"),
        ("pyrochat", ["Erick", "--disk-reserve", "5%"], {}, "--disk-reserve has to be a size"),
    ],
)
def test_a_size_that_is_none_is_wrong_use(
    machine: Machine, program: str, arguments: list[str], environment: dict[str, str], said: str
) -> None:
    assert_one_complaint(machine.run(program, *arguments, env=environment), WRONG_USAGE, said)
