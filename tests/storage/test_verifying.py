"""Is a log whole? Every changed byte of a row is found and named; a lost tail is noticed; a backup is a whole log."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from pyrochat.core.digests import extend_chain, first_digest
from pyrochat.core.integrity import DIFFERS
from pyrochat.storage import witness
from pyrochat.storage.backup import back_up
from pyrochat.storage.log_file import connect, forget_standing, log_path
from pyrochat.storage.sqlite_log import SqliteLog
from pyrochat.storage.verifying import verify_file
from pyrochat.values.errors import CannotHost, LogDamaged, LogUnreadable
from pyrochat.values.message import Message
from tests.support import SALT

COUNT = 120
VICTIM = 57


def nothing(done: int, total: int) -> None:
    """No progress is shown."""


def messages(count: int = COUNT) -> list[Message]:
    return [
        Message(id, "lobby", "Ana", f"text {id} of some length", 1_000_000 + id, key=f"k{id}", proof=SALT)
        for id in range(1, count + 1)
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed log of COUNT messages."""
    path = log_path(tmp_path, "lobby")
    log = SqliteLog(path, "lobby")
    log.append(messages())
    log.close()
    return path


def cut(path: Path, after: int) -> None:
    """Take the tail away as a restored old copy would, behind everybody's back."""
    db = sqlite3.connect(path)
    db.execute("DELETE FROM messages WHERE id > ?", (after,))
    db.commit()
    db.close()


def test_a_whole_log_is_said_to_be_whole(path: Path) -> None:
    about, verdict = verify_file(path, nothing, at=VICTIM)
    chain = extend_chain(first_digest(about.origin), messages())
    assert (verdict.whole_up_to, verdict.damage, verdict.digest) == (COUNT, None, chain[-1])
    assert verdict.expected == chain[VICTIM - 1]


def test_any_changed_byte_of_a_row_is_found_and_named(path: Path) -> None:
    """The row's record runs from its header to its digest: each byte is changed in three ways."""
    original = path.read_bytes()
    db = sqlite3.connect(path)
    sender, digest = db.execute("SELECT sender, digest FROM messages WHERE id = ?", (VICTIM,)).fetchone()
    db.close()
    end = original.index(digest) + len(digest)
    content = original.rindex(sender.encode(), 0, end)
    for offset in range(content - 8, end):  # the record's header has seven types and its own length
        for mask in (0x01, 0x10, 0x80):
            damaged = bytearray(original)
            damaged[offset] ^= mask
            path.write_bytes(damaged)
            _, verdict = verify_file(path, nothing)
            assert verdict.damage is not None, f"byte {offset - content} ^ {mask:#x}"
            assert f"message {VICTIM} " in verdict.damage, f"byte {offset - content} ^ {mask:#x}: {verdict.damage}"
            assert verdict.whole_up_to == VICTIM - 1


def damage(path: Path, ids: Sequence[int] = (VICTIM,), what: str = "text = 'forged'") -> None:
    """Change messages behind everybody's back."""
    db = sqlite3.connect(path)
    for id in ids:
        db.execute(f"UPDATE messages SET {what} WHERE id = ?", (id,))
    db.commit()
    db.close()


def was_never_verified(path: Path, upto: int = 0) -> None:
    """As if its server had been killed long after it had verified the log up to *upto*."""
    db = sqlite3.connect(path)
    db.execute("DELETE FROM about WHERE key = 'verified'")
    if upto:
        row = db.execute("SELECT digest FROM messages WHERE id = ?", (upto,)).fetchone()
        db.execute("INSERT INTO about VALUES ('verified', ?)", (f"{upto}:{row[0].hex()}",))
    db.commit()
    db.close()


@pytest.mark.parametrize("upto", [0, VICTIM - 1])
def test_a_server_does_not_start_where_what_came_since_is_damaged(path: Path, upto: int) -> None:
    was_never_verified(path, upto)
    damage(path)
    with pytest.raises(LogDamaged, match=f"message {VICTIM} was changed.*--accept-loss"):
        SqliteLog(path, "lobby")


