"""Searching the room's whole history: with a Chat, and with bare Pyro5."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from pyrochat import Chat, InvalidArgument, SearchResult, SearchUnavailable, Server, join
from pyrochat.core.pace import Pace
from pyrochat.storage.log_file import log_path
from pyrochat.storage.sqlite_log import SqliteLog
from pyrochat.storage.verifying import verify_file
from tests.support import SERIALIZER_NAMES, bare, chat_message, eventually, texts

Join = Callable[..., Chat]
Host = Callable[..., Server]


def change(path: Path, statement: str) -> None:
    db = sqlite3.connect(path)
    db.execute(statement)
    db.commit()
    db.close()


def test_what_was_just_sent_is_found_by_everybody(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    sent = ana.send("Where is the café?")
    for chat in (ana, igor):
        assert chat.search("CAFE where") == [sent]
        assert chat.search("from:ana caf*") == [sent]
        assert chat.search("from:igor café") == []


def test_the_newest_come_first_at_most_fifty_and_one_can_go_on(joined: Join) -> None:
    ana = joined("Ana")
    sent = ana.send_many([f"tick {number}" for number in range(120)])
    first = ana.search("tick")
    assert first == sent[:-51:-1]
    second = ana.search("tick", before=first[-1].id)
    assert second == sent[-51:-101:-1]
    assert ana.search("tick", before=second[-1].id, limit=3) == sent[19:16:-1]
    assert ana.search("tick", before=1) == []


def test_a_result_says_that_all_was_searched(joined: Join) -> None:
    ana = joined("Ana")
    sent = ana.send("hello")
    found = ana.search("hello")
    assert isinstance(found, SearchResult)
    assert found.is_complete
    assert (found.indexed_up_to, found.end) == (sent.id, sent.id)
    assert repr(found) == f"[{sent!r}]"


def test_a_result_of_an_index_that_is_behind_says_so() -> None:
    found = SearchResult([chat_message(3)], 5, 9)
    assert not found.is_complete
    assert repr(found).splitlines()[-1] == " … still indexing: searched up to #5 of #9]"


def test_searching_marks_nothing_read(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    sent = ana.send("hello")
    assert igor.search("hello") == [sent]
    assert igor.read_mark < sent.id
    eventually(lambda: ana.confirmations(sent.id).delivered_to == {"Igor"})
    assert ana.confirmations(sent.id).read_by == set()


@pytest.mark.parametrize("words", ["", "👍", "from:", "x" * 201, None, 5])
def test_what_can_not_be_searched_for_is_said(joined: Join, words: str) -> None:
    with pytest.raises(InvalidArgument):
        joined("Ana").search(words)


@pytest.mark.parametrize("more", [{"before": 0}, {"limit": 0}, {"limit": 51}, {"before": "x"}])
def test_bounds_that_make_no_sense_are_refused(joined: Join, more: dict[str, int]) -> None:
    with pytest.raises(InvalidArgument):
        joined("Ana").search("hello", **more)


def test_a_room_with_a_past_is_indexed_behind_its_back(host_lobby: Host, data: Path) -> None:
    log = SqliteLog(log_path(data, "lobby"), "lobby")
    log.append([chat_message(id, f"tick {id}") for id in range(1, 3001)])
    log.close()
    with join("Ana", at=host_lobby().at) as ana:
        found = eventually(lambda: (result := ana.search("tick")).is_complete and result)
        assert found[0].id == 3000


def test_an_index_goes_on_after_a_restart_and_is_no_log(host_lobby: Host, data: Path) -> None:
    with host_lobby() as server, bare(server, "Ana") as ana:
        ana.post("before")
        assert len(ana.search("before")[0]) == 1
    with host_lobby() as server, bare(server, "Ana") as ana:
        ana.post("after")
        assert [message[3] for message in ana.search("before")[0] + ana.search("after")[0]] == ["before", "after"]
    files = {path.name for path in (data / "rooms").iterdir()}
    assert "lobby.search" in files
    assert [name for name in files if name.endswith(".sqlite3")] == ["lobby.sqlite3"]
    assert verify_file(data / "rooms" / "lobby.sqlite3", lambda done, total: None)[1].damage is None


def test_after_an_accepted_loss_what_was_lost_is_not_found(host_lobby: Host, data: Path) -> None:
    with host_lobby() as server, bare(server, "Ana") as ana:
        ana.post_many(["kept", "lost", "lost too"])
        assert len(ana.search("lost")[0]) == 2
    path = log_path(data, "lobby")
    change(path, "DELETE FROM messages WHERE id > 1")
    SqliteLog(path, "lobby", accept_loss=True).close()
    with host_lobby() as server, bare(server, "Ana") as ana:
        assert ana.search("lost") == [[], 1, 1]
        assert len(ana.search("kept")[0]) == 1


def test_an_index_that_can_not_be_written_keeps_nobody_from_chatting(host_lobby: Host, data: Path) -> None:
    (data / "rooms" / "lobby.search").mkdir(parents=True)
    with join("Ana", at=host_lobby(pace=Pace(index_retry_seconds=0.01)).at) as ana:
        ana.send("hello")
        with pytest.raises(SearchUnavailable):
            ana.search("hello")
        assert texts(ana.history()) == ["hello"]


@pytest.mark.parametrize("serializer", SERIALIZER_NAMES)
def test_with_bare_pyro5(server: Server, serializer: str) -> None:
    with bare(server, "Ana", serializer) as ana:
        sent = ana.post_many(["hello one", "hello two", "hello three"])
        assert ana.search("hello") == [sent[::-1], 3, 3]
        assert ana.search("hello", 3, 1) == [[sent[1]], 3, 3]
        assert ana.search("hello", limit=1000) == [sent[::-1], 3, 3]
        for wrong in (("",), (None,), ("x", "y"), ("x", 0), ("x", None, 0), (["x"],), ('"' * 300,)):
            with pytest.raises(ValueError, match="invalid-argument: "):
                ana.search(*wrong)
    with bare(server, None, serializer) as nobody, pytest.raises(PermissionError, match="name-missing: "):
        nobody.search("hello")
