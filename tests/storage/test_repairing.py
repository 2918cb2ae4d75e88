"""Repairing: what is damaged comes from a backup, where the digests prove it right; nothing else changes."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from pyrochat.commands.maintenance import repair_room
from pyrochat.core.integrity import DIFFERS
from pyrochat.core.log import MemberRecord
from pyrochat.core.sessions import Session
from pyrochat.storage.backup import back_up
from pyrochat.storage.log_file import log_path
from pyrochat.storage.reading import messages_in
from pyrochat.storage.repairing import repair
from pyrochat.storage.sqlite_log import SqliteLog
from pyrochat.storage.verifying import verify_file
from pyrochat.values.errors import InvalidArgument, LogDamaged, LogInUse, LogUnreadable
from pyrochat.values.message import EDIT, REDACT, Message
from tests.core.modelling import Driven
from tests.core.test_current import said
from tests.storage.test_verifying import COUNT, VICTIM, damage, messages, nothing
from tests.support import SALT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed log of COUNT messages, of which all but the last ten are in `backup`."""
    path = log_path(tmp_path, "lobby")
    log = SqliteLog(path, "lobby")
    log.append(
        messages()[:-10],
        [MemberRecord("Ana", 3, 2, 1, 1)],
        {5: "ana/guest"},
        sessions={"1": Session("1", "ana", "Ana", home="a/1")},
    )
    back_up(path, tmp_path / "backup", nothing)
    log.append(messages()[-10:])
    log.close()
    return path


@pytest.fixture
def backup(path: Path, tmp_path: Path) -> Path:
    return tmp_path / "backup"


def everything(path: Path) -> list[object]:
    log = SqliteLog(path, "lobby")
    try:
        owners = log.find([("ana", f"k{id}") for id in range(1, 200)] + [("ana/guest", "k5")])
        return [log.tip, log.identity, log.loss, log.read(0, 1000), log.members(), log.sessions(), owners]
    finally:
        log.close()


def remove(path: Path, ids: tuple[int, ...]) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.executemany("DELETE FROM messages WHERE id = ?", [(id,) for id in ids])
        db.commit()


def scribble(path: Path, ids: tuple[int, ...]) -> None:
    """Pages that SQLite can't read."""
    with closing(sqlite3.connect(path)) as db:
        [(number,)] = db.execute(
            "SELECT pageno FROM dbstat WHERE name = 'messages' AND pagetype = 'leaf' LIMIT 1 OFFSET 1"
        )
        [(size,)] = db.execute("PRAGMA page_size")
    with path.open("r+b") as file:
        file.seek((number - 1) * size)
        file.write(b"\xff" * size)


DAMAGES: list[Callable[[Path, tuple[int, ...]], None]] = [
    damage,
    lambda path, ids: damage(path, ids, "digest = zeroblob(32)"),
    lambda path, ids: damage(path, ids, "time_us = 'x', text = x'00ff'"),
    remove,
]


@pytest.mark.parametrize("ids", [(VICTIM,), (1,), (20, 21, 22), (3, 50, COUNT - 10)], ids=str)
@pytest.mark.parametrize("how", DAMAGES)
def test_what_is_damaged_comes_from_the_backup_and_nothing_else_changes(
    path: Path, backup: Path, how: Callable[[Path, tuple[int, ...]], None], ids: tuple[int, ...]
) -> None:
    before = everything(path)
    how(path, ids)
    assert verify_file(path, nothing)[1].damage is not None
    repaired = repair(path, "lobby", backup, nothing)
    assert repaired.ids == list(ids)
    assert everything(path) == before
    assert verify_file(path, nothing)[1].damage is None
    assert repaired.kept is not None
    assert verify_file(repaired.kept, nothing)[1].damage is not None, "as it was"
    assert repair(path, "lobby", backup, nothing).ids == []


