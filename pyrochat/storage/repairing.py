"""Repairing a damaged log from a backup: rows that are not what was written are replaced, and nothing behind them is cut.

The digests prove that the backup's row is right, whoever has made the backup: it has to give the digest that stands in
the damaged row, or the one that the rows behind it were made with, up to the log's end.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pyrochat.core.digests import digest_after, erased, first_digest
from pyrochat.core.integrity import DIFFERS
from pyrochat.storage import witness
from pyrochat.storage.log_file import ERASE, About, connect, explained, last_resort, read_about
from pyrochat.storage.log_formats import FORMAT, SCHEMA, add_home, format_of
from pyrochat.storage.log_lock import LogLock
from pyrochat.storage.opening import copy_file, kept_as
from pyrochat.storage.reading import open_to_read
from pyrochat.storage.verifying import Verdict, walk
from pyrochat.trust.files import open_private
from pyrochat.values.errors import CannotHost, InvalidArgument, LogDamaged, LogUnreadable
from pyrochat.values.message import CHAT, EDIT, REDACT, message_of
from pyrochat.values.progress import Progress

_COLUMNS = "id, sender, text, time_us, kind, key, about, change, ref, proof, more"
_ROW = f"{_COLUMNS}, digest"
_BESIDE = {
    "members": "member, name, delivered, read, first_joined, joined",
    "sessions": "id, member, name, lost_at, home",
    "keys": "key, owner, id",
    "about": "key, value",
}


class Repaired(NamedTuple):
    """ids: of the rows that were replaced. kept: where the file as it was is. loss: what is noted still. is_shared: whether the log is a cluster's."""

    ids: list[int]
    verdict: Verdict
    kept: Path | None
    loss: str | None
    is_shared: bool


def repair(path: Path, room: str, backup: Path, progress: Progress) -> Repaired:
    """Repair the log of *room* at *path* from the log *backup*; where nothing is damaged, nothing happens.

    Raises LogInUse, LogUnreadable, CannotHost, and LogDamaged where *backup* doesn't have what it takes: the log is as
    it was then.
    """
    if not path.is_file():
        raise LogUnreadable(f"there is no log {path}: see data= and room=")
    with contextlib.ExitStack() as closing:
        lock = LogLock(path, room)
        closing.callback(lock.release)
        with explained(path):
            db = closing.enter_context(contextlib.closing(connect(path)))
            about = _checked(db, path)
            source = closing.enter_context(_opened_backup(backup, about))
            rows, verdict, healed = _right_rows(db, source, about, path, progress)
            if not rows:
                return Repaired([], verdict, None, about.loss, about.standing is not None)
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            kept = kept_as(path, room, about.identity)
            copy_file(lock.descriptor, kept)
            loss = None if (about.loss or "").removeprefix(f"{DIFFERS}: ") in healed else about.loss
            add_home(db)
            fresh = path.with_suffix(".repaired")
            closing.callback(fresh.unlink, missing_ok=True)
            found = _write(db, source, fresh, rows, loss, verdict)
            if (found.whole_up_to, found.digest, found.damage) != (verdict.whole_up_to, verdict.digest, None):
                raise LogDamaged(f"{path} could not be repaired ({found.damage}): restore the backup in its place")
            db.close()
            for end in ("-wal", "-shm"):
                path.with_name(path.name + end).unlink(missing_ok=True)
            os.replace(fresh, path)
        return Repaired(sorted(rows), verdict, kept, loss, about.standing is not None)


def _checked(db: sqlite3.Connection, path: Path) -> About:
    about = read_about(db, path)
    if about.order:
        raise CannotHost(
            f"{path} is of a room of the order {about.order}: host it, and the other sites give it what it lacks"
        )
    if format_of(db) != FORMAT:
        raise LogUnreadable(
            f"{path} has format {format_of(db)}: it can be repaired when a server has brought it up to date"
        )
    return about


@contextlib.contextmanager
def _opened_backup(backup: Path, about: About) -> Iterator[sqlite3.Connection]:
    if not backup.is_file():
        raise LogUnreadable(f"there is no backup {backup}")
    with open_to_read(backup) as source:
        theirs = read_about(source, backup)
        if theirs.origin != about.origin:
            raise InvalidArgument(f"{backup} is a copy of another log: name a backup of this one")
        if format_of(source) != FORMAT:
            raise LogUnreadable(
                f"{backup} has format {format_of(source)}: host it once in a data folder of its own first"
            )
        yield source


