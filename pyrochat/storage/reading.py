"""A log that is only read, by ``--verify`` and ``--backup``: whether a server has it open or not, and on a disk
that can't be written too.

SQLite wants to write beside a log in WAL mode, even to read it. Where it can't: a log that was closed well has no WAL,
and is read as a file that doesn't change; one that wasn't has its newest messages there, and is read as a copy.
"""

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pyrochat.storage.log_file import connect, explained, read_about
from pyrochat.values.errors import CannotHost, LogUnreadable
from pyrochat.values.message import Message, message_of

_UNWRITABLE = ("SQLITE_CANTOPEN", "SQLITE_READONLY")


@contextlib.contextmanager
def open_to_read(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that reads the log in the file *path*, WAL included. Raises LogUnreadable, CannotHost."""
    with contextlib.ExitStack() as closing:
        try:
            db = closing.enter_context(contextlib.closing(connect(path)))
            db.execute("SELECT 1 FROM sqlite_master").fetchone()  # only now it is opened
        except sqlite3.Error as error:
            closing.close()
            if not (getattr(error, "sqlite_errorname", None) or "").startswith(_UNWRITABLE):
                raise LogUnreadable(f"{path} can't be read as a log ({error}): restore it from a backup") from None
            db = closing.enter_context(open_unwritable(path))
        db.execute("PRAGMA query_only = ON")
        yield db


@contextlib.contextmanager
def open_unwritable(path: Path) -> Iterator[sqlite3.Connection]:
    """As `open_to_read`, where nothing can be written beside *path*."""
    wal = path.with_name(f"{path.name}-wal")
    if not _size(wal):
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as db:
            yield db
        return
    with tempfile.TemporaryDirectory(prefix="pyrochat-") as folder:  # mode 0700
        copy = Path(folder) / "log.sqlite3"
        try:
            shutil.copyfile(path, copy)
            shutil.copyfile(wal, f"{copy}-wal")
        except OSError as error:
            raise CannotHost(
                f"can't copy {path} to {folder} to read it ({error.strerror}): point TMPDIR to a folder with more room"
            ) from None
        with contextlib.closing(connect(copy)) as db:
            yield db


def messages_in(path: Path) -> list[Message]:
    """All messages of the log in the file *path*. Raises LogUnreadable, CannotHost."""
    if not path.is_file():
        raise LogUnreadable(f"there is no log {path}")
    with open_to_read(path) as db, explained(path):
        about = read_about(db, path)
        added = "about, change, ref, proof, more" if about.proved_from is not None else "NULL, NULL, NULL, NULL, NULL"
        rows = db.execute(
            f"SELECT id, ?, sender, text, time_us, kind, key, {added} FROM messages ORDER BY id", (about.room,)
        )
        return list(map(message_of, rows))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
