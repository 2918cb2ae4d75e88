"""Opening a log: it is brought up to date, verified, and asked for what shows that its end is missing.

What was found whole once is not walked again before the room is there: a start costs what came since. The rest is
verified while the log is served.
"""

import contextlib
import itertools
import logging
import os
import sqlite3
import time
import uuid
from pathlib import Path
from typing import NamedTuple

from pyrochat.core.integrity import Tip, missing
from pyrochat.storage import witness
from pyrochat.storage.log_file import About, file_stem, last_resort, note_verified, prepare, read_about
from pyrochat.storage.log_formats import FORMAT, PROVED_FROM, bring_up_to_date, format_of
from pyrochat.storage.verifying import walk
from pyrochat.trust.files import open_private
from pyrochat.values.errors import CannotHost, LogDamaged
from pyrochat.values.progress import Progress

log = logging.getLogger(__name__)

_COPY_BYTES = 1024 * 1024


class Opened(NamedTuple):
    """A log that can be gone on with. tip: the id of its last message, and the digest there. loss: see `Log`.
    unverified: up to this id, what stands there was only found whole at an earlier start."""

    about: About
    tip: tuple[int, bytes]
    loss: str | None
    unverified: int


def opened_log(
    db: sqlite3.Connection, path: Path, descriptor: int, room: str, accept_loss: bool, progress: Progress,
    shared: str | None = None, order: str = "",
) -> Opened:  # fmt: skip
    """Open the log of *room* in the file *path* over *db*; see `SqliteLog`. descriptor: of the file, to copy it. shared:
    the identity of a new one."""
    before = format_of(db)
    kept = path.with_name(f"{file_stem(room)}-before-format-{FORMAT}.sqlite3")
    if 0 < before < FORMAT and not kept.exists():
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        copy_file(descriptor, kept)
    about = prepare(db, path, room, progress, shared, order)
    begin = None if accept_loss else _verified_point(db, about)
    verdict = walk(db, about, progress, after=begin)
    tip, loss = (verdict.whole_up_to, verdict.digest), about.loss
    if verdict.damage is not None:
        if not accept_loss:
            raise LogDamaged(
                f"{path}: {verdict.damage}; repair it from a backup (pyrochat-server repair), or {last_resort(about, tip[0])}"
            )
        loss = verdict.damage
    loss = loss or (_missing(db, path, about.identity, tip) if shared is None else None)
    if loss is not None and accept_loss:
        _accept(db, path, descriptor, room, loss, about.identity, tip[0])
        about, loss = read_about(db, path), None
    if bring_up_to_date(db, progress):
        about = read_about(db, path)
        verdict = walk(db, about, progress)
        if (verdict.whole_up_to, verdict.digest) != tip:
            raise LogDamaged(f"{path} is not whole in format {FORMAT} ({verdict.damage}): go back to {kept}")
    if kept.exists():
        kept.unlink()
        log.warning("room %s: its log is in format %d now, and whole: %s is removed", room, FORMAT, kept.name)
    if loss is None:
        note_verified(db, tip)
    return Opened(about, tip, loss, 0 if begin is None else begin[0])


def _verified_point(db: sqlite3.Connection, about: About) -> tuple[int, bytes] | None:
    """From where on the log has to be walked: where it was last found whole; None: from its beginning."""
    if about.verified is None:
        return None
    row = db.execute("SELECT digest FROM messages WHERE id = ?", (about.verified[0],)).fetchone()
    return about.verified if row is not None and row[0] == about.verified[1] else None


def _missing(db: sqlite3.Connection, path: Path, identity: str, tip: tuple[int, bytes]) -> str | None:
    """What shows that the log ended later once."""

    def digest_of(id: int) -> bytes | None:
        row = db.execute("SELECT digest FROM messages WHERE id = ?", (id,)).fetchone()
        return None if row is None else row[0]

    confirmed = db.execute("SELECT coalesce(max(delivered), 0) FROM members").fetchone()[0]
    return missing(Tip(identity, *tip), confirmed, witness.read(path), digest_of)


def _accept(
    db: sqlite3.Connection, path: Path, descriptor: int, room: str, loss: str, identity: str, tail: int
) -> None:
    """Go on from the tail as another log; the file as it was is kept beside it.

    What earlier logs have beyond the tail was given up as well: they are the same as this one up to it at most.
    """
    kept = kept_as(path, room, identity)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    copy_file(descriptor, kept)
    log.warning("room %s: loss accepted (%s); the log as it was is kept as %s", room, loss, kept)
    db.execute("BEGIN IMMEDIATE")
    db.execute("DELETE FROM messages WHERE id > ?", (tail,))
    db.execute("UPDATE members SET delivered = min(delivered, ?), read = min(read, ?)", (tail, tail))
    db.execute("DELETE FROM about WHERE key IN ('loss', 'verified')")
    db.execute(
        "UPDATE about SET value = ? WHERE key = ? AND CAST(value AS INTEGER) > ?", (tail + 1, PROVED_FROM, tail + 1)
    )
    db.execute("UPDATE about SET value = ? WHERE key LIKE 'fork:%' AND CAST(value AS INTEGER) > ?", (tail, tail))
    db.execute("INSERT INTO about VALUES (?, ?)", (f"fork:{identity}", tail))
    db.execute("UPDATE about SET value = ? WHERE key = 'identity'", (str(uuid.uuid4()),))
    db.execute("COMMIT")


def kept_as(path: Path, room: str, identity: str) -> Path:
    """Where the log of *room* as it is now is kept, beside *path*, when it is about to be changed."""
    stem = f"{file_stem(room)}-before-{time.strftime('%Y%m%dT%H%M%S')}-{identity[:8]}"
    names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    return next(kept for name in names if not (kept := path.with_name(f"{name}.sqlite3")).exists())


def copy_file(descriptor: int, target: Path) -> None:
    """Copy the file as it stands on disk. Not by its name: see `log_lock` on closing a descriptor.

    Raises CannotHost where there is no room for a copy.
    """
    try:
        with open(open_private(target), "wb") as copy, contextlib.ExitStack() as undo:
            undo.callback(target.unlink)
            offset = 0
            while part := os.pread(descriptor, _COPY_BYTES, offset):
                copy.write(part)
                offset += len(part)
            copy.flush()
            undo.pop_all()
    except OSError as error:
        raise CannotHost(f"can't keep a copy of the log as {target} ({error.strerror}): see to the disk") from None
