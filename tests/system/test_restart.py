"""A server that is stopped, or killed, while members send: nothing is lost, repeated or renumbered."""

from __future__ import annotations

import json
import signal

import pytest

import pyrochat
from tests.support import eventually
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
    assert server.wait(10) == (0 if number == signal.SIGTERM else -signal.SIGKILL)

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
        igor.wait_for(message.id, 10)
        igor.unread()
        eventually(lambda: ana.confirmations(message.id).read_by == {"Igor"})
        server.kill()
        eventually(lambda: ana.state == igor.state == "reconnecting")
        machine.server(port=port)
        eventually(lambda: ana.state == igor.state == "connected", 15)
        assert ana.confirmations(message.id).read_by == {"Igor"}
        assert ana.members == ["Ana", "Igor"]
        assert [m.text for m in igor.history()] == ["Ana joined", "Igor joined", "read this"]