def _right_rows(
    db: sqlite3.Connection, source: sqlite3.Connection, about: About, path: Path, progress: Progress
) -> tuple[dict[int, tuple[Any, ...]], Verdict, set[str]]:
    """The rows that have to be replaced, by id; what the log is then; and what was said of the damages."""
    rows: dict[int, tuple[Any, ...]] = {}
    unproven: list[int] = []  # nothing behind them has shown yet that they are right
    healed: set[str] = set()
    last, digest = 0, first_digest(about.origin)
    while True:
        verdict = walk(db, about, progress, after=(last, digest))
        if verdict.whole_up_to > last:
            unproven.clear()
        if verdict.damage is None:
            break
        last, healed = verdict.whole_up_to + 1, healed | {verdict.damage}
        row = source.execute(f"SELECT {_COLUMNS} FROM messages WHERE id = ?", (last,)).fetchone()
        if row is None:
            raise LogDamaged(f"{path}: {verdict.damage}, and the backup does not have it: name a newer one")
        digest = digest_after(verdict.digest, message_of((last, "", *row[1:])))
        rows[last] = (*row, digest)
        unproven.append(last)
        if _stored_digest(db, last) == digest:
            unproven.clear()
    if unproven and not _is_the_end(path, about, last, digest):
        raise LogDamaged(
            f"{path}: message {unproven[0]} is damaged, and nothing proves that the one of the backup is what was there: "
            f"restore the backup in its place, or {last_resort(about, unproven[0] - 1)}"
        )
    return rows, verdict, healed


def _stored_digest(db: sqlite3.Connection, id: int) -> bytes | None:
    with contextlib.suppress(sqlite3.Error):
        row = db.execute("SELECT digest FROM messages WHERE id = ?", (id,)).fetchone()
        return None if row is None else row[0]
    return None


def _is_the_end(path: Path, about: About, id: int, digest: bytes) -> bool:
    """Whether the log is known to have had *digest* at *id*: by what was written down of its end."""
    seen = witness.read(path)
    return about.verified == (id, digest) or (seen is not None and (seen.tail, seen.digest) == (id, digest))


def _erase_deleted(db: sqlite3.Connection) -> None:
    """What was deleted since the backup was made stays so."""
    texts = db.execute(
        f"WITH gone (id) AS (SELECT about FROM messages WHERE kind = '{REDACT}') SELECT id, ?, {_COLUMNS[4:]} FROM messages "
        f"WHERE text <> '' AND (id IN gone AND kind = '{CHAT}' OR about IN gone AND kind = '{EDIT}')", ("",)
    ).fetchall()  # fmt: skip
    db.executemany(ERASE, [(m.text, m.proof, m.id) for m in map(erased, map(message_of, texts))])


def _write(
    db: sqlite3.Connection, source: sqlite3.Connection, fresh: Path, rows: dict[int, tuple[Any, ...]], loss: str | None,
    verdict: Verdict,
) -> Verdict:  # fmt: skip
    """Make the file *fresh*: the log of *db* with *rows* in the places of those that are damaged; returns what it is."""
    fresh.unlink(missing_ok=True)
    os.close(open_private(fresh))
    with contextlib.closing(connect(fresh)) as new:
        new.executescript(f"BEGIN; {SCHEMA}")
        insert = f"INSERT INTO messages ({_ROW}) VALUES ({', '.join('?' * len(_ROW.split(',')))})"
        begin = 0
        for id in [*sorted(rows), verdict.whole_up_to + 1]:
            if id > begin + 1:
                query = (
                    f"SELECT {_ROW} FROM messages WHERE id > ? ORDER BY id LIMIT ?"  # what comes then is not looked at
                )
                new.executemany(insert, db.execute(query, (begin, id - begin - 1)))
            if id in rows:
                new.execute(insert, rows[id])
            begin = id
        for table, columns in _BESIDE.items():
            marks = ", ".join("?" * len(columns.split(",")))
            insert = f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})"
            new.executemany(insert, db.execute(f"SELECT {columns} FROM {table}"))
        for id in rows:  # the key of a row that was missing went with it
            new.executemany("INSERT OR IGNORE INTO keys VALUES (?, ?, ?)", source.execute("SELECT key, owner, id FROM keys WHERE id = ?", (id,)))  # fmt: skip
        _erase_deleted(new)
        if loss is None:
            new.execute("DELETE FROM about WHERE key = 'loss'")
        new.execute("COMMIT")
        return walk(new, read_about(new, fresh), lambda done, total: None)
