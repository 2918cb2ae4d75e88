"""Archiving: a room begins a new log, and the old one stays beside it, whole and readable."""

import contextlib
import os
import uuid
from pathlib import Path
from typing import NamedTuple

from pyrochat.storage.log_file import connect, explained, file_stem, note_archived, prepare, read_about
from pyrochat.storage.log_formats import FORMAT, format_of
from pyrochat.storage.log_lock import LogLock
from pyrochat.storage.search_index import index_path
from pyrochat.trust.files import open_private
from pyrochat.values.errors import CannotHost, LogUnreadable


class Archived(NamedTuple):
    """kept: where the old log is. messages: how many it has. digest: of the last one."""

    kept: Path
    messages: int
    digest: bytes


def archive(path: Path, room: str) -> Archived:
    """Begin a new log of *room* at *path*: another identity, no messages, nobody in it; it says what it comes after.

    Either both are there, or nothing has happened. Raises LogInUse, LogUnreadable, CannotHost.
    """
    if not path.is_file():
        raise LogUnreadable(f"there is no log {path}: see data= and room=")
    with contextlib.ExitStack() as closing:
        lock = LogLock(path, room)
        closing.callback(lock.release)
        fresh = path.with_suffix(".fresh")
        with explained(path), contextlib.closing(connect(path)) as db:
            about = read_about(db, path)
            if about.order:
                raise CannotHost(
                    f"{path} is of a room of the order {about.order}: all its sites have what was said, so it begins no new log here"
                )
            if format_of(db) != FORMAT:
                raise LogUnreadable(
                    f"{path} has format {format_of(db)}: host it once, so that it is brought up to date"
                )
            if about.standing is not None:
                raise CannotHost(f"{path} is a cluster's: take it out first (pyrochat-server --import)")
            row = db.execute("SELECT id, digest FROM messages ORDER BY id DESC LIMIT 1").fetchone()
            if row is None:
                raise LogUnreadable(f"room {room!r} has no messages yet: there is nothing to archive")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        kept = path.with_name(f"{file_stem(room)}-until-{row[0]}-{about.identity[:8]}-{uuid.uuid4().hex[:4]}.sqlite3")
        try:
            fresh.unlink(missing_ok=True)
            os.close(open_private(fresh))
            closing.callback(fresh.unlink, missing_ok=True)
            with explained(fresh), contextlib.closing(connect(fresh)) as new:
                prepare(new, fresh, about.room, lambda done, total: None)  # of a closed room *room* is the id
                note_archived(new, about.archived | {about.identity: row[0]})
                new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            os.link(path, kept)
            os.replace(fresh, path)
        except OSError as error:
            raise CannotHost(f"can't begin a new log in {path.parent} ({error.strerror}): see to the disk") from None
        for beside in (path.with_suffix(".tail"), index_path(path)):  # they are the old log's
            beside.unlink(missing_ok=True)
        return Archived(kept, row[0], row[1])
