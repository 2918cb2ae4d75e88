"""How a plain client ends, as a process: nothing that was typed is lost without a word, nothing unwritten is confirmed."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

import pyrochat
from tests.support import eventually
from tests.system.support import Machine, Process, ServerProcess

WAYS = ["SIGTERM", "SIGINT", "SIGHUP", "end of input"]


def end(client: Process, way: str) -> None:
    if way == "end of input":
        client.end_input()
    else:
        client.signal(getattr(signal, way))


def kill(server: ServerProcess) -> None:
    server.kill()


def hang(server: ServerProcess) -> None:
    server.signal(signal.SIGSTOP)


def test_found_20_with_the_server_away_it_says_what_was_not_sent(machine: Machine) -> None:
    """All four at once: each waits a few seconds for the room to come back."""
    server = machine.server()
    clients = [machine.client(f"Ana-{way[-3:]}") for way in WAYS]
    kill(server)
    typed = [f"line {number}" for number in range(24)]
    for client, way in zip(clients, WAYS, strict=True):
        client.wait_error("connection lost")
        client.write("x" * 5000, *typed)
        end(client, way)
    for client in clients:
        assert client.wait(20) == 1, str(client)
        said = [line for line in client.errors if "sent" in line]
        assert said == [
            "error: 25 lines were not sent, the room did not answer: send them when it is back",
            f"not sent: {'x' * 100}…",
            *(f"not sent: {line}" for line in typed[:19]),
            "not sent: 5 more",
        ]
        assert "Traceback" not in str(client)


def test_found_20_with_a_server_that_hangs_it_says_what_may_not_be_sent(machine: Machine) -> None:
    server = machine.server()
    clients = [machine.client(f"Ana-{way[-3:]}") for way in WAYS]
    hang(server)
    for client, way in zip(clients, WAYS, strict=True):
        client.write("is this sent?")
        end(client, way)
    for client in clients:
        assert client.wait(20) == 1, str(client)
        assert client.complaints == ["error: 1 line was not sent, the room did not answer: send them when it is back"]
        assert client.errors[-1] == "perhaps not sent: is this sent?"


def test_found_20_with_the_server_there_all_is_sent_and_delivered_back(machine: Machine) -> None:
    machine.server()
    watcher = machine.client("watcher")
    for way in WAYS:
        name = f"Ana-{way[-3:]}"
        client = machine.client(name)
        sent = [f"{name}: line {number}" for number in range(300)]
        client.write(*(f"line {number}" for number in range(300)))
        end(client, way)
        assert client.wait(20) == 0, str(client)
        assert [body for body in client.bodies if body.startswith(f"{name}: ")] == sent
        assert client.errors == [f"joined room lobby as {name}"]
        watcher.wait_line(f"* {name} left")
        assert [body for body in watcher.bodies if body.startswith(f"{name}: ")] == sent


def test_who_has_nothing_to_send_ends_well_without_the_server(machine: Machine) -> None:
    server = machine.server()
    clients = [machine.client(f"Ana-{way[-3:]}") for way in WAYS]
    kill(server)
    for client, way in zip(clients, WAYS, strict=True):
        client.wait_error("connection lost")
        end(client, way)
    for client in clients:
        assert client.wait(20) == 0, str(client)
        assert not client.complaints


def at_most(size: int) -> Callable[[], None]:
    """For a process whose files can't grow beyond *size* bytes: as on a disk that is full."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("form", ["--json", "--plain"])
def test_found_19_with_a_full_disk_nothing_that_was_not_written_is_read(machine: Machine, form: str) -> None:
    server = machine.server()
    log = machine.folder / "out"
    with log.open("wb") as out, pyrochat.join("sender", at=server.at) as sender:
        logger = machine.client("logger", form, "--at", server.at, stdout=out, preexec_fn=at_most(20_000))
        sent = [sender.send(f"lost {number} " + "x" * 3000) for number in range(40)]
        assert logger.wait(20) == 1, str(logger)
        whole = log.read_text().split("\n")[:-1]
        assert 0 < len(whole) < 40
        written = {message for message in sent if any(message.text in line for line in whole)}
        for message in sent:
            found = sender.confirmations(message.id)
            assert found.read_by == ({"logger"} if message in written else set()), message.id
    assert logger.errors[1:] == [
        f"error: can't write to standard output (File too large): nothing after #{max(m.id for m in written)} was written "
        "whole, nor counts as read; make room there, and join again"
    ]


def test_found_19_an_output_that_takes_nothing_ends_it(machine: Machine) -> None:
    machine.server()
    with Path("/dev/full").open("wb") as full:
        client = machine.client("Ana", stdout=full)
        assert client.wait(20) == 1, str(client)
    assert client.complaints == [
        "error: can't write to standard output (No space left on device): nothing after #0 was written whole, nor counts "
        "as read; make room there, and join again"
    ]
    assert len(client.errors) == 2


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("program", [("pyrochat-server", "names", "list"), ("pyrochat-client", "--help")])
def test_found_19_no_command_takes_a_failed_write_for_done(
    machine: Machine, program: tuple[str, ...], unbuffered: str
) -> None:
    """Also where the output is small, and is written only at the very end."""
    with Path("/dev/full").open("wb") as full:
        command = machine.run(*program, stdout=full, env={"PYTHONUNBUFFERED": unbuffered})
    assert command.wait() == 1, str(command)
    assert len(command.errors) == 1
    assert command.errors[0].endswith("the output could not be written (No space left on device): see where it goes")
    reader, writer = os.pipe()
    os.close(reader)
    command = machine.run(*program, stdout=writer)
    os.close(writer)
    assert (command.wait(), command.errors) == (0, []), str(command)


def test_found_19_who_has_read_enough_ends_it_and_the_rest_is_not_read(machine: Machine) -> None:
    """Its input is still open: like ``pyrochat-client piped | head -1`` in a terminal."""
    server = machine.server()
    reader, writer = os.pipe()
    with pyrochat.join("sender", at=server.at) as sender, os.fdopen(reader, "rb") as lines:
        piped = machine.client("piped", "--at", server.at, stdout=writer)
        os.close(writer)
        message = sender.send("one")
        while b"one" not in lines.readline():
            pass
        eventually(lambda: sender.confirmations(message.id).read_by == {"piped"})
        piped.signal(signal.SIGSTOP)
        lines.close()
        unread = sender.send("two")
        piped.signal(signal.SIGCONT)
        assert piped.wait(20) == 0, str(piped)
        eventually(lambda: sender.members == ["sender"])
        assert sender.confirmations(unread.id).read_by == set()
    assert piped.errors == ["joined room lobby as piped"]


def test_found_19_nobody_needs_to_write_for_a_closed_pipe_to_be_seen(machine: Machine) -> None:
    machine.server()
    reader, writer = os.pipe()
    idle = machine.client("idle", stdout=writer)
    os.close(writer)
    os.close(reader)
    assert idle.wait(20) == 0, str(idle)
    assert idle.errors == ["joined room lobby as idle"]
