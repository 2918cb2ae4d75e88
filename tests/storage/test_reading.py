"""A log that can only be read is read whole: what stands in its WAL is a part of it."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from pyrochat.storage.backup import back_up
from pyrochat.storage.reading import open_to_read, open_unwritable
from pyrochat.storage.sqlite_log import SqliteLog
from pyrochat.storage.verifying import verify_file
from pyrochat.values.errors import CannotHost, LogUnreadable
from tests.support import chat_message

LONGEST_NAME = 252  # a file system takes 255: SQLite can have neither a -wal nor a -shm beside it


def nothing(done: int, total: int) -> None:
    """No progress is shown."""


@pytest.fixture
def log(tmp_path: Path) -> SqliteLog:
    """A log of two messages, the second of them in the WAL only."""
    log = SqliteLog(tmp_path / "open" / "lobby.sqlite3", "lobby")
    log.append([chat_message(1)])
    log._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    log.append([chat_message(2)])
    return log


@pytest.fixture
def unwritable(log: SqliteLog, tmp_path: Path) -> Path:
    """A log that was closed well, beside which nothing can be written, whoever one is."""
    log.close()
    return shutil.copyfile(log.path, tmp_path / ("x" * LONGEST_NAME))


def test_found_25_a_log_beside_which_nothing_can_be_written_is_verified(unwritable: Path) -> None:
    about, verdict = verify_file(unwritable, nothing, at=1)
    assert (about.room, verdict.whole_up_to, verdict.damage) == ("lobby", 2, None)
    assert verdict.expected is not None


def test_found_25_a_log_beside_which_nothing_can_be_written_is_backed_up(unwritable: Path, tmp_path: Path) -> None:
    target = tmp_path / "backup.sqlite3"
    assert back_up(unwritable, target, nothing).whole_up_to == 2
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


@pytest.mark.parametrize("suffixes", [["-wal"], ["-wal", "-shm"]])
def test_found_25_what_stands_in_the_wal_of_an_unwritable_log_is_read(
    log: SqliteLog, tmp_path: Path, suffixes: list[str]
) -> None:
    """As a server that was killed has left it. To take the file alone would lose its newest messages, unseen."""
    for suffix in ["", *suffixes]:
        shutil.copyfile(f"{log.path}{suffix}", tmp_path / f"killed{suffix}")
    before = {path.name: path.read_bytes() for path in tmp_path.glob("killed*")}
    with open_unwritable(tmp_path / "killed") as db:
        assert db.execute("SELECT max(id) FROM messages").fetchone() == (2,)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("killed*")} == before
    log.close()


def test_a_log_that_a_server_has_open_is_read_as_it_is_now(log: SqliteLog) -> None:
    with open_to_read(log.path) as db:
        assert db.execute("SELECT max(id) FROM messages").fetchone() == (2,)
    assert verify_file(log.path, nothing)[1].whole_up_to == 2
    log.close()


def test_a_backup_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "no log").write_bytes(b"nonsense" * 1000)
    with pytest.raises(LogUnreadable):
        back_up(tmp_path / "no log", tmp_path / "backup", nothing)
    with pytest.raises(CannotHost, match="see to the disk and the folder"):
        back_up(tmp_path / "no log", tmp_path / "no folder" / "backup", nothing)
    assert [path.name for path in tmp_path.iterdir()] == ["no log"]


def test_a_backup_replaces_nothing(log: SqliteLog, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CannotHost, match="exists already"):
        back_up(log.path, tmp_path / "link", nothing)
    assert not (tmp_path / "elsewhere").exists()
    log.close()
