"""Logs of older formats: the first start brings them up to date, and nothing that was said in them changes.

The logs in `golden` were written by the versions that had these formats (3: by the first that did), as SQL. Their digests
stand here: whoever changes a rule breaks these tests.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from pathlib import Path

import pytest

from pyrochat import KeyConflict, LogDamaged, LogUnreadable
from pyrochat.client.answers import read_delivered
from pyrochat.core.digests import extend_chain
from pyrochat.core.log import MemberRecord
from pyrochat.storage import opening
from pyrochat.storage.log_file import log_path
from pyrochat.storage.log_formats import FORMAT
from pyrochat.storage.sqlite_log import SqliteLog
from pyrochat.storage.verifying import verify_file
from pyrochat.values.message import EDIT, REDACT, Message
from tests.core.modelling import Driven, post
from tests.core.test_current import said
from tests.support import chat_message

GOLDEN = Path(__file__).with_name("golden")
DIGESTS = {
    1: "7f3a30976b5b823b6b5b4968f27c5ab611c0d26d12ebfb954f69460f0ba751df",
    2: "0524c139d15908d5b6783442e74a333e018e18e51c4867da21c32f2c8521a808",
    3: "5ce166c0c1365bf2f88db9497018574a367bbfa976a32d740387d9a344e0c7f0",
}
SEAL_KEY = b"825844cee4e0c96942c5088d0129bc56e78630f8931ecfe4ead8e1f2f6eb4894"
TEXTS = [
    "Ana joined", "olá ⏎ 😀", "Igor joined", "line\nline", "Ana left", "Zoë joined", "ANA joined", "again, spelled anew",
    "Igor left", "Igor joined", "a poll: 1 or 2?",
]  # fmt: skip
CHANGES = ["joined", None, "joined", None, "left", "joined", "joined", None, "left", None, None]


def nothing(done: int, total: int) -> None:
    """No progress is shown."""


def golden(folder: Path, format: int) -> Path:
    """The log of *format*, in a data folder in *folder*."""
    path = log_path(folder, "lobby")
    path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript((GOLDEN / f"format{format}.sql").read_text())
    return path


@pytest.fixture(params=[1, 2])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A log as an older version has left it."""
    return golden(tmp_path, request.param)


