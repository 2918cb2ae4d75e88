"""Closed and direct rooms as people type them, in processes of their own, over a restart of the server."""

from __future__ import annotations

from pathlib import Path

import pyrochat
from tests.support import eventually
from tests.system.support import Machine, Process, stop


def client(machine: Machine, name: str, *arguments: str) -> Process:
    """*name*'s own client, with a key of its own."""
    return machine.client(name, *arguments, env={"PYROCHAT_CONFIG_DIR": str(machine.folder / f"config-{name}")})


def asked(machine: Machine, name: str, at: str, *lines: str, room: str = "lobby") -> Process:
    """What *name* is answered to *lines*."""
    process = client(machine, name, "--at", at, "--room", room, "--history", "0")
    process.write(*lines)
    assert process.finish() in (0, 1), str(process)
    return process


def test_lines_make_a_closed_room_and_nobody_else_sees_it(machine: Machine) -> None:
    server = machine.server("--new-rooms", "members")
    at = server.at
    igor, eve = client(machine, "Igor", "--at", at), client(machine, "Eve", "--at", at)
    ana = client(machine, "Ana", "--at", at)
    ana.write("/create plans Igor", "/rooms")
    ana.wait_line("-- the closed room plans is there for you and Igor")
    ana.wait_line("-- 2 rooms: lobby, plans")
    igor.wait_error("warning: Ana has let you into the closed room 'plans': join it")
    plans = client(machine, "Ana", "--at", at, "--room", "plans")
    plans.write("for two", "/invite Eve", "/invite Zoe")
    plans.wait_line("-- Eve may enter plans now")
    plans.wait_error("error: nobody with a key is called 'Zoe' here")
    eve.wait_error("warning: Ana has let you into the closed room 'plans': join it")
    of_eve = client(machine, "Eve", "--at", at, "--room", "plans")
    of_eve.wait_line("for two")
    plans.write("/remove Eve")
    plans.wait_line("-- Eve is shut out of plans now")
    of_eve.wait_error("can't come back: you were removed from this room")
    assert of_eve.finish() == 0
    plans.write("for two again")
    plans.wait_line("for two again")
    assert not [line for line in of_eve.lines if "again" in line]
    eve.write("/rooms", "/search two")
    eve.wait_line("-- 1 room: lobby")
    eve.wait_line("-- search: 0 messages")
    refused = machine.run(
        "pyrochat-client", "Eve", "--at", at, "--room", "plans",
        env={"PYROCHAT_CONFIG_DIR": str(machine.folder / "config-Eve")},
    )  # fmt: skip
    assert refused.wait() == 1
    assert refused.complaints == [f"pyrochat-client: there is no room 'plans' at {at}; it has lobby"]


def test_what_two_say_to_each_other(machine: Machine) -> None:
    server = machine.server()
    igor, ana = client(machine, "Igor", "--at", server.at), client(machine, "Ana", "--at", server.at)
    igor.wait_line("Ana joined")
    ana.write("/msg igor between us", "for all")
    ana.wait_line("[Ana+Igor] #2")
    igor.wait_error("warning: Ana has opened a direct room with you: Ana+Igor")
    igor.wait_line("Ana: for all")
    assert not [line for line in igor.lines if "between us" in line]
    igor.write("/msg Ana")
    igor.wait_line("Ana: between us")
    igor.write("/msg Ana really")
    assert ana.wait_line("really").startswith("[Ana+Igor] #")
    for wrong, why in (
        ("/msg", "the name has 0 characters"),
        ("/msg Zoe hi", "nobody with a key"),
        ("/msg Ana hi", "that is you"),
    ):
        ana.write(wrong)
        ana.wait_error(f"error: {why}")
    assert (ana.finish(), igor.finish()) == (1, 0)
    stop(server)
    server = machine.server("--port", str(server.port))
    direct = asked(machine, "Igor", server.at, "/history 50", "/who", room="ana+igor")
    assert [line for line in direct.lines if "really" in line or "between us" in line] != []
    assert machine.run("pyrochat-server", "--data", str(machine.folder / "data"), "--verify").wait() == 0


def test_the_operator_sees_closed_rooms_and_their_logs(machine: Machine) -> None:
    data = machine.folder / "data"
    server = machine.server("--new-rooms", "members")
    client(machine, "Igor", "--at", server.at)
    ana = client(machine, "Ana", "--at", server.at)
    ana.write("/create plans Igor", "/msg Igor the password is swordfish")
    ana.wait_line("swordfish")
    listed = machine.run("pyrochat-server", "rooms", "list", "--data", str(data))
    assert listed.wait() == 0
    [direct] = [line.split()[0] for line in listed.lines if "Ana+Igor" in line]
    assert [line for line in listed.lines if line.rstrip().endswith("plans")]
    redacted = machine.run("pyrochat-server", "redact", direct, "2", "--data", str(data))
    assert redacted.wait() == 0, str(redacted)
    ana.wait_line("(operator) deleted #2")
    assert holding(data, b"swordfish") == []
    verified = machine.run("pyrochat-server", "--data", str(data), "--room", direct, "--verify")
    assert verified.wait() == 0, str(verified)
    stop(server)
    copy = machine.folder / "copy.sqlite3"
    assert machine.run("pyrochat-server", "--data", str(data), "--room", direct, "--backup", str(copy)).wait() == 0
    assert machine.run("pyrochat-server", "archive", direct, "--data", str(data)).wait() == 0
    server = machine.server("--port", str(server.port))
    ana.write("/msg Igor in the new log")
    ana.wait_line("in the new log")
    stop(server)
    forgotten = machine.run("pyrochat-server", "rooms", "forget", direct, "--data", str(data))
    assert forgotten.wait() == 0
    assert forgotten.lines == [f"{direct} is not hosted at the next start; its log stays"]
    server = machine.server()
    with pyrochat.join("Zoe", at=server.at) as zoe:
        eventually(lambda: zoe.rooms() == ["lobby"])


def holding(folder: Path, text: bytes) -> list[str]:
    """The files in *folder* that have *text*."""
    return [path.name for path in folder.rglob("*") if path.is_file() and text in path.read_bytes()]


def test_scripts_read_it_as_json(machine: Machine) -> None:
    server = machine.server("--new-rooms", "members")
    client(machine, "Igor", "--at", server.at)
    ana = client(machine, "Ana", "--at", server.at, "--json", "--history", "0")
    ana.write("/create plans Igor", "/msg Igor hi", "/rooms", "/invite Igor")
    ana.wait_line('"rooms"')
    by_type = {each["type"]: each for each in ana.objects if each["type"] != "message"}
    assert by_type["created"] == {"type": "created", "room": "plans", "members": ["Igor"]}
    assert by_type["rooms"]["rooms"] == ["lobby", "plans", "Ana+Igor"]
    assert [(each["room"], each["text"]) for each in ana.objects if each.get("kind") == "chat"] == [("Ana+Igor", "hi")]
    ana.wait_error("this room is open to everybody")
