"""Damage behind later messages: it is named while the server runs, posts stop, and a backup repairs it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.system.support import Machine, stop
from tests.system.test_restart import guest


def log_of(machine: Machine) -> Path:
    return machine.folder / "data" / "rooms" / "lobby.sqlite3"


def damaged(machine: Machine) -> Path:
    """A log of ten messages, of which the third was changed; the backup that it is repaired from has eight."""
    backup = machine.folder / "backup.sqlite3"
    server = machine.server()
    with guest(server.uris["lobby"]) as ana:
        ana.post_many([f"text {number}" for number in range(1, 9)])
        assert machine.run("pyrochat-server", "--backup", str(backup)).wait() == 0
        ana.post_many(["text 9", "text 10"])
    stop(server)
    with closing(sqlite3.connect(log_of(machine))) as db:
        db.execute("UPDATE messages SET text = 'forged' WHERE id = 3")
        db.commit()
    return backup


def test_what_is_damaged_is_named_stops_the_room_and_is_repaired_from_a_backup(machine: Machine) -> None:
    backup = damaged(machine)
    server = machine.server()
    server.wait_error("room 'lobby' has lost messages (message 3 was changed: its digest does not fit)")
    with guest(server.uris["lobby"]) as ana:
        with pytest.raises(RuntimeError, match=r"log-lost: .*pyrochat-server repair"):
            ana.post("not now")
        assert len(ana.history()) == 10, "what is there can be read"
    refused = machine.run("pyrochat-server", "repair", "lobby", "--from", str(backup))
    assert refused.wait() == 1
    assert "another server has the log of room 'lobby' open" in refused.errors[-1]
    stop(server)

    repaired = machine.run("pyrochat-server", "repair", "lobby", "--from", str(backup))
    assert repaired.wait() == 0, str(repaired)
    assert "repaired 1 message (3), the log is whole: 10:" in repaired.lines[0]
    again = machine.server()
    with guest(again.uris["lobby"]) as ana:
        assert [message[3] for message in ana.history()] == [f"text {number}" for number in range(1, 11)]
        assert ana.post("it goes on")[0] == 11
    stop(again)
    verified = machine.run("pyrochat-server", "--verify")
    assert verified.lines[0].startswith("room 'lobby': 11 messages, whole; ")
    nothing = machine.run("pyrochat-server", "repair", "lobby", "--from", str(backup))
    assert (nothing.wait(), nothing.lines) == (0, ["room 'lobby': nothing is damaged in its 11 messages"])


def test_who_is_in_the_room_is_told_and_who_repairs_wrongly_too(machine: Machine) -> None:
    damaged(machine)
    server = machine.server()
    ana = machine.start("pyrochat-client", "Ana", "--plain")  # before or after the damage is found
    ana.wait_error("has lost messages (message 3")
    stop(server)
    for arguments, code, text in (
        (["lobby"], 2, "--from"),
        (["lobby", "--from", "nowhere.sqlite3"], 1, "there is no backup nowhere.sqlite3"),
        (["kitchen", "--from", str(log_of(machine))], 1, "there is no log"),
    ):
        told = machine.run("pyrochat-server", "repair", *arguments)
        assert told.wait() == code, str(told)
        assert text in told.errors[-1], str(told)
