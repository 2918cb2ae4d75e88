"""The user's file as the commands take it: what they need not be told, and one line where it is wrong."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

import pyrochat
from tests.support import eventually
from tests.system.support import PATIENCE_SECONDS, Machine, free_port
from tests.system.test_terminal import in_terminal
from tests.system.test_wrong_use import FAILED, WRONG_USAGE, assert_one_complaint


def written(machine: Machine, text: str) -> Path:
    file = Path(machine.environment["PYROCHAT_CONFIG_DIR"]) / "config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_a_client_takes_name_room_and_address_from_the_file(machine: Machine) -> None:
    port = free_port()
    machine.server("--room", "tea", "--room", "coffee", port=port, rooms=2)
    written(machine, f'name = "Erick"\nroom = "tea"\nat = "localhost:{port}"')
    assert "joined room tea as Erick" in machine.run("pyrochat-client", typed="/quit").errors
    assert "joined room tea as Igor" in machine.run("pyrochat-client", "Igor", typed="/quit").errors
    environment = {"PYROCHAT_ROOM": "coffee", "PYROCHAT_NAME": "Ana"}
    assert "joined room coffee as Ana" in machine.run("pyrochat-client", env=environment, typed="/quit").errors
    again = machine.run("pyrochat-client", "Igor", "--room", "tea", env=environment, typed="/quit")
    assert "joined room tea as Igor" in again.errors


def test_pyrochat_takes_its_name_from_the_file_too(machine: Machine) -> None:
    written(machine, 'name = "Erick"\nroom = "tea"')
    alone = machine.run("pyrochat", typed="hello")
    assert alone.errors[0].startswith("nobody hosts room tea: it is hosted here now")
    assert alone.bodies == ["* Erick joined", "Erick: hello"]


def test_a_password_file_in_the_file_opens_a_private_room(machine: Machine) -> None:
    file = written(machine, 'password_file = "word.txt"')
    (file.parent / "word.txt").write_text("sesame\n")
    machine.server(env={"PYROCHAT_PASSWORD": "sesame"})
    assert "joined room lobby as Ana" in machine.run("pyrochat-client", "Ana", typed="/quit").errors


@pytest.mark.parametrize("program", ["pyrochat", "pyrochat-client"])
def test_a_file_that_is_wrong_is_one_line(machine: Machine, program: str) -> None:
    file = written(machine, 'theem = "nord"')
    assert_one_complaint(machine.run(program, "Ana"), WRONG_USAGE, str(file), "'theem'", "did you mean theme?")
    assert machine.run(program, "--help").wait() == 0


def test_a_file_that_is_wrong_keeps_no_key_from_being_shown(machine: Machine) -> None:
    written(machine, "=")
    assert machine.run("pyrochat", "key", "show").wait() == 0


def test_without_a_name_anywhere_it_is_wrong_usage(machine: Machine) -> None:
    assert_one_complaint(machine.run("pyrochat-client"), WRONG_USAGE, "name")


def test_several_rooms_in_a_pipe_are_wrong_usage(machine: Machine) -> None:
    many = machine.run("pyrochat-client", "Ana", "--plain", "--room", "tea", "--room", "coffee")
    assert_one_complaint(many, WRONG_USAGE, "--plain shows one room: start one client for each")
    one = machine.run("pyrochat-client", "Ana", "--plain", "--room", "tea")
    assert_one_complaint(one, FAILED, "no name server answers")


def test_a_terminal_is_in_all_the_rooms_that_it_is_told(machine: Machine) -> None:
    server = machine.server("--room", "tea", "--room", "coffee", rooms=2)
    rooms = ["--room", "tea", "--room", "coffee"]
    with (
        pyrochat.join("Watcher", "tea", server.at) as tea,
        tea.join_room("coffee") as coffee,
        in_terminal(machine, "pyrochat-client", "Ana", *rooms) as (_, process),
    ):
        eventually(lambda: tea.members == coffee.members == ["Watcher", "Ana"], PATIENCE_SECONDS)
        process.send_signal(signal.SIGTERM)
        eventually(lambda: tea.members == coffee.members == ["Watcher"], PATIENCE_SECONDS)