def test_a_copy_of_a_clusters_is_filled_by_the_others_and_loses_nothing(tmp_path: Path) -> None:
    path = log_path(tmp_path, "lobby")
    log = SqliteLog(path, "lobby", shared="an identity")
    log.append(messages())
    log.close()
    was_never_verified(path)
    damage(path)
    with pytest.raises(LogDamaged, match=r"\(pyrochat-server repair\), or move the file away: the cluster fills it$"):
        SqliteLog(path, "lobby", shared="")


def test_a_copy_that_was_taken_out_of_its_cluster_is_the_operators_to_decide_on(tmp_path: Path) -> None:
    path = log_path(tmp_path, "lobby")
    log = SqliteLog(path, "lobby", shared="an identity")
    log.append(messages(), loss=f"{DIFFERS}: message 2 was changed")
    log.close()
    with closing(connect(path)) as db:
        forget_standing(db)
    log = SqliteLog(path, "lobby")
    assert log.loss == "message 2 was changed"
    log.close()


def test_an_operator_may_keep_what_is_before_the_damage(path: Path) -> None:
    log = SqliteLog(path, "lobby")
    old_identity = log.identity
    log.close()
    damage(path)
    log = SqliteLog(path, "lobby", accept_loss=True)
    assert log.tail == VICTIM - 1
    assert log.identity != old_identity
    assert log.forks == {old_identity: VICTIM - 1}
    assert log.find([("ana", f"k{VICTIM - 1}"), ("ana", f"k{VICTIM}")]).keys() == {("ana", f"k{VICTIM - 1}")}
    log.append([Message(VICTIM, "lobby", "Ana", "another", 1, proof=SALT)])
    log.close()
    assert verify_file(path, nothing)[1].whole_up_to == VICTIM
    [kept] = path.parent.glob("lobby-before-*.sqlite3")
    assert verify_file(kept, nothing)[1].damage is not None


def test_a_lost_tail_is_noticed_at_the_start(path: Path) -> None:
    cut(path, 20)
    assert verify_file(path, nothing)[1].damage is None  # the log itself can't tell
    log = SqliteLog(path, "lobby")
    assert log.loss is not None
    assert f"message {COUNT}" in log.loss
    log.close()
    log = SqliteLog(path, "lobby", accept_loss=True)
    assert (log.loss, log.tail) == (None, 20)
    log.close()


def test_found_8_forks_are_lowered_to_the_new_tail(path: Path) -> None:
    """Given a loss that was accepted, when another is, then the first log is the same as this one up to the new tail."""
    first = SqliteLog(path, "lobby")
    first.close()
    cut(path, 100)
    second = SqliteLog(path, "lobby", accept_loss=True)
    second.close()
    cut(path, 20)
    third = SqliteLog(path, "lobby", accept_loss=True)
    assert (third.loss, third.tail) == (None, 20)
    assert third.forks == {first.identity: 20, second.identity: 20}
    third.append([Message(id, "lobby", "Ana", "new", 1, proof=SALT) for id in range(21, 200)])
    third.close()
    again = SqliteLog(path, "lobby")
    assert again.forks == third.forks
    again.close()
    assert len(list(path.parent.glob("lobby-before-*.sqlite3"))) == 2


def test_found_14_a_kind_of_a_later_version_is_no_damage(path: Path) -> None:
    """It is walked, read, and delivered as it came; a changed byte of it is found as ever."""
    log = SqliteLog(path, "lobby")
    log.append([Message(COUNT + 1, "lobby", "Ana", "which one?", -5, "poll", "k", proof=SALT)])
    log.close()
    log = SqliteLog(path, "lobby")
    [message] = log.read(COUNT, 9)
    assert (message.kind, message.time_us, message.time.year) == ("poll", -5, 1970)
    assert log.digest(COUNT + 1) == extend_chain(log.digest(COUNT), [message])[0]
    log.close()
    db = sqlite3.connect(path)
    db.execute("UPDATE messages SET kind = 'pole' WHERE kind = 'poll'")
    db.commit()
    db.close()
    assert verify_file(path, nothing)[1].damage == f"message {COUNT + 1} was changed: its digest does not fit"


def test_a_loss_that_was_noted_is_remembered(path: Path) -> None:
    log = SqliteLog(path, "lobby")
    log.append([], loss="Igor has message 500")
    log.close()
    log = SqliteLog(path, "lobby")
    assert log.loss == "Igor has message 500"
    log.close()


