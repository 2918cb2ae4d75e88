"""Rooms on demand, as an operator and members see them: options, restarts, the list, forgetting."""

from __future__ import annotations

import pyrochat
from tests.system.support import Machine, free_port, stop


def test_a_room_that_a_member_creates_outlives_the_server(machine: Machine) -> None:
    port = free_port()
    server = machine.server("--new-rooms", "members", port=port)
    with pyrochat.join("Erick", at=server.at) as erick:
        erick.create_room("coffee")
    igor = machine.client("Igor", "--room", "coffee")
    igor.write("found by the name server")
    assert igor.finish() == 0
    stop(server)

    again = machine.server(port=port, rooms=2)
    assert "room 'coffee' ready at " in "\n".join(again.lines)
    found = machine.run("pyrochat-client", "Igor", "--room", "coffee")
    assert "Igor: found by the name server" in found.bodies, str(found)
    stop(again)

    listed = machine.run("pyrochat-server", "rooms", "list")
    assert listed.lines[1].split()[:2] == ["coffee", "Erick"]
    assert machine.run("pyrochat-server", "rooms", "forget", "Coffee").wait() == 0
    assert machine.run("pyrochat-server", "rooms", "list").lines == ["no room was created yet"]
    assert list(machine.server(port=port).uris) == ["lobby"]


def test_the_environment_says_who_may_too(machine: Machine) -> None:
    server = machine.server(env={"PYROCHAT_NEW_ROOMS": "members"})
    with pyrochat.join("Erick", at=server.at) as erick:
        erick.create_room("coffee")
        assert erick.rooms() == ["lobby", "coffee"]
    wrong = machine.run("pyrochat-server", "--new-rooms", "friends")
    assert wrong.wait() == 2
    assert "'members'" in wrong.complaints[0]


def test_found_18_a_room_of_28_chinese_letters_works_with_every_command(machine: Machine) -> None:
    name, hosted = "会" * 28, "ก" * 32
    port = free_port()
    server = machine.server("--new-rooms", "members", "--room", hosted, port=port)
    with pyrochat.join("Erick", room=hosted, at=server.at) as erick:
        erick.create_room(name)
        with erick.join_room(name) as chat:
            said = chat.send("olá")
            assert [message.id for message in chat.search("olá")] == [said.id]
            assert chat.verify().whole
    igor = machine.client("Igor", "--room", name)  # by the name server
    igor.write("here too", "/search olá")
    assert igor.finish() == 0
    assert "Igor: here too" in igor.bodies
    stop(server)

    again = machine.server("--room", hosted, port=port, rooms=2)
    assert name in again.uris
    target = machine.folder / "copy.sqlite3"
    for arguments in (("--verify", "--room", name, "--room", hosted), ("--backup", str(target), "--room", name)):
        done = machine.run("pyrochat-server", *arguments)
        assert done.wait() == 0, str(done)
        assert f"room {name!r}: 6 messages" in done.lines[0], str(done)
    stop(again)
    listed = machine.run("pyrochat-server", "rooms", "list")
    assert listed.lines[1].split()[:2] == [name, "Erick"]
    assert machine.run("pyrochat-server", "rooms", "forget", name).wait() == 0
