"""Whatever is done wrong, one line says what to do next: no traceback, and the right exit code."""

from __future__ import annotations

import contextlib
import re
import resource
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from Pyro5.api import Proxy
from Pyro5.errors import CommunicationError

from tests.system.support import Machine, Process, free_port

FAILED, WRONG_USAGE = 1, 2
STATUS = re.compile(r"joined room .+ as .+|back in the room|connection lost \(.+|\d{4}-\d\d-\d\d \d\d:.+")


def assert_one_complaint(process: Process, code: int, *words: str) -> None:
    """*process* has ended with *code* and with one line that has *words* in it."""
    assert process.wait() == code, str(process)
    assert not [line for line in process.lines + process.errors if "Traceback" in line], str(process)
    said = [line for line in process.errors if not STATUS.fullmatch(line)]
    assert said == process.complaints, str(process)
    assert len(said) == 1, str(process)
    for word in words:
        assert word in said[0]


# -- clients -----------------------------------------------------------------------------------------------


def test_no_name_server(machine: Machine) -> None:
    client = machine.run("pyrochat-client", "Ana")
    where = f"localhost:{machine.nameserver_port}"
    assert_one_complaint(client, FAILED, f"no name server answers at {where}", "./nameserver.sh", "--at HOST:PORT")


def test_a_name_server_that_knows_no_room(machine: Machine) -> None:
    machine.nameserver()
    client = machine.run("pyrochat-client", "Ana")
    assert_one_complaint(client, FAILED, "knows no room 'lobby'", "start one with pyrochat-server")


def test_a_room_that_is_not_there(machine: Machine) -> None:
    server = machine.server("--room", "tea")
    by_name = machine.run("pyrochat-client", "Ana", "--room", "coffee")
    assert_one_complaint(by_name, FAILED, "no room 'coffee'", "tea")
    at = machine.run("pyrochat-client", "Ana", "--room", "coffee", "--at", server.at)
    assert_one_complaint(at, FAILED, "no room 'coffee'", "tea")


def test_nothing_listens_there(machine: Machine) -> None:
    at = f"localhost:{free_port()}"
    client = machine.run("pyrochat-client", "Ana", "--at", at)
    assert_one_complaint(client, FAILED, f"nothing answers at {at}", "is the server running")


def test_a_name_server_is_no_room(machine: Machine) -> None:
    machine.nameserver()
    client = machine.run("pyrochat-client", "Ana", "--at", f"localhost:{machine.nameserver_port}")
    assert_one_complaint(client, FAILED)


def test_something_else_answers_there(machine: Machine) -> None:
    with socket.create_server(("localhost", 0)) as other:
        client = machine.start("pyrochat-client", "Ana", "--at", f"localhost:{other.getsockname()[1]}")
        connection, _ = other.accept()
        with connection:
            connection.sendall(b"220 mail.example.org ESMTP\r\n" * 10)
            assert_one_complaint(client, FAILED)


def test_a_name_that_another_client_uses(machine: Machine) -> None:
    machine.server()
    machine.client("Ana")
    other = machine.run("pyrochat-client", "ANA", env={"PYROCHAT_CONFIG_DIR": machine.folder / "other"})
    assert_one_complaint(other, FAILED, "belongs to another key", "choose another name")


def test_a_key_that_cannot_be_kept(machine: Machine) -> None:
    server = machine.server()
    (machine.folder / "file").write_text("")
    client = machine.run("pyrochat-client", "Ana", "--at", server.at, env={"PYROCHAT_CONFIG_DIR": "file/config"},
                         cwd=machine.folder)  # fmt: skip
    assert_one_complaint(client, FAILED, "PYROCHAT_CONFIG_DIR")


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("pyrochat-client", [""]),
        ("pyrochat-client", ["x" * 33]),
        ("pyrochat-client", ["two words"]),
        ("pyrochat-client", ["bell\a"]),
        ("pyrochat-client", ["\x1b[2J"]),
        ("pyrochat-client", ["right\u202eleft"]),
        ("pyrochat-client", ["..."]),
        ("pyrochat-client", ["Ana", "--room", ""]),
        ("pyrochat-client", ["Ana", "--room", "x" * 33]),
        ("pyrochat-client", ["Ana", "--room", "a/b"]),
        ("pyrochat-client", []),
        ("pyrochat-client", ["Ana", "Igor"]),
        ("pyrochat-client", ["Ana", "--colour"]),
        ("pyrochat-client", ["Ana", "--room"]),
        ("pyrochat", ["x" * 33]),
        ("pyrochat", ["Ana", "--port", "x"]),
        ("pyrochat", ["Ana", "--host", "x"]),
        ("pyrochat-server", ["--colour"]),
        ("pyrochat-server", ["--port", "70000"]),
        ("pyrochat-server", ["--port", "http"]),
        ("pyrochat-server", ["--port", "0", "--room", ""]),
        ("pyrochat-server", ["--port", "0", "--room", "a b"]),
        ("pyrochat-server", ["--port", "0", "--room", "tea", "--room", "TEA"]),
        ("pyrochat-server", ["--port", "0", "--beat", "0"]),
        ("pyrochat-server", ["--port", "0", "--beat", "5", "--silence", "1"]),
        ("pyrochat-server", ["--port", "0", "--grace", "-1"]),
        ("pyrochat-server", ["--expect", "nonsense"]),
        ("pyrochat-server", ["extra"]),
    ],
)
def test_wrong_usage(machine: Machine, program: str, arguments: list[str]) -> None:
    assert_one_complaint(machine.run(program, *arguments), WRONG_USAGE)


