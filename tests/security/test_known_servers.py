"""The servers that a client knows: remembered at the first join, refused when they are others, forgotten by the user."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from Pyro5 import config

import pyrochat
from pyrochat import Chat, PyroChatError, Server
from pyrochat.client.known import KnownServer, KnownServers
from pyrochat.pyro.connection import shut_down
from pyrochat.pyro.naming import NameServer
from pyrochat.trust.keys import Key
from pyrochat.values.errors import InvalidArgument, Unavailable, UntrustedServer
from tests.security.support import Impostor, honest_answer
from tests.support import QUICK, eventually, texts, together
from tests.system.support import Machine, Process, free_port

LOUD = "IS NOT ON THE SERVER THAT YOU KNOW"


@pytest.fixture
def nameserver(monkeypatch: pytest.MonkeyPatch) -> NameServer:
    """Where the tests' name server will be, which the first server starts."""
    monkeypatch.setattr(config, "NS_PORT", free_port())
    return NameServer()


@pytest.fixture
def registered(data: Path, nameserver: NameServer) -> Iterator[Server]:
    with pyrochat.host("lobby", data=data, timing=QUICK) as server:
        yield server


def by_name(name: str, **options: object) -> Chat:
    return pyrochat.join(name, timing=QUICK, **options)  # type: ignore[arg-type]


# -- a name server that somebody has rewritten -----------------------------------------------------------------------


def test_an_impostor_in_the_name_server_is_refused_loudly_and_gets_nothing(
    registered: Server, nameserver: NameServer, config_dir: Path
) -> None:
    known_as = f"lobby by {nameserver}"
    with by_name("Ana") as ana:
        ana.send("a secret")
    with Impostor(honest_answer(Key.made(), password=True)) as impostor:
        nameserver.register({"pyrochat.lobby": impostor.uri})
        with pytest.raises(UntrustedServer, match=LOUD) as caught:
            by_name("Ana", password="not for you")
        assert "pyrochat servers forget lobby (in Python: join(..., accept_new_key=True))" in str(caught.value)
        assert impostor.calls == []
        KnownServers(config_dir / "known_servers.json").forget(known_as)
        with pytest.raises(PyroChatError):  # now it is believed, and is no room after all
            by_name("Ana", password="for whoever is believed")
        assert impostor.calls[:2] == ["prove", "join"]


def test_a_chat_that_comes_back_does_not_follow_a_rewritten_name_server(
    registered: Server, nameserver: NameServer
) -> None:
    states: list[tuple[str, str]] = []
    with by_name("Ana") as ana, Impostor(honest_answer(Key.made())) as impostor:
        ana.on_state(lambda state, reason: states.append((state, reason)))
        real = registered.uri("lobby")
        nameserver.register({"pyrochat.lobby": impostor.uri})
        assert ana._session._served is not None
        shut_down(ana._session._served.sock)
        eventually(lambda: any(LOUD in reason for _, reason in states))
        assert impostor.calls == []
        nameserver.register({"pyrochat.lobby": real})
        sent = ana.send("to the right one", timeout=20)
        assert ana.wait_for(sent.id, timeout=20) == sent
        assert impostor.calls == []


def test_a_room_that_has_moved_with_its_key_is_followed(registered: Server, nameserver: NameServer, data: Path) -> None:
    with by_name("Ana") as ana:
        ana.send("before")
        registered.close()
        with pyrochat.host("lobby", data=data, timing=QUICK) as moved:
            assert moved.at != registered.at
            ana.send("after", timeout=20)
            eventually(lambda: texts(ana.history()) == ["before", "after"])


