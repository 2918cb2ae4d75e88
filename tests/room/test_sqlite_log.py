"""What a log in SQLite does beyond the contract: durability, its lock, and what it refuses to open."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyrochat import CannotHost, LogDamaged, LogInUse, LogUnavailable, LogUnreadable
from pyrochat.core.log import MemberRecord
from pyrochat.room.log_file import FORMAT, log_path
from pyrochat.room.sqlite_log import SqliteLog
from tests.support import chat_message


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rooms" / "lobby.sqlite3"


@pytest.fixture
def log(path: Path) -> Iterator[SqliteLog]:
    log = SqliteLog(path, "lobby")
    yield log
    log.close()


@pytest.fixture
def closed(path: Path) -> Path:
    """The path of a log with two messages that nobody has open."""
    log = SqliteLog(path, "lobby")
    log.append([chat_message(1), chat_message(2)], [MemberRecord("Erick", 2, 2)])
    log.close()
    return path


def change(path: Path, statement: str) -> None:
    db = sqlite3.connect(path)
    db.execute(statement)
    db.commit()
    db.close()


def test_a_log_that_is_open_can_not_be_opened_again(log: SqliteLog, path: Path) -> None:
    with pytest.raises(LogInUse, match="another server has the log"):
        SqliteLog(path, "lobby")
    log.append([chat_message(1)])
    log.close()
    SqliteLog(path, "lobby").close()


def test_a_file_in_the_place_of_the_folder_is_said(path: Path) -> None:
    path.parent.write_text("not a folder")
    with pytest.raises(CannotHost, match="choose another folder"):
        SqliteLog(path, "lobby")


def test_a_folder_that_can_not_be_written_is_said() -> None:
    """Nobody, not even root, makes a folder in /proc."""
    with pytest.raises(CannotHost, match="choose another folder"):
        SqliteLog(log_path(Path("/proc"), "lobby"), "lobby")


@pytest.mark.parametrize(
    "content", [b"this is no database at all, only a text\n" * 50, b"SQLite format 3\x00" + b"\xff" * 4096]
)
def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(LogUnreadable):
        SqliteLog(path, "lobby")
    assert path.read_bytes() == content


def test_a_damaged_log_is_refused(closed: Path) -> None:
    content = bytearray(closed.read_bytes())
    content[4096:] = b"\xab" * (len(content) - 4096)
    closed.write_bytes(content)
    with pytest.raises(LogUnreadable, match="restore it from a backup"):
        SqliteLog(closed, "lobby")


def test_the_database_of_another_application_is_refused(path: Path) -> None:
    path.parent.mkdir(parents=True)
    change(path, "CREATE TABLE theirs (x)")
    with pytest.raises(LogUnreadable, match="not a PyroChat log"):
        SqliteLog(path, "lobby")


def test_a_log_of_a_newer_format_is_refused(closed: Path) -> None:
    change(closed, f"PRAGMA user_version = {FORMAT + 1}")
    with pytest.raises(LogUnreadable, match="upgrade PyroChat"):
        SqliteLog(closed, "lobby")


def test_the_log_of_another_room_is_refused(closed: Path) -> None:
    with pytest.raises(LogUnreadable, match="is the log of room 'lobby'"):
        SqliteLog(closed, "kitchen")


def test_a_log_with_a_hole_is_refused(closed: Path) -> None:
    change(closed, "DELETE FROM messages WHERE id = 1")
    with pytest.raises(LogDamaged, match="message 1 is missing"):
        SqliteLog(closed, "lobby")


def test_a_log_that_was_refused_is_not_held(closed: Path) -> None:
    change(closed, f"PRAGMA user_version = {FORMAT + 1}")
    with pytest.raises(LogUnreadable):
        SqliteLog(closed, "lobby")
    change(closed, f"PRAGMA user_version = {FORMAT}")
    SqliteLog(closed, "lobby").close()


def test_a_commit_is_on_disk_when_it_returns(log: SqliteLog) -> None:
    """FULL (2) makes SQLite fsync the WAL at each commit; NORMAL would not."""
    assert log._writer.execute("PRAGMA synchronous").fetchone() == (2,)
    assert log._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_readers_can_not_write(log: SqliteLog) -> None:
    with pytest.raises(LogUnavailable), log._reader() as db:
        db.execute("DELETE FROM messages")


@pytest.mark.parametrize("table", ["messages", "members"])
def test_a_disk_error_is_said_and_changes_nothing(log: SqliteLog, table: str) -> None:
    log.append([chat_message(1)], [MemberRecord("Erick", 1, 1)])
    log._writer.execute(
        f"CREATE TEMP TRIGGER broken BEFORE INSERT ON main.{table} BEGIN SELECT CAST(zeroblob(2000000000) AS TEXT) || 'x'; END"
    )
    with pytest.raises(LogUnavailable, match="can't write its log"):
        log.append([chat_message(2)], [MemberRecord("Erick", 2, 2)])
    assert (log.tail, log.read(0, 9)) == (1, [chat_message(1)])
    assert log.members() == [MemberRecord("Erick", 1, 1)]
    log._writer.execute("DROP TRIGGER broken")
    log.append([chat_message(2)])
    assert log.tail == 2


def test_a_full_disk_is_said_and_changes_nothing(log: SqliteLog, path: Path) -> None:
    log.append([chat_message(1)])
    pages = log._writer.execute("PRAGMA page_count").fetchone()[0]
    log._writer.execute(f"PRAGMA max_page_count = {pages}")
    many = [chat_message(id, "x" * 16_000) for id in range(2, 102)]
    with pytest.raises(LogUnavailable, match="full"):
        log.append(many, [MemberRecord("Erick", 9, 9)])
    assert (log.tail, log.members()) == (1, [])
    log._writer.execute("PRAGMA max_page_count = 1000000")
    log.append(many)
    log.close()
    again = SqliteLog(path, "lobby")
    assert again.tail == 101
    again.close()


def test_a_log_that_was_closed_answers_that_it_is(log: SqliteLog) -> None:
    log.close()
    with pytest.raises(LogUnavailable, match="being stopped"):
        log.read(0, 1)


def test_a_room_has_one_file_in_every_spelling_and_no_name_leaves_the_folder(tmp_path: Path) -> None:
    assert log_path(tmp_path, "Zoë") == log_path(tmp_path, "ZOE\u0308")
    for name in ("lobby", "..x", "Zoë", "名前"):
        assert log_path(tmp_path, name).parent == tmp_path / "rooms"
