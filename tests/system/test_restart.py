"""A server that is stopped, or killed, or whose files are taken away: nothing is lost, repeated or renumbered unnoticed."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from Pyro5.api import Proxy

import pyrochat
from pyrochat.storage import witness
from tests.support import copied, eventually
from tests.system.support import Machine, free_port

NAMES = ["Ana", "Igor", "Zoë"]
BEFORE, AFTER = 30, 30  # acknowledged messages of each before, and after, the server is gone

SENDER = """
import json, sys, threading
from pyrochat import join

name, at = sys.argv[1:]
with join(name, at=at) as chat:
    states, acknowledged, enough = [], [], threading.Event()

    @chat.on_state
    def take_down(state, reason):
        states.append(state)

    @chat.on_message(after=0)
    def show(message):  # what is shown counts as read
        pass

    threading.Thread(target=lambda: (sys.stdin.readline(), enough.set())).start()
    while not enough.is_set():
        message = chat.send(f"{name} {len(acknowledged)}")
        acknowledged.append([message.id, message.text])
        print("acknowledged", len(acknowledged), flush=True)
    print("last", message.id, flush=True)
    last = int(sys.stdin.readline())
    chat.wait_for(id=last, timeout=30)
    replica = [[m.id, m.sender, m.text, m.kind] for m in chat.history() if m.id <= last]
    report = {"acknowledged": acknowledged, "replica": replica, "states": states, "members": chat.members}
    print(json.dumps(report), flush=True)
    sys.stdin.readline()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_chat_goes_on_where_it_was(machine: Machine, number: int) -> None:
    port = free_port()
    server = machine.server("--grace", "60", port=port)
    senders = [machine.python(SENDER, name, server.at) for name in NAMES]
    for sender in senders:
        sender.wait_line(f"acknowledged {BEFORE}")
    server.signal(number)
    assert server.wait(20) == (0 if number == signal.SIGTERM else -signal.SIGKILL)

    again = machine.server("--grace", "60", port=port)
    assert again.uris == server.uris
    for sender in senders:
        so_far = len(sender.lines)
        sender.wait_lines(lambda line: line.startswith("acknowledged"), so_far + AFTER)
    for sender in senders:
        sender.write("enough")
    last = max(int(sender.wait_line("last ").split()[1]) for sender in senders)
    for sender in senders:
        sender.write(str(last))
    reports = [json.loads(sender.wait_line("{")) for sender in senders]

    with pyrochat.join("Watcher", at=again.at, read="manual") as watcher:
        first = next(m for m in watcher.history() if m.text == "Ana 0" and m.sender == "Ana")
        everybody = {m.sender for m in watcher.history(after=0) if m.kind == "system" and m.id <= first.id} - {"Ana"}
        eventually(lambda: watcher.confirmations(first.id).read_by == everybody, 15, "the marks did not go on")
        log = [[m.id, m.sender, m.text, m.kind] for m in watcher.history() if m.id <= last]
    for sender in senders:
        assert sender.finish() == 0, str(sender)

    assert [id for id, *_ in log] == list(range(1, last + 1))
    assert sorted(text for *_, text, kind in log if kind == "system") == [f"{name} joined" for name in NAMES]
    for name, report in zip(NAMES, reports, strict=True):
        assert report["replica"] == log
        own = [[id, text] for id, sender, text, kind in log if sender == name and kind == "chat"]
        assert own == report["acknowledged"], "each acknowledged message once, in its place"
        assert report["states"][0] == "reconnecting"
        assert report["states"][-1] == "connected"
        assert sorted(report["members"]) == NAMES


def test_a_server_that_was_killed_keeps_marks_and_the_view(machine: Machine) -> None:
    port = free_port()
    server = machine.server(port=port)
    with pyrochat.join("Ana", at=server.at) as ana, pyrochat.join("Igor", at=server.at) as igor:
        message = ana.send("read this")
        igor.wait_for(message.id, 20)
        igor.unread()
        eventually(lambda: ana.confirmations(message.id).read_by == {"Igor"})
        server.kill()
        eventually(lambda: ana.state == igor.state == "reconnecting")
        machine.server(port=port)
        eventually(lambda: ana.state == igor.state == "connected", 15)
        assert ana.confirmations(message.id).read_by == {"Igor"}
        assert ana.members == ["Ana", "Igor"]
        assert [m.text for m in igor.history()] == ["Ana joined", "Igor joined", "read this"]


def guest(uri: str, name: str = "Ana") -> Proxy:
    proxy = Proxy(uri)
    proxy._pyroHandshake = {"name": name}
    return proxy


def test_found_13_a_lost_tail_is_noticed_although_the_room_was_idle(machine: Machine) -> None:
    """Nobody has joined, so nobody's marks tell: only the witness knows what was acknowledged last."""
    log = machine.folder / "data" / "rooms" / "lobby.sqlite3"
    wal = log.with_name(f"{log.name}-wal")
    server = machine.server()
    with guest(server.uris["lobby"]) as ana:
        ana.post("stays")
        whole = wal.stat().st_size
        ana.post("is lost")

    def witnessed() -> bool:
        seen = witness.read(log)
        return seen is not None and seen.tail == 2

    eventually(witnessed, message="what was acknowledged last is not witnessed while the room is idle")
    server.kill()
    os.truncate(wal, whole)

    again = machine.server()
    again.wait_error("has lost messages (it had message 2 when it was closed or last looked at, now it ends at 1)")
    with guest(again.uris["lobby"]) as ana:
        with pytest.raises(RuntimeError, match="log-lost: "):
            ana.post("would be message 2 once more")
        assert [message[3] for message in ana.history()] == ["stays"]


def delete(data: Path) -> None:
    gone = data.rename(data.with_name("gone"))  # first: the server may be making a file there
    shutil.rmtree(gone)


def replace(data: Path) -> None:
    gone = data.rename(data.with_name("gone"))
    copied(gone, data)


@pytest.mark.parametrize("take", [delete, replace])
def test_found_22_a_server_whose_folder_is_taken_away_says_so_and_takes_nothing(
    machine: Machine, take: Callable[[Path], None]
) -> None:
    server = machine.server()
    with guest(server.uris["lobby"]) as ana, guest(server.uris["lobby"], "Igor") as igor:
        ana.post("before")
        take(machine.folder / "data")
        server.wait_error("CRITICAL room lobby: THE LOG IS NOT IN ITS PLACE ANY MORE")  # before anybody posts
        server.wait_error("CRITICAL the register of names: IT IS NOT IN ITS PLACE ANY MORE")
        for member in (ana, igor):
            for _ in range(3):
                with pytest.raises(RuntimeError, match=r"log-unavailable: .*nothing was stored"):
                    member.post("after")
        assert [message[3] for message in igor.history()] == ["before"]
    assert len([line for line in server.errors if "NOT IN ITS PLACE" in line]) == 2, str(server)
    server.signal(signal.SIGTERM)
    assert server.wait(20) == 0, str(server)


def test_found_22_a_second_server_on_the_same_log_by_a_hard_link_is_refused(machine: Machine) -> None:
    machine.server()
    other = machine.folder / "other" / "rooms"
    other.mkdir(parents=True)
    os.link(machine.folder / "data" / "rooms" / "lobby.sqlite3", other / "lobby.sqlite3")
    second = machine.run("pyrochat-server", "--port", "0", "--data", str(other.parent))
    assert second.wait() == 1
    assert second.complaints[0].startswith("pyrochat-server: another server has the log of room 'lobby' open")
