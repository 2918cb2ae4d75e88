"""What is unread, mentioned, confirmed and current is the same for a program, a bare Pyro5 call and the plain client; and
a text that was deleted is in no file any more, also when the server is killed right after it has said so."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from Pyro5.api import Proxy

import pyrochat
from pyrochat import Chat
from tests.support import eventually
from tests.system.support import Machine, Process, ServerProcess


class Ways:
    """What Igor, who is away, is told by each way in: by a program, by bare calls, by lines."""

    def __init__(self, machine: Machine, server: ServerProcess) -> None:
        self.machine, self.server = machine, server

    def unread(self) -> tuple[list[int], list[int]]:
        """Ids of what is unread, and of what of that mentions Igor; by a program, without marking it."""
        with pyrochat.join("Igor", at=self.server.at, read="never") as igor:
            assert igor.unread_count == len(igor.unread())
            return [message.id for message in igor.unread()], [message.id for message in igor.mentions()]

    def current(self, chat: Chat, id: int) -> list[object]:
        """What message *id* is now, which all ways have to agree on."""
        with Proxy(self.server.uris["lobby"]) as room:
            room._pyroHandshake = {"name": "Bare"}
            bare = room.current(id)
        plain = self.asked(f"/current {id}")
        by_line = [
            plain["text"],
            plain["is_edited"],
            [list(each) for each in plain["reactions"].items()],
            plain["replies"],
        ]
        assert chat.current(id).to_wire() == bare == by_line
        return bare  # type: ignore[no-any-return]

    def confirmations(self, chat: Chat, id: int) -> list[list[str]]:
        """The same of its confirmations."""
        with Proxy(self.server.uris["lobby"]) as room:
            room._pyroHandshake = {"name": "Bare"}
            bare = room.confirmations(id)
        plain = self.asked(f"/confirmations {id}")
        by_line = [plain[group] for group in ("delivered_to", "read_by", "waiting_for", "away")]
        assert chat.confirmations(id).to_wire() == bare == by_line
        return bare  # type: ignore[no-any-return]

    def asked(self, line: str) -> dict[str, object]:
        """What the plain client, as Ana who is here already, answers to *line*."""
        asker = self.machine.run(
            "pyrochat-client", "Ana", "--at", self.server.at, "--json", "--history", "0", typed=line
        )
        return next(found for found in asker.objects if found["type"] == line[1:].split()[0])


def plain(machine: Machine, server: ServerProcess, name: str, *lines: str) -> Process:
    return machine.run("pyrochat-client", name, "--at", server.at, typed="\n".join(lines))


def test_two_members_and_a_restart(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYROCHAT_CONFIG_DIR", "PYROCHAT_DATA"):
        monkeypatch.setenv(name, machine.environment[name])
    server = machine.server()
    ways = Ways(machine, server)
    with pyrochat.join("Ana", at=server.at) as ana:
        plain(machine, server, "Igor", "hi")
        first = ana.send("one")
        second = ana.send("two, @Igor")
        assert ways.unread() == ([first.id, second.id], [second.id])
        assert ways.confirmations(ana, first.id) == [["Igor"], [], [], ["Igor"]]
        ana.edit(first.id, "one!")
        assert ways.current(ana, first.id) == ["one!", True, [], []]
    server.kill()
    server = machine.server(port=server.port)
    with pyrochat.join("Ana", at=server.at) as ana:
        ways = Ways(machine, server)
        assert ways.unread() == ([first.id, second.id], [second.id])
        shown = plain(
            machine,
            server,
            "Igor",
            f"/reply {first.id} yes",
            f"/react #{first.id} 👍",
            f"/react {second.id} 👍",
            "/topic tea",
            "mine",
            "/edit mine!",
        )
        assert shown.complaints == []
        eventually(lambda: ana.history()[-1].change == "left")
        assert ways.unread() == ([], []), "it was shown"
        assert ways.confirmations(ana, second.id) == [["Igor"], ["Igor"], [], []]
        replies = [message.id for message in ana.history() if message.about == first.id and message.kind == "chat"]
        assert ways.current(ana, first.id) == ["one!", True, [["👍", ["Igor"]]], replies]
        assert ana.topic == "tea"
        ana.redact(first.id)
        assert ways.current(ana, first.id) == [None, True, [["👍", ["Igor"]]], replies]
        told = [line.partition(" ")[2].partition(" ")[2] for line in plain(machine, server, "Zoë").lines]
    assert {
        "Ana: (deleted)", f"Ana edited #{first.id}: (deleted)", f"Igor to #{first.id}: yes", f"Igor 👍 #{first.id}",
        "* Igor set the topic: tea", f"Ana deleted #{first.id}", "Igor: mine",
    } <= set(told)  # fmt: skip
    assert [line for line in told if line.startswith("Igor edited #") and line.endswith(": mine!")]


def files_with(folder: Path, word: str) -> list[str]:
    found = subprocess.run(["grep", "-rlai", word, str(folder)], capture_output=True, text=True, check=False)
    return found.stdout.splitlines()


def test_a_deleted_text_is_in_no_file_also_after_kill_9(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYROCHAT_CONFIG_DIR", "PYROCHAT_DATA"):
        monkeypatch.setenv(name, machine.environment[name])
    data = machine.folder / "server"
    server = machine.server("--data", str(data))
    ana = pyrochat.join("Ana", at=server.at)
    kept = [f"filler number{number}" for number in range(500)]
    ana.send_many(kept)
    secret = ana.send("the first zebracrossing and more")
    edit = ana.edit(secret.id, "the second giraffehouse")
    alone = ana.send("a third okapigarden, " * 300)
    assert [m.id for m in ana.search("giraffehouse")] == [secret.id]
    assert [m.id for m in ana.search("okapigarden")] == [alone.id]
    words = ("zebracrossing", "giraffehouse", "okapigarden")
    assert all(files_with(data, word) for word in words), "this can fail"
    ana.redact(alone.id)
    ana.redact(edit.id)
    server.kill()
    assert [found for word in words for found in files_with(data, word)] == []
    server = machine.server("--data", str(data), port=server.port)
    assert [found for word in words for found in files_with(data, word)] == []
    assert [list(ana.search(word)) for word in words] == [[], [], []]
    assert [m.text for m in ana.search("number499")] == [kept[-1]]
    assert ana.verify().whole
    target = machine.folder / "export.jsonl"
    machine.run("pyrochat-client", "Igor", "--at", server.at, typed=f"/export {target}")
    assert len([json.loads(line) for line in target.read_text().splitlines()]) > 500
    assert [found for word in words for found in files_with(machine.folder, word)] == []
    ana.leave()
