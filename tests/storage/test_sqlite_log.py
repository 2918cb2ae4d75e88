"""What a log in SQLite does beyond the contract: durability, its lock, and what it refuses to open."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyrochat import CannotHost, LogDamaged, LogInUse, LogUnavailable, LogUnreadable
from pyrochat.core.integrity import Tip
from pyrochat.core.log import MemberRecord
from pyrochat.storage import witness
from pyrochat.storage.log_file import FORMAT, WAL_BYTES, log_path
from pyrochat.storage.newest import Newest
from pyrochat.storage.sqlite_log import SqliteLog
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
    change(closed, "DELETE FROM about WHERE key = 'verified'")
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


# -- the file, now and then ------------------------------------------------------------------------------------------


def test_found_13_the_witness_says_what_was_committed_last(log: SqliteLog, path: Path) -> None:
    for id in range(1, 4):
        log.append([chat_message(id)])
    log.look()
    assert witness.read(path) == Tip(log.identity, *log.tip)
    assert log.tail == 3


def test_found_13_a_log_that_has_lost_its_end_does_not_bear_witness_against_that(log: SqliteLog, path: Path) -> None:
    log.append([chat_message(1)])
    log.look()
    log.append([chat_message(2)])
    log.append([], loss="somebody saw more")
    log.look()
    seen = witness.read(path)
    assert seen is not None
    assert seen.tail == 1


def delete(path: Path) -> None:
    shutil.rmtree(path.parent)


def move_away(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))


def replace_by_a_copy(path: Path) -> None:
    shutil.copyfile(path, path.with_name("copy"))
    path.with_name("copy").rename(path)


def delete_what_is_beside(suffix: str) -> Callable[[Path], None]:
    return lambda path: path.with_name(path.name + suffix).unlink()


@pytest.mark.parametrize(
    "take", [delete, move_away, replace_by_a_copy, delete_what_is_beside("-wal"), delete_what_is_beside("-shm")]
)
def test_found_22_a_log_that_is_taken_away_takes_nothing(
    log: SqliteLog, path: Path, caplog: pytest.LogCaptureFixture, take: Callable[[Path], None]
) -> None:
    log.append([chat_message(1)], [MemberRecord("Erick", 1, 1)])
    log._newest = Newest()  # what was just written is in memory
    assert log.read(0, 9) == [chat_message(1)]
    take(path)
    for _ in range(3):
        with pytest.raises(LogUnavailable, match="deleted or replaced under its server: nothing was stored") as told:
            log.append([chat_message(2)], [MemberRecord("Erick", 2, 2)])
        assert str(path.parent) not in str(told.value)
        log.look()
    assert log.gone
    assert (log.tail, log.read(0, 9)) == (1, [chat_message(1)]), "what has it open can read it"
    with log._reader(), pytest.raises(LogUnavailable, match="deleted or replaced"):
        log.read(0, 9)  # by a second reader, which has to be opened
    [said] = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert "room lobby: THE LOG IS NOT IN ITS PLACE ANY MORE" in said.message


def test_found_22_a_log_that_is_back_goes_on(log: SqliteLog, path: Path) -> None:
    log.append([chat_message(1)])
    move_away(path)
    with pytest.raises(LogUnavailable):
        log.append([chat_message(2)])
    path.parent.with_name("moved").rename(path.parent)
    log.append([chat_message(2)])
    assert not log.gone
    log.close()
    again = SqliteLog(path, "lobby")
    assert (again.tail, again.loss) == (2, None)
    again.close()


def test_found_22_what_was_put_in_the_place_of_a_log_is_left_alone(log: SqliteLog, path: Path, tmp_path: Path) -> None:
    log.append([chat_message(1)])
    move_away(path)
    other = SqliteLog(path, "lobby")
    other.append([chat_message(id) for id in range(1, 4)])
    other.look()
    log.look()
    log.close()
    assert witness.read(path) == Tip(other.identity, *other.tip)
    other.append([chat_message(4)])
    other.close()
    again = SqliteLog(path, "lobby")
    assert (again.identity, again.tail, again.loss) == (other.identity, 4, None)
    again.close()


def wal_bytes(path: Path) -> int:
    return path.with_name(f"{path.name}-wal").stat().st_size


def reader_of(path: Path) -> sqlite3.Connection:
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM messages").fetchone()
    return reader


def grow_over_the_limit(log: SqliteLog, path: Path) -> None:
    while wal_bytes(path) <= 2 * WAL_BYTES:
        log.append([chat_message(log.tail + n, "x" * 800) for n in range(1, 1001)])


def test_found_24_the_wal_shrinks_when_a_reader_has_gone_and_others_post(log: SqliteLog, path: Path) -> None:
    reader = reader_of(path)
    grow_over_the_limit(log, path)
    reader.close()
    for _ in range(2):  # the first is followed by a checkpoint, the second begins the WAL anew
        log.append([chat_message(log.tail + 1)])
    assert wal_bytes(path) <= WAL_BYTES


def test_found_24_the_wal_shrinks_when_a_reader_has_gone_and_nobody_posts(log: SqliteLog, path: Path) -> None:
    def is_untidy() -> bool:
        log.look()
        return log.is_untidy

    assert not is_untidy()
    reader = reader_of(path)
    grow_over_the_limit(log, path)
    assert is_untidy()
    log.tidy()  # waits for nobody
    log.append([chat_message(log.tail + 1)])
    assert is_untidy()
    reader.close()
    log.tidy()
    assert not is_untidy()
    assert wal_bytes(path) <= WAL_BYTES
    assert log._writer.execute("PRAGMA busy_timeout").fetchone() == (5000,)


# -- what the operator is told ---------------------------------------------------------------------------------------


def test_found_27e_a_witness_that_can_not_be_written_is_said_once(
    log: SqliteLog, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    in_the_way = path.with_suffix(".tail-new")
    in_the_way.mkdir()
    for id in range(1, 4):
        log.append([chat_message(id)])
        log.look()
    [said] = caplog.records
    assert "room lobby: can't note how far the log goes" in said.message
    in_the_way.rmdir()
    log.look()
    assert witness.read(path) == Tip(log.identity, *log.tip)


def test_found_27e_a_log_that_can_not_be_read_is_said_once(
    log: SqliteLog, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log.append([chat_message(id, "x" * 2000) for id in range(1, 100)])
    log._newest = Newest()  # what was just written is in memory
    log._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:  # closed at the end: the locks are this test's own loss
        file.seek(8 * 4096)
        file.write(b"\xff" * 20 * 4096)
        file.flush()
        for _ in range(3):
            with pytest.raises(LogUnavailable, match="can't read its log"):
                log.read(0, 100)
    [said] = caplog.records
    assert "room lobby: can't read the log" in said.message


def test_found_27e_a_commit_that_fails_is_said_once_and_again_later(
    log: SqliteLog, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pages = log._writer.execute("PRAGMA page_count").fetchone()[0]
    log._writer.execute(f"PRAGMA max_page_count = {pages}")
    for _ in range(3):
        with pytest.raises(LogUnavailable, match="full"):
            log.append([chat_message(1, "x" * 16_000)])
    [said] = caplog.records
    assert said.message == "room lobby: can't write the log (database or disk is full)"


def test_a_room_has_one_file_in_every_spelling_and_no_name_leaves_the_folder(tmp_path: Path) -> None:
    assert log_path(tmp_path, "Zoë") == log_path(tmp_path, "ZOE\u0308")
    for name in ("lobby", "..x", "Zoë", "名前"):
        assert log_path(tmp_path, name).parent == tmp_path / "rooms"


def test_found_27e_a_witness_that_makes_no_sense_is_said(closed: Path, caplog: pytest.LogCaptureFixture) -> None:
    closed.with_suffix(".tail").write_bytes(b"")  # as a power cut leaves it
    SqliteLog(closed, "lobby").close()
    [said] = caplog.records
    assert "lobby.tail can't be read" in said.message
    seen = witness.read(closed)
    assert seen is not None
    assert seen.tail == 2


def test_what_was_just_written_is_read_from_memory_and_what_is_older_from_disk() -> None:
    newest = Newest(most_messages=2, most_characters=20)
    for id in range(1, 6):
        newest.add([chat_message(id)])
    assert [m.id for m in newest.read(3, 5) or []] == [4, 5]
    assert newest.read(5, 5) == []
    assert newest.read(0, 5) is None
    assert newest.read(4, 6) is None, "it is in the log, and not here yet"
    newest.add([chat_message(6, "x" * 100)])
    assert newest.read(5, 6) is None, "too long to be kept"
