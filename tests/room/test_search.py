"""The thread that fills the index behind the log: catching up, starting again, and whatever can be wrong with a file."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pyrochat import LogUnavailable, SearchUnavailable
from pyrochat.core.memory_log import MemoryLog
from pyrochat.core.pace import Pace
from pyrochat.core.query import parse_query
from pyrochat.room.room import Room
from pyrochat.room.search import BATCH_MESSAGES, Search
from pyrochat.storage import search_index
from pyrochat.values.errors import RoomClosing
from tests.room.searching import WatchedLog, find, ids, whole
from tests.support import Running, chat_message, eventually

OpenRoom = Callable[..., Room]
OpenSearch = Callable[..., Search]


BRISK = Pace(index_rest_seconds=0.01, index_retry_seconds=0.01)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lobby.search"


@pytest.fixture
def open_search(path: Path) -> Iterator[OpenSearch]:
    """Opens searches of a log, one after another on the same file; all are closed at the end."""
    opened: list[Search] = []

    def make(log: MemoryLog, at: Path | None = path, pace: Pace = BRISK, **options: Any) -> Search:
        opened.append(Search(log, at, pace=pace, **options))
        return opened[-1]

    yield make
    for search in opened:
        search.close()


def damage(path: Path) -> None:
    """Take from the index what its words are in, while it is open."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("DELETE FROM words_0_data")
    db.close()


# -- following -------------------------------------------------------------------------------------------------------


def test_what_was_there_before_is_found_newest_first(open_search: OpenSearch) -> None:
    log = WatchedLog(3 * BATCH_MESSAGES + 7)
    search = open_search(log)
    found = eventually(lambda: whole(search))
    assert [m.id for m in found.messages] == list(range(log.tail, log.tail - 50, -1))
    assert found.messages == log.read(log.tail - 50, 50)[::-1]


def test_a_search_waits_for_what_was_there_when_it_was_asked(open_search: OpenSearch) -> None:
    """However long the thread would rest."""
    log = WatchedLog(1)
    search = open_search(log, pace=Pace(index_rest_seconds=3600.0))
    assert ids(search) == [1]
    for _ in range(5):
        log.grow(1)
        search.grew()
        assert ids(search) == list(range(log.tail, 0, -1))


def test_the_index_follows_when_nobody_searches(open_search: OpenSearch, path: Path) -> None:
    log = WatchedLog()
    search = open_search(log)
    for tail in range(1, 4):
        log.grow(1)
        search.grew()
        eventually(lambda tail=tail: search._upto == tail)  # type: ignore[misc]
    assert log.reads == [0, 1, 2]


def test_while_it_is_far_behind_a_search_answers_with_what_there_is(open_search: OpenSearch) -> None:
    log = WatchedLog(BATCH_MESSAGES)
    search = open_search(log, wait_seconds=3600.0, near_messages=BATCH_MESSAGES)
    assert find(search).indexed_up_to == BATCH_MESSAGES
    log.gate.clear()
    log.grow(2 * BATCH_MESSAGES)
    found = find(search)
    assert (found.indexed_up_to, found.end) == (BATCH_MESSAGES, 3 * BATCH_MESSAGES)
    assert found.messages[0].id == BATCH_MESSAGES
    log.gate.set()
    search.grew()
    assert eventually(lambda: whole(search))


def test_it_goes_on_where_it_ended(open_search: OpenSearch) -> None:
    log = WatchedLog(10)
    first = open_search(log)
    eventually(lambda: whole(first))
    first.close()
    log.grow(5)
    again = open_search(log)
    assert ids(again) == list(range(15, 0, -1))
    assert log.reads == [0, 10]


def test_its_end_does_not_wait_for_the_rest(open_search: OpenSearch) -> None:
    log = WatchedLog(3 * BATCH_MESSAGES)
    search = open_search(log, busy_rest=1e9)
    eventually(lambda: search._upto)
    search.close()
    assert not search._thread.is_alive()
    assert search._upto == BATCH_MESSAGES
    with pytest.raises(RoomClosing):
        find(search)


def test_who_waits_for_it_is_let_go_at_its_end(open_search: OpenSearch) -> None:
    log = WatchedLog(1)
    log.gate.clear()
    search = open_search(log, wait_seconds=3600.0)
    waiting = Running(search.wait)
    eventually(lambda: search._waiters)
    closing = Running(search.close)
    waiting.result()
    log.gate.set()
    closing.result()