def test_no_loss_is_accepted_in_a_cluster(machine: Machine) -> None:
    server = machine.run("pyrochat-server", "--cluster", "a,b,c", "--accept-loss")
    assert_one_complaint(server, WRONG_USAGE, "move the damaged file away, and the cluster fills it")


@pytest.mark.parametrize(
    ("typed", "said"), [("x" * 16_385, "16,385 bytes"), ("not UTF-8: \udcff", "not valid Unicode")]
)
def test_a_text_in_a_pipe_that_cannot_be_sent(machine: Machine, typed: str, said: str) -> None:
    machine.server()
    client = machine.run("pyrochat-client", "Ana", typed=f"before\n{typed}\nafter")
    assert_one_complaint(client, FAILED, said)
    assert client.bodies == ["* Ana joined", "Ana: before", "Ana: after"]


def test_an_unknown_command_in_a_pipe_is_said_and_no_failure(machine: Machine) -> None:
    machine.server()
    client = machine.run("pyrochat-client", "Ana", typed="/hsitory\nafter")
    assert_one_complaint(client, 0, "/hsitory", "/help")
    assert client.bodies == ["* Ana joined", "Ana: after"]


OLD_CLIENT = """
import sys
import pyrochat.client.credentials as credentials
from pyrochat.commands.client import run
credentials.PROTOCOL_VERSION += 1
sys.argv[0] = "pyrochat-client"
run()
"""


def test_a_client_of_another_version(machine: Machine) -> None:
    server = machine.server()
    with Proxy(server.uris["lobby"]) as proxy:
        proxy._pyroHandshake = {"name": "Ana", "version": 999}
        with pytest.raises(CommunicationError, match=r"version-mismatch: .*upgrade the older one"):
            proxy._pyroBind()
    client = machine.python(OLD_CLIENT, "Ana", "--at", server.at)
    client.program = "pyrochat-client"
    assert_one_complaint(client, FAILED, "upgrade the older one")


# -- servers -----------------------------------------------------------------------------------------------


def test_a_file_where_the_data_folder_should_be(machine: Machine) -> None:
    file = machine.folder / "file"
    file.write_text("precious")
    for arguments in ("pyrochat-server", "--port", "0"), ("pyrochat", "Ana"):
        assert_one_complaint(machine.run(*arguments, "--data", str(file)), FAILED, str(file))
    assert file.read_text() == "precious"


def no_log(path: Path) -> None:
    path.write_bytes(b"these are not the bytes of a database" * 100)


def another_database(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE recipes (name TEXT)")
    database.close()


@pytest.mark.parametrize("spoil", [no_log, another_database])
def test_a_file_that_is_no_log(machine: Machine, spoil: Callable[[Path], None]) -> None:
    (machine.folder / "data" / "rooms").mkdir(parents=True)
    path = machine.folder / "data" / "rooms" / "lobby.sqlite3"
    spoil(path)
    before = path.read_bytes()
    assert_one_complaint(machine.run("pyrochat-server", "--port", "0"), FAILED, str(path))
    assert path.read_bytes() == before


def test_a_port_that_is_in_use(machine: Machine) -> None:
    with socket.create_server(("localhost", 0)) as other:
        port = str(other.getsockname()[1])
        assert_one_complaint(machine.run("pyrochat-server", "--port", port), FAILED, port, "--port")


def test_a_host_that_is_not_this_machine(machine: Machine) -> None:
    server = machine.run("pyrochat-server", "--port", "0", "--host", "192.0.2.1")
    assert_one_complaint(server, FAILED, "192.0.2.1", "--host")


def test_something_else_where_the_name_server_should_be(machine: Machine) -> None:
    with socket.create_server(("localhost", machine.nameserver_port)) as other:
        server = machine.start("pyrochat-server", "--port", "0")
        for _ in range(2):  # it may have been about to start
            connection, _ = other.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10)
        assert_one_complaint(server, FAILED, "PYRO_NS_PORT")


@pytest.mark.parametrize("arguments", [("pyrochat-server", "--port", "0"), ("pyrochat", "Ana")])
def test_too_few_descriptors(machine: Machine, arguments: tuple[str, ...]) -> None:
    def allow_few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))

    assert_one_complaint(machine.run(*arguments, preexec_fn=allow_few), FAILED, "descriptors", "ulimit -n")


def test_a_second_server_on_the_same_data(machine: Machine) -> None:
    machine.server()
    elsewhere = {"PYRO_NS_PORT": free_port()}
    second = machine.run("pyrochat-server", "--port", "0", env=elsewhere)
    assert_one_complaint(second, FAILED, "lobby", "another server")


def test_a_room_that_a_live_server_has_registered(machine: Machine) -> None:
    first = machine.server()
    second = machine.run("pyrochat-server", "--port", "0", "--data", str(machine.folder / "other"))
    assert_one_complaint(second, FAILED, f"is served at {first.at} already", "--room")
    client = machine.run("pyrochat-client", "Ana", typed="still here")
    assert client.bodies == ["* Ana joined", "Ana: still here"]


def test_a_register_that_is_held_by_others(machine: Machine) -> None:
    machine.run("pyrochat-server", "names", "list")
    with contextlib.closing(sqlite3.connect(machine.folder / "data" / "names.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        ban = machine.run("pyrochat-server", "names", "ban", "Ana")
    assert ban.wait() == FAILED
    assert ban.errors == [
        "pyrochat-server names: the register of names can't be used (database is locked): try again later, or tell its "
        "operator"
    ]
