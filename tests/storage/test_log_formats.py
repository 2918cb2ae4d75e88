"""Logs of older formats: the first start brings them up to date, and nothing that was said in them changes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyrochat import KeyConflict, LogDamaged
from pyrochat.core.commands import Post
from pyrochat.storage.log_file import log_path
from pyrochat.storage.log_formats import FORMAT, add_digests
from pyrochat.storage.sqlite_log import SqliteLog
from pyrochat.storage.verifying import verify_file
from pyrochat.values.message import Message
from tests.core.modelling import Driven

SEAL_KEY = "5ea1" * 16
MESSAGES = [
    *(Message(id, "lobby", "Ana", f"text {id}", 1_000_000 + id, key=f"k{id}") for id in range(1, 41)),
    Message(41, "lobby", "Erick", "hi", 1_000_041, key="k"),
    Message(42, "lobby", "erick", "hi again", 1_000_042, key="k"),  # as older versions let it happen
    Message(43, "lobby", "Igor", "no key", 1_000_043),
]


def nothing(done: int, total: int) -> None:
    """No progress is shown."""


def changed(path: Path, *statements: str) -> None:
    db = sqlite3.connect(path)
    db.executescript("; ".join(statements))
    db.close()


@pytest.fixture(params=[1, 2])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A log as an older version has left it."""
    path = log_path(tmp_path, "lobby")
    log = SqliteLog(path, "lobby")
    log.append([message._replace(key=None) if message.id == 42 else message for message in MESSAGES])
    log.close()
    changed(
        path, "DROP TRIGGER forget_key", "DROP TABLE keys",
        "CREATE UNIQUE INDEX messages_by_key ON messages (key, sender) WHERE key IS NOT NULL",
        "UPDATE messages SET key = 'k' WHERE id = 42", f"INSERT INTO about VALUES ('seal_key', '{SEAL_KEY}')",
        "PRAGMA user_version = 2", "ALTER TABLE messages DROP COLUMN digest", "DELETE FROM about WHERE key = 'origin'",
        "PRAGMA user_version = 1",
    )  # fmt: skip
    if request.param == 2:
        db = sqlite3.connect(path, isolation_level=None)
        add_digests(db, nothing)
        db.close()
    else:
        changed(path, "DELETE FROM about WHERE key = 'seal_key'")
    return path


def version(path: Path) -> int:
    db = sqlite3.connect(path)
    found: int = db.execute("PRAGMA user_version").fetchone()[0]
    db.close()
    return found


def test_the_first_start_brings_a_log_up_to_date_and_changes_no_digest(old: Path) -> None:
    before = verify_file(old, nothing)[1].digest if version(old) == 2 else None
    progress: list[tuple[int, int]] = []
    log = SqliteLog(old, "lobby", progress=lambda done, total: progress.append((done, total)))
    assert log.read(0, 100) == MESSAGES
    tail, digest = log.tip
    log.close()
    assert (tail, version(old)) == (len(MESSAGES), FORMAT)
    assert before in (None, digest)
    assert verify_file(old, nothing)[1].digest == digest
    assert progress[-1] == (len(MESSAGES), len(MESSAGES))
    SqliteLog(old, "lobby").close()


def test_found_15_of_a_key_that_stands_twice_the_first_message_counts(old: Path) -> None:
    log = SqliteLog(old, "lobby")
    log.loss = None  # its witness knows another log
    room = Driven(log)
    for sender in ("Erick", "erick", "ERICK"):
        [[same], [other]] = room.apply(
            *(Post(sender, "erick", (text,), ("k",)) for text in ("hi", "hi again"))
        ).outcomes
        assert same == [MESSAGES[40]]
        assert isinstance(other, KeyConflict)
    assert room.apply(Post("ANA", "ana", ("text 7",), ("k7",))).outcomes == [[[MESSAGES[6]]]]
    assert log.tail == len(MESSAGES)
    log.close()


def test_found_8_no_secret_stays_in_the_log(old: Path) -> None:
    assert (SEAL_KEY.encode() in old.read_bytes()) == (version(old) == 2)
    log = SqliteLog(old, "lobby")
    files = [file for file in old.parent.iterdir() if file.suffix != ".lock"]
    assert {file.name for file in files} >= {"lobby.sqlite3", "lobby.sqlite3-wal"}
    for file in files:
        assert SEAL_KEY.encode() not in file.read_bytes()
        assert b"seal_key" not in file.read_bytes()
    log.close()


@pytest.mark.parametrize("old", [2], indirect=True)
def test_a_damaged_log_of_an_older_format_is_left_as_it_is_until_its_operator_has_decided(old: Path) -> None:
    changed(old, "UPDATE messages SET text = 'forged' WHERE id = 30")
    with pytest.raises(LogDamaged, match="message 30 was changed"):
        SqliteLog(old, "lobby")
    assert version(old) == 2
    log = SqliteLog(old, "lobby", accept_loss=True)
    assert log.tail == 29
    log.close()
    assert version(old) == FORMAT
    [kept] = old.parent.glob("lobby-before-*.sqlite3")
    assert verify_file(kept, nothing)[1].whole_up_to == 29