# -- what can be wrong ---------------------------------------------------------------------------------------------


def test_damage_that_a_search_meets_is_said_once_and_repaired(open_search: OpenSearch, path: Path) -> None:
    log = WatchedLog(5)
    search = open_search(log)
    assert ids(search) == [5, 4, 3, 2, 1]
    damage(path)
    with pytest.raises(SearchUnavailable, match=r"can't search now .*: try again later"):
        find(search)
    found = eventually(lambda: whole(search))
    assert [m.id for m in found.messages] == [5, 4, 3, 2, 1]


def test_damage_that_the_thread_meets_is_said_and_repaired(
    open_search: OpenSearch, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    log = WatchedLog(5)
    search = open_search(log)
    eventually(lambda: whole(search))
    assert not caplog.records
    damage(path)
    log.grow(1, "tock")
    search.grew()
    found = eventually(lambda: whole(search))
    assert [m.id for m in found.messages] == [5, 4, 3, 2, 1]
    assert log.reads.count(0) == 2, "it was made anew"
    assert "the search index is made anew: it is damaged" in caplog.text


def remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink()


def replace(path: Path) -> None:
    other = path.with_name("other.search")
    other.write_bytes(b"no database at all\n" * 500)
    other.rename(path)


def put_an_older_one_back(path: Path) -> None:
    """As a restored backup does: the file as SQLite copies it, in the place of the one that is open."""
    other = path.with_name("other.search")
    with contextlib.closing(sqlite3.connect(path)) as source, contextlib.closing(sqlite3.connect(other)) as target:
        source.backup(target)
        target.execute("UPDATE about SET identity = 'of another log'")
        target.commit()
    other.rename(path)


@pytest.mark.parametrize("take", [remove, replace, put_an_older_one_back])
def test_found_27d_an_index_that_is_taken_away_is_made_anew(
    open_search: OpenSearch, path: Path, caplog: pytest.LogCaptureFixture, take: Callable[[Path], None]
) -> None:
    caplog.set_level(logging.WARNING)
    log = WatchedLog(5)
    search = open_search(log)
    assert ids(search) == [5, 4, 3, 2, 1]
    take(path)
    found = eventually(lambda: whole(search))
    assert [m.id for m in found.messages] == [5, 4, 3, 2, 1]
    log.grow(1)
    search.grew()
    assert ids(search) == [6, 5, 4, 3, 2, 1]
    assert log.reads.count(0) == 2, "it was made anew"
    assert "the search index is made anew: " in caplog.text
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT identity FROM about").fetchone() == (log.identity,)


def test_found_27d_an_index_that_is_taken_away_is_made_anew_without_a_search(
    open_search: OpenSearch, path: Path
) -> None:
    log = WatchedLog(5)
    search = open_search(log)
    eventually(lambda: whole(search))
    remove(path)
    search.look()
    eventually(lambda: search._upto == 5 and path.exists())


def test_found_27d_an_index_is_left_alone_where_the_log_was_replaced_too(open_search: OpenSearch, path: Path) -> None:
    log = WatchedLog(5)
    search = open_search(log)
    eventually(lambda: whole(search))
    log.gone = True
    put_an_older_one_back(path)
    theirs = path.read_bytes()
    assert ids(search) == [5, 4, 3, 2, 1], "by the file that it has open"
    log.grow(1)
    search.grew()
    search.look()
    eventually(lambda: search._upto != 5)
    assert path.read_bytes() == theirs


def test_a_query_that_goes_wrong_does_not_cost_the_index(
    open_search: OpenSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = WatchedLog(5)
    search = open_search(log)
    eventually(lambda: whole(search))
    with monkeypatch.context() as patched:
        patched.setattr(search_index, "_match", lambda query: '"')
        with pytest.raises(SearchUnavailable):
            find(search)
    assert ids(search) == [5, 4, 3, 2, 1]
    assert log.reads == [0]


def test_a_full_disk_stops_searches_until_there_is_room(
    open_search: OpenSearch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    connect, pages = search_index._connect, 12

    def limited(path: Path) -> sqlite3.Connection:
        db = connect(path)
        db.execute(f"PRAGMA max_page_count = {pages}")
        return db

    monkeypatch.setattr(search_index, "_connect", limited)
    log = WatchedLog()
    log.append([chat_message(id, f"tick {' '.join(f'w{id}x{n}' for n in range(100))}") for id in range(1, 400)])
    search = open_search(log)
    eventually(lambda: len(log.reads) > 3)
    with pytest.raises(SearchUnavailable, match="full"):
        find(search)
    assert len(caplog.records) == 1, "said once, however often it is tried"
    pages = 100_000
    assert eventually(lambda: whole(search))


def test_a_folder_in_the_place_of_the_file_is_said_without_its_path(open_search: OpenSearch, path: Path) -> None:
    path.mkdir()
    search = open_search(WatchedLog(1))
    with pytest.raises(SearchUnavailable) as said:
        find(search)
    assert str(path.parent) not in str(said.value)
    path.rmdir()
    assert eventually(lambda: whole(search))


def test_a_file_that_can_not_be_removed_is_said_without_its_path(open_search: OpenSearch, path: Path) -> None:
    path.write_bytes(b"no database at all\n" * 500)
    in_the_way = path.with_name(f"{path.name}-shm")
    in_the_way.mkdir()
    search = open_search(WatchedLog(1))
    with pytest.raises(SearchUnavailable) as said:
        find(search)
    assert str(path.parent) not in str(said.value)
    in_the_way.rmdir()
    assert eventually(lambda: whole(search))


def test_a_log_that_can_not_be_read_is_tried_again(open_search: OpenSearch) -> None:
    log = WatchedLog(1)
    log.failure = LogUnavailable("no")
    search = open_search(log)
    with pytest.raises(SearchUnavailable):
        find(search)
    log.failure = None
    assert eventually(lambda: whole(search))


def test_a_defect_ends_no_thread(open_search: OpenSearch, caplog: pytest.LogCaptureFixture) -> None:
    log = WatchedLog(1)
    log.failure = ZeroDivisionError("a defect")
    search = open_search(log)
    with pytest.raises(SearchUnavailable, match="internal error"):
        find(search)
    assert "a defect" in caplog.text
    log.failure = None
    assert eventually(lambda: whole(search))


def test_a_room_without_an_index_says_so(open_search: OpenSearch) -> None:
    with pytest.raises(SearchUnavailable, match="no index"):
        find(open_search(WatchedLog(1), None))


# -- the room goes on ----------------------------------------------------------------------------------------------


def test_a_room_takes_posts_while_its_index_stands_still(open_room: OpenRoom, path: Path) -> None:
    log = WatchedLog(10)
    log.gate.clear()
    room = open_room(log, index=path)
    for _ in range(3):
        room.post("Ana", ["tock"], [None]).wait()
    found = room.search.find(parse_query("tick"), 1 << 62, 50)
    assert (found.messages, found.indexed_up_to, found.end) == ([], 0, 13)
    log.gate.set()
    assert len(eventually(lambda: whole(room.search, "tock")).messages) == 3


def test_a_room_takes_posts_while_its_index_can_not_be_written(open_room: OpenRoom, path: Path) -> None:
    path.mkdir()
    room = open_room(WatchedLog(10), index=path)
    for _ in range(3):
        room.post("Ana", ["tock"], [None]).wait()
    with pytest.raises(SearchUnavailable):
        find(room.search)
    assert room.history(12, 1)[0].text == "tock"


def test_the_index_follows_the_posts_of_a_room(open_room: OpenRoom, path: Path) -> None:
    """While nobody searches."""
    room = open_room(WatchedLog(10), index=path)
    for tail in range(11, 15):
        eventually(lambda: room.search._idle)
        room.post("Ana", ["tock"], [None]).wait()
        eventually(lambda tail=tail: room.search._upto == tail)  # type: ignore[misc]


def test_what_was_just_posted_is_found(open_room: OpenRoom, path: Path) -> None:
    room = open_room(WatchedLog(10), index=path)
    for number in range(20):
        [message] = room.post("Ana", [f"word{number}"], [None]).wait()
        assert ids(room.search, f"word{number}") == [message.id]


def test_found_10_whatever_the_indexing_thread_stumbles_over_it_goes_on(
    open_search: OpenSearch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also while it looks whether there is something to do."""

    class Failing(WatchedLog):
        """Has no end, now and then."""

        stumbles = 0

        @property
        def tail(self) -> int:
            if threading.current_thread().name.startswith("pyrochat-search") and self.stumbles < 3:
                self.stumbles += 1
                raise SystemExit(1)
            return super().tail

    log = Failing(10)
    search = open_search(log)
    assert len(eventually(lambda: whole(search)).messages) == 10
    assert log.stumbles == 3
    assert any(record.exc_info for record in caplog.records)
