"""Total order: many processes send as fast as they can, and every replica is the same."""

from __future__ import annotations

import json

from tests.system.support import Machine

SENDERS, MESSAGES = 8, 150

SENDER = """
import json, sys
from pyrochat import join

name, at, senders, messages = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
with join(name, at=at) as chat:
    print("joined", flush=True)
    sys.stdin.readline()
    sent = [chat.send(f"{name} {number}").id for number in range(messages)]
    chat.wait_for(id=senders + senders * messages, timeout=60)
    replica = [[m.id, m.sender, m.text, m.kind] for m in chat.history()]
    print(json.dumps({"sent": sent, "replica": replica}), flush=True)
    sys.stdin.readline()
"""


def test_eight_processes_that_send_at_once_end_with_the_same_replica(machine: Machine) -> None:
    server = machine.server()
    names = [f"sender{number}" for number in range(SENDERS)]
    senders = [machine.python(SENDER, name, server.at, str(SENDERS), str(MESSAGES)) for name in names]
    for sender in senders:
        sender.wait_line("joined")
    for sender in senders:
        sender.write("go")
    results = [json.loads(sender.wait_line("{", timeout=90)) for sender in senders]
    for sender in senders:
        assert sender.finish() == 0, str(sender)

    replica = results[0]["replica"]
    assert [id for id, *_ in replica] == list(range(1, SENDERS + SENDERS * MESSAGES + 1))
    for name, result in zip(names, results, strict=True):
        assert result["replica"] == replica
        own = [(id, text) for id, sender, text, kind in replica if sender == name and kind == "chat"]
        assert own == list(zip(result["sent"], [f"{name} {n}" for n in range(MESSAGES)], strict=True))
    assert len({sender for _, sender, *_ in replica[-SENDERS * MESSAGES // 2 :]}) > 1, "they did send at once"