def test_a_room_of_another_name_server_is_another_room(registered: Server, config_dir: Path, tmp_path: Path) -> None:
    with by_name("Ana"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(config, "NS_PORT", free_port())
        with pyrochat.host("lobby", data=tmp_path / "other", timing=QUICK), by_name("Ana") as other:
            assert other.members == ["Ana"]
        assert len(KnownServers(config_dir / "known_servers.json").all()) == 2


def test_a_server_that_the_user_names_by_its_certificate_takes_the_place_of_the_known_one(
    registered: Server, nameserver: NameServer, tmp_path: Path
) -> None:
    with by_name("Ana"):
        pass
    with pyrochat.host("lobby", data=tmp_path / "tls", nameserver=False, timing=QUICK, tls=True) as secure:
        nameserver.register({"pyrochat.lobby": secure.uri("lobby")})
        with pytest.raises(PyroChatError, match="this server speaks TLS"):
            by_name("Ana")
        for pin in (secure.fingerprint, None):
            with by_name("Ana", fingerprint=pin) as ana:
                assert ana.members == ["Ana"]
        nameserver.register({"pyrochat.lobby": registered.uri("lobby")})
        with pytest.raises(UntrustedServer, match="no TLS connection"):
            by_name("Ana")  # once TLS, always TLS


# -- in real processes, at two addresses -----------------------------------------------------------------------------


def refused(process: Process) -> str:
    assert process.wait() == 1, str(process)
    [complaint] = process.errors
    assert process.lines == []
    return complaint


def test_forgetting_heals_a_room_that_has_moved_to_another_server(machine: Machine) -> None:
    machine.nameserver()
    first = machine.server("--host", "127.0.0.2")
    machine.run("pyrochat-client", "Ana", typed="hi")
    listed = machine.run("pyrochat", "servers", "list")
    [line] = listed.lines
    place, _, key = line.partition(": key ")
    assert place == f"lobby by localhost:{machine.nameserver_port}"
    with Impostor(honest_answer(Key.made())) as impostor:
        NameServer(("localhost", machine.nameserver_port)).register({"pyrochat.lobby": impostor.uri})
        complaint = refused(machine.run("pyrochat-client", "Ana", typed="a secret"))
        assert f"ROOM lobby AT {impostor.at} {LOUD}" in complaint
        assert impostor.calls == []
        advice = complaint.partition("say: ")[2].partition(" (in Python")[0]
        assert advice == "pyrochat servers forget lobby"
    first.kill()
    theirs = machine.folder / "moved"
    moved = machine.server("--data", str(theirs), "--server-key", str(theirs / "key.pem"))
    assert key not in refused(machine.run("pyrochat-client", "Ana"))
    healed = machine.shell(f"exec {advice}")  # as it was advised
    assert healed.finish() == 0
    assert healed.lines == ["lobby is forgotten"]
    machine.client("Ana").wait_line("* Ana joined")
    assert moved.at.startswith("localhost:")


def test_found_28_another_data_folder_of_the_same_user_is_no_alarm(nameserver: NameServer, tmp_path: Path) -> None:
    """README's own examples: a server, then `host(…, data="readme-data")`, then the folder removed and made anew."""
    for folder in ("first", "second", "second"):
        with pyrochat.host("lobby", data=tmp_path / folder, timing=QUICK), by_name("Ana") as ana:
            assert ana.send("here").sender == "Ana"
        shutil.rmtree(tmp_path / folder)


def test_found_28_a_key_that_stands_in_a_data_folder_goes_on_being_used(tmp_path: Path, config_dir: Path) -> None:
    """Or every client that knows the room would be alarmed after an upgrade."""
    own = Key.kept_at(tmp_path / "server-key.pem").public
    with pyrochat.host("lobby", data=tmp_path, nameserver=False) as server:
        assert server._door._key.public == own
    with pyrochat.host("lobby", data=tmp_path / "new", nameserver=False) as server:
        assert server._door._key.public == Key.kept_at(config_dir / "server-key.pem").public


def test_found_28_a_program_accepts_a_new_key_once(nameserver: NameServer, tmp_path: Path) -> None:
    """And from then on it is the new one that has to be there."""
    hosts = [("mine", None), ("theirs", tmp_path / "their-key.pem"), ("mine", None)]
    outcomes = []
    for (folder, key), accept in zip(hosts, (False, True, False), strict=True):
        with pyrochat.host("lobby", data=tmp_path / folder, timing=QUICK, server_key=key):
            if accept:
                with pytest.raises(UntrustedServer, match=LOUD):
                    by_name("Ana")
            try:
                by_name("Ana", accept_new_key=accept).leave()
                outcomes.append("joined")
            except UntrustedServer:
                outcomes.append("refused")
    assert outcomes == ["joined", "joined", "refused"]


def test_found_28_a_room_s_name_is_enough_to_forget_its_server(tmp_path: Path) -> None:
    known = KnownServers(tmp_path / "known.json")
    for place in ("lobby by localhost:9090", "lobby by other:9090", "coffee by localhost:9090", "host:5679"):
        known.remember(place, ONE)
    known.forget("LOBBY")
    assert set(known.all()) == {"coffee by localhost:9090", "host:5679"}
    known.forget("host:5679")
    assert set(known.all()) == {"coffee by localhost:9090"}


def test_the_commands_answer_in_one_line(machine: Machine) -> None:
    nothing = machine.start("pyrochat", "servers", "list")
    unknown = machine.start("pyrochat", "servers", "forget", "nowhere:1")
    assert nothing.finish() == 0
    assert nothing.lines == ["no server is known yet"]
    assert unknown.finish() in (1, 2)
    assert unknown.errors == ["pyrochat servers: no server is known as 'nowhere:1': see pyrochat servers list"]


# -- the file ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def known(tmp_path: Path) -> KnownServers:
    return KnownServers(tmp_path / "folder" / "known.json")


ONE, OTHER = KnownServer("11" * 32), KnownServer("22" * 32, "33" * 32)


def test_what_is_remembered_is_there_until_it_is_forgotten(known: KnownServers) -> None:
    assert known.get("here") is None
    known.remember("here", ONE)
    known.remember("there", OTHER)
    assert known.all() == {"here": ONE, "there": OTHER}
    known.remember("here", OTHER)
    known.forget("there")
    assert known.all() == {"here": OTHER}
    with pytest.raises(InvalidArgument, match="no server is known as 'there'"):
        known.forget("there")


def test_the_file_is_private(known: KnownServers, tmp_path: Path) -> None:
    known.remember("here", ONE)
    assert (tmp_path / "folder" / "known.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o700


def test_many_that_remember_at_once_lose_nothing(known: KnownServers) -> None:
    together([lambda n=n: known.remember(f"place {n}", ONE) for n in range(16)])  # type: ignore[misc]
    assert len(known.all()) == 16


DAMAGED = [
    "", "not json", "[]", "5", "{\"here\": 5}", "{\"here\": {}}", "{\"here\": {\"key\": \"11\"}}", "\udcff",
    json.dumps({"here": {"key": "no hexadecimal", "fingerprint": ""}}),
    json.dumps({"here": {"key": "11" * 32, "fingerprint": "no hexadecimal"}}),
    json.dumps({"here": {"key": "11", "fingerprint": ""}}), "[" * 100_000, '{"here": ' * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_is_said_and_not_taken_for_no_knowledge(tmp_path: Path, content: str) -> None:
    path = tmp_path / "known.json"
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(Unavailable, match="it says which servers you know; mend it, or move it away"):
        KnownServers(path).all()


@pytest.mark.parametrize("depth", [900, 980, 100_000])
def test_found_27f_a_file_that_is_nested_deeply_is_said(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "known.json"
    path.write_text('{"here": {"key": ' + "[" * depth + "]" * depth + ', "fingerprint": ""}}')
    with pytest.raises(Unavailable, match="it says which servers you know; mend it, or move it away"):
        KnownServers(path).all()


def test_found_25_a_file_that_begins_with_a_byte_order_mark_is_read(known: KnownServers, tmp_path: Path) -> None:
    known.remember("here", ONE)
    path = tmp_path / "folder" / "known.json"
    path.write_text("\ufeff" + path.read_text())
    assert known.all() == {"here": ONE}


def test_found_25_a_file_that_can_not_be_changed_is_said_once_and_known_as_it_is(
    known: KnownServers, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    known.remember("here", ONE)
    (tmp_path / "folder" / "known.json.lock").unlink()
    (tmp_path / "folder" / "known.json.lock").mkdir()
    known.remember("there", OTHER)
    known.remember("elsewhere", OTHER)
    assert known.all() == {"here": ONE}
    [said] = [record.getMessage() for record in caplog.records]
    assert "the server at there is not remembered" in said
    with pytest.raises(Unavailable, match="can't change"):
        known.forget("here")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("::1:5679", "[::1]:5679"), ("[::1]:5679", "[::1]:5679"), ("lobby by ::1:9090", "lobby by [::1]:9090"),
        ("localhost:5679", "localhost:5679"), ("lobby by localhost:9090", "lobby by localhost:9090"),
    ],
)  # fmt: skip
def test_found_26_what_was_known_before_addresses_had_brackets_is_known(
    known: KnownServers, tmp_path: Path, written: str, read: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "known.json").write_text(json.dumps({written: {"key": ONE.key, "fingerprint": ""}}))
    assert known.all() == {read: ONE}


def test_a_damaged_file_lets_nobody_join_unseen(registered: Server, config_dir: Path) -> None:
    with by_name("Ana"):
        pass
    (config_dir / "known_servers.json").write_text("{")
    with pytest.raises(Unavailable, match="can't read"):
        by_name("Ana")
