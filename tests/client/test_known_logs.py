"""One room, several histories: another log under a room's name is told, and never mixed with the one that is here."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from Pyro5 import config

import pyrochat
from lab.attacks.hostile import HostileServer, said
from pyrochat import Chat, OtherLog, Server
from pyrochat.client.known import KnownServers
from pyrochat.client.known_logs import KnownLogs
from pyrochat.folders import server_key_file
from pyrochat.pyro.connection import shut_down
from pyrochat.pyro.naming import NameServer
from pyrochat.terminal.lines import JsonLines, PlainLines
from tests.support import QUICK, eventually, texts, together
from tests.system.support import free_port

Join = Callable[..., Chat]
Host = Callable[..., Server]


@pytest.fixture
def logs(tmp_path: Path) -> KnownLogs:
    return KnownLogs(tmp_path / "folder" / "logs.json")


def test_what_is_remembered_is_known(logs: KnownLogs, tmp_path: Path) -> None:
    assert logs.get("here") == ""
    logs.remember("here", "one")
    logs.remember("there", "two")
    logs.remember("here", "three")
    assert [KnownLogs(tmp_path / "folder" / "logs.json").get(place) for place in ("here", "there")] == ["three", "two"]
    assert (tmp_path / "folder" / "logs.json").stat().st_mode & 0o777 == 0o600


def test_several_remember_at_once(logs: KnownLogs) -> None:
    together([lambda n=n: logs.remember(f"place {n}", f"log {n}") for n in range(16)])  # type: ignore[misc]
    assert [logs.get(f"place {n}") for n in range(16)] == [f"log {n}" for n in range(16)]


def test_the_oldest_of_many_are_forgotten(logs: KnownLogs, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        logs.remember(f"place {number}", "log")
    few = KnownLogs(logs._path, most_rooms=3)
    few.remember("place 5", "log")
    assert [bool(few.get(f"place {n}")) for n in range(6)] == [False, False, False, True, True, True]


@pytest.mark.parametrize("content", ["", "nonsense", "[]", '{"here": 5}', "[" * 100_000, '{"here": ["x"]}'])
def test_a_file_that_is_damaged_keeps_nobody_out(logs: KnownLogs, content: str) -> None:
    logs._path.parent.mkdir()
    logs._path.write_text(content)
    assert logs.get("here") == ""
    logs.remember("here", "one")
    assert logs.get("here") == "one"


def test_a_folder_that_can_not_be_written_keeps_nobody_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    logs = KnownLogs(tmp_path / "file" / "logs.json")
    logs.remember("here", "one")
    assert logs.get("here") == ""


# -- in a room ---------------------------------------------------------------------------------------------------


def test_found_27b_another_log_is_said_at_the_next_join(
    server: Server, joined: Join, host_lobby: Host, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ana = joined("Ana")
    known = ana.log_id
    assert ana.replaced_log_id == ""
    ana.leave()
    again = joined("Ana")
    assert again.replaced_log_id == ""
    again.leave()
    assert not caplog.records
    server.close()
    host_lobby(port=server.port, data=tmp_path / "another")
    ana = joined("Ana")
    assert (ana.replaced_log_id, ana.log_id == known) == (known, False)
    [said] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert said.startswith("room lobby has another log ")
    assert known[:8] in said
    ana.leave()
    assert joined("Ana").replaced_log_id == ""  # said once


def test_found_27b_verify_says_it(server: Server, joined: Join, host_lobby: Host, tmp_path: Path) -> None:
    known = joined("Ana").log_id
    server.close()
    host_lobby(port=server.port, data=tmp_path / "another")
    ana = joined("Ana")
    verification = ana.verify()
    assert verification.whole
    assert (verification.log_id, verification.replaced_log_id) == (ana.log_id, known)
    assert PlainLines().verification(verification)[1] == (
        f"-- ANOTHER LOG: this one is {ana.log_id}, the one that you knew before {known}"
    )
    assert f'"replaced_log": "{known}"' in JsonLines().verification(verification)[0]


def test_found_27b_who_has_the_other_log_is_refused_with_a_way_out(
    server: Server, joined: Join, host_lobby: Host, tmp_path: Path
) -> None:
    """The Chat stays what it was; another one of the same room has the log that is there now."""
    ana = joined("Ana")
    ana.send("before")
    before = ana.history()
    server.close()
    host_lobby(port=server.port, data=tmp_path / "another")
    eventually(lambda: ana.state == "refused")
    assert isinstance(ana.refusal, OtherLog)
    assert "join anew" in str(ana.refusal)
    with pytest.raises(OtherLog):
        ana.send("into which log?")
    with pytest.raises(OtherLog):
        ana.wait_for(100)
    fresh = ana.join_room(ana.room)
    fresh.send("after")
    assert ana.history() == before
    assert texts(fresh.history()) == ["after"]
    assert fresh.replaced_log_id == ana.log_id
    fresh.leave()


def test_found_27b_a_log_that_begins_otherwise_is_not_taken_from_a_server_that_says_nothing(
    tmp_path: Path,
) -> None:
    """Also where the server is content with our resume: the digest before the first message tells."""
    with HostileServer(tmp_path, timing=QUICK) as server, pyrochat.join("Ana", at=server.at, timing=QUICK) as ana:
        ana.send("before")
        before = ana.history()
        server.answers["standing"] = said([0, 0, "ab" * 32])
        assert ana._session._served is not None
        shut_down(ana._session._served.sock)
        eventually(lambda: ana.state == "refused")
        assert isinstance(ana.refusal, OtherLog)
        assert ana.history() == before


def test_found_27b_where_a_stranger_hosts_anew_survivors_are_told_what_to_do_and_it_works(
    monkeypatch: pytest.MonkeyPatch, config_dir: Path, data: Path, tmp_path: Path
) -> None:
    """Given a room whose host is gone, when somebody else hosts it under the same name, then who is still there is told
    the command that lets them in, and it lets the open client in."""
    monkeypatch.setattr(config, "NS_PORT", free_port())
    reasons: list[str] = []
    with pyrochat.host("lobby", data=data, timing=QUICK) as first:
        ana = pyrochat.join("Ana", timing=QUICK)
        ana.on_state(lambda state, reason: reasons.append(reason))
        ana.send("before")
        first.close()
    server_key_file().unlink()  # the next one is somebody else's
    with pyrochat.host("lobby", data=tmp_path / "another", timing=QUICK):
        known_as = f"lobby by {NameServer()}"
        eventually(lambda: any("pyrochat servers forget lobby" in reason for reason in reasons))
        assert ana.state == "reconnecting"
        KnownServers(config_dir / "known_servers.json").forget(known_as)
        eventually(lambda: ana.state == "refused")
        assert isinstance(ana.refusal, OtherLog)
        with ana.join_room("lobby") as fresh:
            assert fresh.replaced_log_id == ana.log_id
        ana.leave()