def test_a_tail_that_was_replaced_is_noticed(path: Path) -> None:
    cut(path, 20)
    beside = path.with_suffix(".tail")
    seen = beside.read_bytes()
    beside.unlink()
    log = SqliteLog(path, "lobby")
    log.append([Message(id, "lobby", "Eve", "other", 1, proof=SALT) for id in range(21, COUNT + 10)])
    log.close()
    beside.write_bytes(seen)
    log = SqliteLog(path, "lobby")
    assert log.loss is not None
    assert "not the one that was there" in log.loss
    log.close()


@pytest.mark.parametrize("content", ["", "nonsense", "a b c", "id -1 zz"])
def test_a_witness_that_makes_no_sense_says_nothing(path: Path, content: str) -> None:
    path.with_suffix(".tail").write_text(content)
    assert witness.read(path) is None
    log = SqliteLog(path, "lobby")
    assert log.loss is None
    log.close()


def test_a_backup_of_an_open_log_is_a_whole_log(path: Path, tmp_path: Path) -> None:
    log = SqliteLog(path, "lobby")
    target = tmp_path / "backup.sqlite3"
    verdict = back_up(path, target, nothing)
    log.append([Message(COUNT + 1, "lobby", "Ana", "after the backup", 1, proof=SALT)])
    log.close()
    assert verdict.whole_up_to == COUNT
    assert verify_file(target, nothing)[1] == verdict


@pytest.mark.parametrize("prepare", [lambda target: target.write_text("mine"), lambda target: target.mkdir()])
def test_a_backup_overwrites_nothing(path: Path, tmp_path: Path, prepare: Callable[[Path], object]) -> None:
    target = tmp_path / "there"
    prepare(target)
    with pytest.raises(CannotHost, match="exists already"):
        back_up(path, target, nothing)


def test_what_is_no_log_is_said(tmp_path: Path) -> None:
    with pytest.raises(LogUnreadable, match="there is no log"):
        verify_file(tmp_path / "none.sqlite3", nothing)
    other = tmp_path / "other.sqlite3"
    other.write_text("no database at all, but long enough to look like a file" * 20)
    with pytest.raises(LogUnreadable):
        verify_file(other, nothing)


def test_a_start_walks_only_what_came_since_the_log_was_found_whole(path: Path) -> None:
    for upto in (0, VICTIM, COUNT):
        was_never_verified(path, upto)
        log = SqliteLog(path, "lobby")
        assert log.tip == (COUNT, log.digest(COUNT))
        assert log.unverified == upto
        log.close()


def test_a_server_that_is_killed_leaves_little_to_walk(tmp_path: Path) -> None:
    """What was committed long ago is noted with a later commit."""
    log = SqliteLog(tmp_path / "log.sqlite3", "lobby")
    try:
        for first in range(1, 30_001, 10_000):
            log.append([Message(id, "lobby", "Ana", "x", id, proof=SALT) for id in range(first, first + 10_000)])
        with closing(sqlite3.connect(tmp_path / "log.sqlite3")) as db:
            [(noted,)] = db.execute("SELECT value FROM about WHERE key = 'verified'").fetchall()
        assert noted == f"20000:{log.digest(20_000).hex()}"
    finally:
        log.close()


def test_a_point_that_does_not_fit_is_none(path: Path) -> None:
    was_never_verified(path, VICTIM)
    damage(path, what="digest = zeroblob(32)")
    with pytest.raises(LogDamaged, match=f"message {VICTIM} "):
        SqliteLog(path, "lobby")


def test_the_rest_is_verified_while_the_log_is_served(path: Path) -> None:
    log = SqliteLog(path, "lobby")
    try:
        assert (log.verify_more(50), log.unverified) == (None, COUNT - 50)
        log.append([Message(COUNT + 1, "lobby", "Ana", "meanwhile", 1, proof=SALT)])
        assert (log.verify_more(1000), log.unverified) == (None, 0)
        assert log.verify_more(1000) is None
    finally:
        log.close()


def test_damage_that_is_found_behind_later_messages_is_named(path: Path) -> None:
    damage(path)
    log = SqliteLog(path, "lobby")
    try:
        assert log.verify_more(50) is None
        assert f"message {VICTIM} was changed" in (log.verify_more(50) or "")
        assert log.unverified == 0
    finally:
        log.close()
