"""A room whose disk fails in a commit: what was asked for with a key is uncertain until it is known."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from pyrochat import KeyConflict, LogUnavailable, LogUncertain
from pyrochat.room.room import Room
from pyrochat.storage.sqlite_log import SqliteLog


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rooms" / "lobby.sqlite3"


class FailingDisk:
    """A log's connection whose next commit ends in an fsync that fails, when the data may be on disk or not."""

    def __init__(self, db: sqlite3.Connection, was_stored: bool) -> None:
        self._db = db
        self._was_stored = was_stored
        self.fails = True

    def execute(self, sql: str, *parameters: object) -> sqlite3.Cursor:
        if sql != "COMMIT" or not self.fails:
            return self._db.execute(sql, *parameters)
        self.fails = False
        self._db.execute("COMMIT" if self._was_stored else "ROLLBACK")
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
        raise error

    def __getattr__(self, name: str) -> object:
        return getattr(self._db, name)


@pytest.mark.parametrize("was_stored", [True, False])
def test_found_15_after_a_failed_fsync_a_key_is_uncertain_until_the_log_is_opened_again(
    path: Path, open_room: Callable[..., Room], was_stored: bool
) -> None:
    log = SqliteLog(path, "lobby")
    room = open_room(log)
    [first] = room.post("Erick", ["before"], ["k"]).wait()
    log._writer = FailingDisk(log._writer, was_stored)  # type: ignore[assignment]
    for sender, key in (("Erick", "l"), ("erick", "l"), ("ERICK", "l")):
        with pytest.raises(LogUncertain, match="the same key"):
            room.post(sender, ["lost?"], [key]).wait()
    assert room.post("erick", ["before"], ["k"]).wait() == [first]
    with pytest.raises(KeyConflict):
        room.post("erick", ["other"], ["k"]).wait()
    with pytest.raises(LogUnavailable, match="nothing was stored") as caught:
        room.post("Erick", ["new"], ["m"]).wait()
    assert not isinstance(caught.value, LogUncertain)
    room.close()
    room.close_log()

    again = open_room(SqliteLog(path, "lobby"))
    assert again.log.tail == 1 + was_stored
    [message] = again.post("erick", ["lost?"], ["l"]).wait()
    assert message.sender == ("Erick" if was_stored else "erick")
    assert [m.text for m in again.history(0, 9)] == ["before", "lost?"]
