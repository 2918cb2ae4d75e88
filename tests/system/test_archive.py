"""A room that has become too large begins a new log: who is in it follows, and is told."""

from __future__ import annotations

import pyrochat
from tests.support import eventually
from tests.system.support import Machine, stop
from tests.system.test_restart import guest


def test_clients_follow_to_the_new_log_and_are_told(machine: Machine) -> None:
    server = machine.server()
    ana = machine.client("Ana", "--plain")
    ana.write("in the old log")
    ana.wait_line("Ana: in the old log")
    refused = machine.run("pyrochat-server", "archive", "lobby")
    assert refused.wait() == 1
    assert "another server has the log of room 'lobby' open" in refused.errors[-1]
    stop(server)

    done = machine.run("pyrochat-server", "archive", "lobby")
    assert done.wait() == 0, str(done)
    assert "room 'lobby': a new log begins; the old one, 2 messages (2:" in done.lines[0]
    [kept] = (machine.folder / "data" / "rooms").glob("lobby-until-2-*.sqlite3")
    assert str(kept) in done.lines[0]

    again = machine.server(port=server.port)
    ana.wait_error("it was archived or hosted anew")
    ana.write("in the new one")
    ana.wait_line("Ana: in the new one")
    assert ana.messages == ["#1 * Ana joined", "#2 Ana: in the old log", "#1 * Ana joined", "#2 Ana: in the new one"]
    with guest(again.uris["lobby"], "Igor") as igor:
        assert [message[3] for message in igor.history()] == ["Ana joined", "in the new one"]

    text = machine.folder / "old.txt"
    exported = machine.run("pyrochat-server", "export", str(kept), str(text))
    assert (exported.wait(), exported.lines) == (0, [f"2 messages in {text}"])
    assert "Ana: in the old log" in text.read_text()


def test_a_session_of_the_old_log_is_told_that_it_was_archived(machine: Machine) -> None:
    server = machine.server()
    with pyrochat.join("Erick", at=server.at) as chat:
        chat.send("in the old log")
        stop(server)
        assert machine.run("pyrochat-server", "archive", "lobby").wait() == 0
        again = machine.server(port=server.port)
        eventually(lambda: chat.state == "refused", 30)
        assert "was archived at message 2, and has begun a new log" in str(chat.refusal)
        with chat.join_room("lobby") as fresh:
            assert [message.text for message in fresh.history()] == ["Erick joined"]
        stop(again)
