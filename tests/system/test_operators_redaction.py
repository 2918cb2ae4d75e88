"""The operator deletes a message, while the room is served and while it is not, and is told which copies have its text."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

from tests.support import eventually
from tests.system.support import Machine, Process, stop

SECRET = "the password is swordfish"


def holding(folder: Path, text: str) -> list[str]:
    """The files in *folder* that have *text*."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes())


@contextlib.contextmanager
def connected(path: Path) -> Iterator[socket.socket]:
    """A connection to the operator's socket, whose path may be long."""
    with socket.socket(socket.AF_UNIX) as asking:
        folder = os.open(path.parent, os.O_RDONLY)
        asking.connect(f"/proc/self/fd/{folder}/{path.name}")
        os.close(folder)
        yield asking


def redact(machine: Machine, *arguments: str) -> Process:
    command = machine.run("pyrochat-server", "redact", *arguments, "--data", str(machine.folder / "data"))
    command.wait()
    return command


def test_while_it_is_served_everybody_hears_of_it_and_backups_are_listed(machine: Machine) -> None:
    data, backup = machine.folder / "data", machine.folder / "backup.sqlite3"
    server = machine.server("--room", "lobby", "--room", "lab", rooms=2)
    [door] = data.glob("operator-*.sock")
    assert stat.S_IMODE(door.lstat().st_mode) == 0o600
    ana, igor = machine.client("Ana"), machine.client("Igor")
    ana.write("olá", SECRET)
    igor.wait_line(SECRET)
    id = next(message.split()[0][1:] for message in igor.messages if SECRET in message)
    ana.write(f"/edit {id} {SECRET}!")
    igor.wait_line(f"edited #{id}")
    assert machine.run("pyrochat-server", "--data", str(data), "--backup", str(backup)).wait() == 0

    command = redact(machine, "lobby", id)
    assert command.wait() == 0, str(command)
    igor.wait_line(f"(operator) deleted #{id}")
    assert command.lines[0] == f"room 'lobby': message {id} is deleted"
    assert [line for line in command.lines[1:] if str(backup) in line] == command.lines[1:] != []
    assert holding(data, "swordfish") == []
    assert holding(machine.folder, "swordfish") == ["backup.sqlite3"]

    for arguments, what in (
        (("lobby", id), "was deleted"),
        (("lobby", "99"), "there is no message 99"),
        (("lobby", "1"), "is no text"),
        (("attic", "1"), "there is no log"),
    ):
        refused = redact(machine, *arguments)
        assert refused.wait() == 1
        assert [line for line in refused.errors if what in line] == refused.errors != []
    stop(server)
    assert list(data.glob("operator-*.sock")) == []


def test_while_nobody_serves_it(machine: Machine) -> None:
    data = machine.folder / "data"
    server = machine.server()
    ana = machine.client("Ana")
    ana.write(SECRET, f"/search {SECRET.split()[-1]}")
    ana.wait_lines(lambda line: "swordfish" in line, 2)
    id = next(message.split()[0][1:] for message in ana.messages if SECRET in message)
    server.kill()
    assert holding(data, "swordfish") != []
    [left] = data.glob("operator-*.sock")

    command = redact(machine, "lobby", id)
    assert command.lines == [f"room 'lobby': message {id} is deleted"], str(command)
    assert not left.exists()
    assert holding(data, "swordfish") == []
    assert machine.run("pyrochat-server", "--data", str(data), "--verify").wait() == 0
    server = machine.server("--port", str(server.port))
    ana.wait_line(f"(operator) deleted #{id}")
    ana.write("/search swordfish")
    ana.wait_line("search: 0 messages")
    with sqlite3.connect(data / "rooms" / "lobby.sqlite3") as db:
        assert db.execute("SELECT text FROM messages WHERE id = ?", (id,)).fetchone() == ("",)
    db.close()


def test_a_data_folder_with_a_long_path(machine: Machine) -> None:
    data = machine.folder / ("deep" * 20) / ("er" * 40)
    server = machine.server("--data", str(data))
    ana = machine.client("Ana", "--at", server.at)
    ana.write(SECRET)
    ana.wait_line(SECRET)
    command = machine.run("pyrochat-server", "redact", "lobby", "2", "--data", str(data))
    assert command.wait() == 0, str(command)
    ana.wait_line("(operator) deleted #2")


def test_what_is_no_question_is_refused_and_ends_nothing(machine: Machine) -> None:
    server = machine.server()
    ana = machine.client("Ana")
    ana.write("olá")
    ana.wait_line("olá")
    [path] = (machine.folder / "data").glob("operator-*.sock")
    for line in (b"\n", b"{}\n", b"[" * 5000 + b"\n", b'{"do": "redact", "room": 1, "id": "x"}\n', b"\xff\xfe\n"):
        with connected(path) as asking:
            asking.sendall(line)
            assert b"error" in asking.recv(4096), line
    assert redact(machine, "lobby", "2").wait() == 0
    eventually(lambda: any("(operator) deleted #2" in line for line in ana.lines))
    with connected(path):  # and never a word: that keeps nobody from stopping
        stop(server)