def changed(path: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(statement)


def asked(path: Path, question: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as db:
        return db.execute(question).fetchall()


def version(path: Path) -> int:
    [(found,)] = asked(path, "PRAGMA user_version")
    assert isinstance(found, int)
    return found


def test_the_first_start_brings_a_log_up_to_date_and_changes_no_digest(
    old: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = version(old)
    progress: list[tuple[int, int]] = []
    with caplog.at_level(logging.WARNING):
        log = SqliteLog(old, "lobby", progress=lambda done, total: progress.append((done, total)))
    messages, members, (tail, digest) = log.read(0, 100), log.members(), log.tip
    log.close()
    assert version(old) == FORMAT
    assert digest.hex() == DIGESTS[before]
    assert verify_file(old, nothing)[1].digest == digest
    assert [message.text for message in messages] == TEXTS
    assert [message.change for message in messages] == CHANGES
    assert {(message.about, message.ref, message.proof, message.more) for message in messages} == {(None,) * 4}
    assert sorted(members, key=lambda record: record.name) == [
        MemberRecord("ANA", 11, 8, 1, 7), MemberRecord("Igor", 9, 4, 3, None), MemberRecord("Zoë", 11, 11, 6, 6)
    ]  # fmt: skip
    assert asked(old, "SELECT value FROM about WHERE key = 'proved_from'") == [(str(tail + 1),)]
    assert progress[-1] == (tail, tail)
    assert [record.getMessage() for record in caplog.records] == [
        "room lobby: its log is in format 3 now, and whole: lobby-before-format-3.sqlite3 is removed"
    ]
    assert list(old.parent.glob("*before*")) == []


def test_who_was_two_members_before_nfkc_is_one_and_has_the_marks_of_both(old: Path) -> None:
    changed(old, "INSERT INTO members (member, name, delivered, read) VALUES ('ｉgor', 'Ｉgor', 10, 2)")
    log = SqliteLog(old, "lobby")
    [igor] = [record for record in log.members() if record.member == "igor"]
    log.close()
    assert (igor.delivered, igor.read, igor.first_joined) == (10, 4, 3)


def test_what_comes_after_is_proved_by_the_new_rule_and_what_was_before_by_the_old(old: Path) -> None:
    log = SqliteLog(old, "lobby")
    tail = log.tail
    log.append([chat_message(tail + 1), chat_message(tail + 2)])
    log.close()
    SqliteLog(old, "lobby").close()
    assert verify_file(old, nothing)[1].whole_up_to == tail + 2
    changed(old, f"UPDATE messages SET proof = NULL WHERE id = {tail + 1}")
    changed(old, "DELETE FROM about WHERE key = 'verified'")
    with pytest.raises(LogDamaged, match=f"message {tail + 1} was changed"):
        SqliteLog(old, "lobby")


def test_a_log_of_format_3_is_what_it_was(tmp_path: Path) -> None:
    """With a text that is gone, a kind and fields of a later version, and a name that is not the id."""
    path = golden(tmp_path, 3)
    log = SqliteLog(path, "lobby")
    assert log.tip == (7, bytes.fromhex(DIGESTS[3]))
    messages = log.read(0, 100)
    log.close()
    time_us = 1_764_000_000_000_000
    assert messages[0] == Message(1, "lobby", "Ana", "Ana joined", time_us + 1, "system", "ab" * 32, None, "joined", None, "salt-000001")  # fmt: skip
    assert messages[3] == Message(4, "lobby", "Igor", "", time_us + 4, proof="5a" * 32)
    assert messages[4] == Message(5, "lobby", "Ana", "yes", time_us + 5, about=2, ref="ana.7", proof="salt-000005")
    assert messages[5] == Message(
        6,
        "lobby",
        "Ana",
        "1 or 2?",
        time_us + 6,
        "poll",
        "p1",
        2,
        "opened",
        None,
        "salt-000006",
        '["more",null,3,true,1.5]',
    )
    assert messages[5].to_wire()[11:] == ["more", None, 3, True, 1.5]


@pytest.mark.parametrize(
    "column", ["kind", "sender", "text", "key", "about", "change", "ref", "proof", "more", "time_us"]
)
def test_every_field_is_covered(tmp_path: Path, column: str) -> None:
    path = golden(tmp_path, 3)
    id = 5 if column == "ref" else 6
    changed(path, f"UPDATE messages SET {column} = {column} || '1' WHERE id = {id}")
    assert (verify_file(path, nothing)[1].damage or "").startswith(f"message {id} was changed")
    if column in ("key", "about", "change", "ref", "more"):
        changed(path, f"UPDATE messages SET {column} = NULL WHERE id = {id}")
        assert verify_file(path, nothing)[1].whole_up_to == id - 1


def test_found_15_of_a_key_that_stands_twice_the_first_message_counts(old: Path) -> None:
    log = SqliteLog(old, "lobby")
    room = Driven(log)
    for sender in ("Ana", "ana", "ANA"):
        [[same], [other]] = room.apply(*(post(sender, [text], ["c1-1"]) for text in ("olá ⏎ 😀", "another"))).outcomes
        assert same == log.read(1, 1)
        assert isinstance(other, KeyConflict)
    assert log.tail == len(TEXTS)
    log.close()


def test_found_8_no_secret_stays_in_the_log(old: Path) -> None:
    assert (SEAL_KEY in old.read_bytes()) == (version(old) == 2)
    log = SqliteLog(old, "lobby")
    files = [file for file in old.parent.iterdir() if file.suffix != ".lock"]
    assert {file.name for file in files} >= {"lobby.sqlite3", "lobby.sqlite3-wal"}
    for file in files:
        assert SEAL_KEY not in file.read_bytes()
        assert b"seal_key" not in file.read_bytes()
    log.close()


@pytest.mark.parametrize("old", [2], indirect=True)
def test_a_damaged_log_of_an_older_format_is_left_as_it_is_until_its_operator_has_decided(old: Path) -> None:
    changed(old, "UPDATE messages SET text = 'forged' WHERE id = 8")
    with pytest.raises(LogDamaged, match="message 8 was changed"):
        SqliteLog(old, "lobby")
    assert version(old) == 2
    log = SqliteLog(old, "lobby", accept_loss=True)
    assert log.tail == 7
    log.append([chat_message(8)])
    log.close()
    assert version(old) == FORMAT
    SqliteLog(old, "lobby").close()
    [kept] = old.parent.glob("lobby-before-*.sqlite3")
    assert verify_file(kept, nothing)[1].whole_up_to == 7


@pytest.mark.parametrize("step", ["_make_keys", "_make_fields", "_forget_seal_key"])
def test_who_is_stopped_in_between_has_the_old_log_and_goes_on(
    old: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a full disk; and its copy is there until the new one was found whole."""
    before = version(old)

    def full(*arguments: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(f"pyrochat.storage.log_formats.{step}", full)
        with pytest.raises(LogUnreadable, match="disk is full"):
            SqliteLog(old, "lobby")
    assert version(old) == 2
    [kept] = old.parent.glob("*before*")
    assert version(kept) == before
    log = SqliteLog(old, "lobby")
    assert [message.text for message in log.read(0, 100)] == TEXTS
    log.close()
    assert not kept.exists()


def test_who_is_stopped_after_it_removes_the_copy_at_the_next_start(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(opening, "read_about", stopped)
        with pytest.raises(KeyboardInterrupt):
            SqliteLog(old, "lobby")
    assert version(old) == FORMAT
    [kept] = old.parent.glob("*before*")
    SqliteLog(old, "lobby").close()
    assert not kept.exists()


@pytest.mark.parametrize("format", [1, 2, 3])
def test_a_text_from_before_format_3_can_be_deleted_and_no_digest_changes(tmp_path: Path, format: int) -> None:
    path = golden(tmp_path, format)
    log = SqliteLog(path, "lobby")
    room = Driven(log)  # type: ignore[arg-type]
    [text] = [message.id for message in log.read(0, 99) if message.text == "again, spelled anew"] or [2]
    before, sender, count = [log.digest(id) for id in range(1, log.tail + 1)], log.read(text - 1, 1)[0].sender, log.tail
    room.apply(said(sender, "giraffehouse", EDIT, text), said(sender, "", REDACT, text))
    assert [log.digest(id) for id in range(1, count + 1)] == before
    deleted, rows = log.read(text - 1, 1)[0], [message.to_wire() for message in log.read(0, 99)]
    assert (deleted.text, deleted.is_redacted) == ("", True)
    assert extend_chain(log.digest(0), read_delivered(rows))[-1] == log.tip[1], "a client takes it, and finds the same"
    log.close()
    assert verify_file(path, nothing)[1].damage is None
    assert b"spelled anew" not in path.read_bytes()


@pytest.mark.parametrize("format", [1, 2])
def test_what_is_about_a_message_is_found_by_an_index_in_a_log_that_was_brought_up_to_date(
    tmp_path: Path, format: int
) -> None:
    path = golden(tmp_path, format)
    SqliteLog(path, "lobby").close()
    SqliteLog(log_path(tmp_path, "new"), "new").close()
    for each in (path, log_path(tmp_path, "new")):
        with contextlib.closing(sqlite3.connect(each)) as db:
            [plan] = db.execute(
                "EXPLAIN QUERY PLAN SELECT id FROM messages WHERE about = ? ORDER BY id", (1,)
            ).fetchall()
        assert "USING" in plan[3], plan
        assert "about_index" in plan[3]