def test_a_log_from_before_sessions_had_a_home_is_repaired_too(path: Path, backup: Path) -> None:
    damage(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("ALTER TABLE sessions DROP COLUMN home")
        db.commit()
    assert repair(path, "lobby", backup, nothing).ids == [VICTIM]
    log = SqliteLog(path, "lobby")
    assert log.sessions() == [Session("1", "ana", "Ana")]
    log.close()


def test_pages_that_can_not_be_read_are_replaced_too(path: Path, backup: Path) -> None:
    before = everything(path)
    scribble(path, ())
    assert len(repair(path, "lobby", backup, nothing).ids) > 5
    assert everything(path) == before


def test_a_damage_that_stopped_the_room_is_over_and_another_loss_is_not(path: Path, backup: Path) -> None:
    changed = f"message {VICTIM} was changed: its digest does not fit"
    for loss in (changed, f"{DIFFERS}: {changed}", "somebody has more"):
        log = SqliteLog(path, "lobby")
        log.append([], loss=loss)
        log.close()
        damage(path)
        repaired = repair(path, "lobby", backup, nothing)
        assert repaired.loss == (None if "digest" in loss else loss)
        assert everything(path)[2] == repaired.loss


def test_a_copy_of_a_clusters_is_repaired_too_and_what_a_backup_does_not_heal_comes_from_the_cluster(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, backup = log_path(tmp_path, "lobby"), tmp_path / "backup"
    for loss, code in (
        (f"{DIFFERS}: message {VICTIM} was changed: its digest does not fit", 0),
        (f"{DIFFERS}: more", 1),
    ):
        log = SqliteLog(path, "lobby", shared="" if path.exists() else "an identity")
        log.append(messages() if log.tail == 0 else [], loss=loss)
        log.close()
        backup.unlink(missing_ok=True)
        back_up(path, backup, nothing)
        damage(path)
        assert repair_room("lobby", backup, tmp_path) == code
        shown = capsys.readouterr().out
        assert "repaired 1 message" in shown
        assert ("(it differs from what the other servers have: more): move the file away" in shown) == bool(code)
        assert "--accept-loss" not in shown
        SqliteLog(path, "lobby", shared="").close()


def test_what_the_backup_does_not_have_is_said_and_nothing_happens(path: Path, backup: Path) -> None:
    damage(path, (COUNT,))
    content = path.read_bytes()
    with pytest.raises(LogDamaged, match="the backup does not have it"):
        repair(path, "lobby", backup, nothing)
    assert path.read_bytes() == content
    assert not list(path.parent.glob("*before*"))


def test_a_forged_backup_changes_nothing(path: Path, backup: Path) -> None:
    """Not even one that is whole in itself: what comes behind was made with other digests."""
    forged = backup.with_name("forged")
    with closing(sqlite3.connect(backup)) as db:
        origin = db.execute("SELECT value FROM about WHERE key = 'origin'").fetchone()[0]
    log = SqliteLog(forged, "lobby")
    log.append(messages()[: VICTIM - 1])
    log.append([Message(id, "lobby", "Eve", "forged", 1, proof=SALT) for id in range(VICTIM, COUNT + 1)])
    log.close()
    with closing(sqlite3.connect(forged)) as db:
        db.execute("UPDATE about SET value = ? WHERE key = 'origin'", (origin,))
        db.commit()
    damage(path, what="digest = zeroblob(32)")
    content = path.read_bytes()
    with pytest.raises(LogDamaged):
        repair(path, "lobby", forged, nothing)
    assert path.read_bytes() == content


def test_the_last_message_is_proved_by_what_was_noted_of_the_end(path: Path, tmp_path: Path) -> None:
    before = everything(path)
    whole = tmp_path / "whole"
    back_up(path, whole, nothing)
    damage(path, (COUNT,), "digest = zeroblob(32)")
    with_notes = tmp_path / "notes"
    shutil.copytree(path.parent, with_notes)
    path.with_suffix(".tail").unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("DELETE FROM about WHERE key = 'verified'")
        db.commit()
    with pytest.raises(LogDamaged, match="nothing proves"):
        repair(path, "lobby", whole, nothing)
    repair(with_notes / path.name, "lobby", whole, nothing)
    assert everything(with_notes / path.name) == before


def test_what_can_not_be_used_is_said(path: Path, backup: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite3"
    SqliteLog(other, "lobby").close()
    with pytest.raises(InvalidArgument, match="another log"):
        repair(path, "lobby", other, nothing)
    with pytest.raises(LogUnreadable, match="no backup"):
        repair(path, "lobby", tmp_path / "none", nothing)
    with pytest.raises(LogUnreadable, match="no log"):
        repair(tmp_path / "none", "lobby", backup, nothing)
    log = SqliteLog(path, "lobby")
    with pytest.raises(LogInUse):
        repair(path, "lobby", backup, nothing)
    log.close()


def test_what_was_deleted_since_the_backup_does_not_come_back_with_it(tmp_path: Path) -> None:
    path, backup = log_path(tmp_path, "lobby"), tmp_path / "backup"
    log = SqliteLog(path, "lobby")
    room = Driven(log)  # type: ignore[arg-type]
    room.apply(said("Ana", "zebracrossing"))
    room.apply(said("Ana", "giraffehouse", EDIT, 1), said("Ana", "kept"))
    back_up(path, backup, nothing)
    room.apply(said("Ana", "", REDACT, 1))
    log.close()
    remove(path, (1, 2, 3))
    assert repair(path, "lobby", backup, nothing).ids == [1, 2, 3]
    assert [message.text for message in messages_in(path)] == ["", "", "kept", ""]
    assert verify_file(path, nothing)[1].damage is None
    assert not [word for word in (b"zebracrossing", b"giraffehouse") if word in path.read_bytes()]
