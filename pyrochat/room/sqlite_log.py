"""The log of a room in one SQLite file.

WAL, ``synchronous=FULL``: a commit returns after fsync. One connection writes and checkpoints, because
SQLite before 3.51.3 can corrupt the WAL when several connections do; readers have their own, and only
read. A lock file beside the log keeps a second server away from it, and ends with the process.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import urllib.parse
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import filelock

from pyrochat.core.log import KeySeen, Log, MemberRecord
from pyrochat.values.errors import CannotHost, LogInUse, LogUnavailable, LogUnreadable
from pyrochat.values.message import SYSTEM, Message, kind_name
from pyrochat.values.rules import fold

__all__ = ["FORMAT", "SqliteLog", "log_path"]

FORMAT = 1
_APPLICATION_ID = 0x50796368  # "Pych": `file` and SQLite's tools can tell our logs by it

_SCHEMA = f"""
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    sender TEXT NOT NULL,
    text TEXT NOT NULL,
    time_us INTEGER NOT NULL,
    kind TEXT NOT NULL,
    key TEXT
);
CREATE UNIQUE INDEX messages_by_key ON messages (key, sender) WHERE key IS NOT NULL;
CREATE INDEX changes ON messages (id) WHERE kind = '{SYSTEM}';
CREATE TABLE members (
    member TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    secret BLOB,
    delivered INTEGER NOT NULL,
    read INTEGER NOT NULL
) WITHOUT ROWID;
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {FORMAT};
"""
_COLUMNS = "id, sender, text, time_us, kind, key"


def log_path(data: Path, room: str) -> Path:
    """Where the log of *room* is in the data folder *data*."""
    return data / "rooms" / f"{urllib.parse.quote(fold(room), safe='')}.sqlite3"


class SqliteLog(Log):
    """A `Log` in the file *path*, made where it is missing.

    Raises LogInUse where another server has it open, LogUnreadable where it is not a log of *room* in
    a format that this version knows, CannotHost where the folder can't be used.
    """

    def __init__(self, path: Path, room: str) -> None:
        self.path = path
        self._mutex = threading.Lock()  # guards the idle readers
        self._readers: list[sqlite3.Connection] = []
        self._closed = False
        self._lock = _locked(path, room)
        try:
            self._writer = self._connect()
            self._open(room)
        except sqlite3.Error as error:
            self._release()
            raise LogUnreadable(
                f"{path} can't be read as a log ({error}): restore it from a backup, or move it away"
            ) from None
        except BaseException:
            self._release()
            raise

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, cached_statements=32)
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA busy_timeout = 5000")
        except BaseException:
            connection.close()
            raise
        return connection

    def _open(self, room: str) -> None:
        db = self._writer
        db.execute("PRAGMA journal_mode = WAL")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and not db.execute("SELECT 1 FROM sqlite_master").fetchone():
            db.executescript(f"BEGIN; {_SCHEMA}")
            db.executemany("INSERT INTO about VALUES (?, ?)", [("identity", str(uuid.uuid4())), ("room", room)])
            db.execute("COMMIT")
        elif db.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION_ID:
            raise LogUnreadable(f"{self.path} is not a PyroChat log: move it away, or choose another --data")
        elif version != FORMAT:
            raise LogUnreadable(f"{self.path} has format {version}, this PyroChat reads {FORMAT}: upgrade PyroChat")
        about = dict(db.execute("SELECT key, value FROM about"))
        if fold(about["room"]) != fold(room):
            raise LogUnreadable(f"{self.path} is the log of room {about['room']!r}, not of {room!r}")
        self.identity, self.room = about["identity"], about["room"]
        self._tail = db.execute("SELECT coalesce(max(id), 0) FROM messages").fetchone()[0]
        rows = db.execute("SELECT count(*) FROM messages").fetchone()[0]
        if rows != self._tail:
            raise LogUnreadable(f"{self.path} ends at message {self._tail} but has {rows}: restore it from a backup")

    @property
    def tail(self) -> int:
        return int(self._tail)

    def append(self, messages: Sequence[Message], members: Sequence[MemberRecord] = ()) -> None:
        db = self._writer
        try:
            db.execute("BEGIN IMMEDIATE")
            if messages:
                db.executemany(
                    f"INSERT INTO messages ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
                    [(m.id, m.sender, m.text, m.time_us, m.kind, m.key) for m in messages],
                )
            if members:
                db.executemany(
                    "INSERT OR REPLACE INTO members (member, name, secret, delivered, read) VALUES (?, ?, ?, ?, ?)",
                    [(r.member, r.name, r.secret, r.delivered, r.read) for r in members],
                )
            db.execute("COMMIT")
        except sqlite3.IntegrityError:
            db.execute("ROLLBACK")
            raise KeySeen from None
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):  # the failure may have rolled back already
                db.execute("ROLLBACK")
            raise LogUnavailable(
                f"the room can't write its log ({error}): try again when its operator has seen to it"
            ) from None
        if messages:
            self._tail = messages[-1].id

    def read(self, after: int, limit: int) -> list[Message]:
        with self._reader() as db:
            rows = db.execute(
                f"SELECT {_COLUMNS} FROM messages WHERE id > ? AND id <= ? ORDER BY id",
                (after, min(after + limit, self._tail)),
            ).fetchall()
        return [self._message(row) for row in rows]

    def find(self, sender: str, key: str) -> Message | None:
        with self._reader() as db:
            row = db.execute(f"SELECT {_COLUMNS} FROM messages WHERE key = ? AND sender = ?", (key, sender)).fetchone()
        return None if row is None else self._message(row)

    def changes(self) -> list[Message]:
        with self._reader() as db:
            rows = db.execute(f"SELECT {_COLUMNS} FROM messages WHERE kind = '{SYSTEM}' ORDER BY id").fetchall()
        return [self._message(row) for row in rows]

    def members(self) -> list[MemberRecord]:
        with self._reader() as db:
            rows = db.execute("SELECT name, secret, delivered, read FROM members").fetchall()
        return [MemberRecord(name, secret, delivered, read) for name, secret, delivered, read in rows]

    def close(self) -> None:
        with self._mutex:
            if self._closed:
                return
            self._closed = True
        self._release()

    def _message(self, row: tuple[int, str, str, int, str, str | None]) -> Message:
        id, sender, text, time_us, kind, key = row
        return Message(id, self.room, sender, text, time_us, kind_name(kind), key)

    @contextlib.contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        with self._mutex:
            if self._closed:
                raise LogUnavailable("the log is closed: the server is being stopped")
            db = self._readers.pop() if self._readers else None
        try:
            if db is None:
                db = self._connect()
                db.execute("PRAGMA query_only = ON")
            yield db
        except sqlite3.Error as error:
            raise LogUnavailable(f"the room can't read its log ({error})") from None
        finally:
            if db is not None:
                self._give_back(db)

    def _give_back(self, reader: sqlite3.Connection) -> None:
        with self._mutex:
            if not self._closed:
                self._readers.append(reader)
                return
        reader.close()

    def _release(self) -> None:
        for db in self._readers:
            db.close()
        self._readers.clear()
        with contextlib.suppress(AttributeError):  # it failed before there was one
            self._writer.close()
        self._lock.release()


def _locked(path: Path, room: str) -> filelock.BaseFileLock:
    """The lock of the log at *path*, held; the folder is made where it is missing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(path.with_suffix(".lock"), blocking=False)
        lock.acquire()
    except filelock.Timeout:
        raise LogInUse(
            f"another server has the log of room {room!r} open ({path}): stop it, or choose another --data"
        ) from None
    except OSError as error:
        raise CannotHost(
            f"can't use {path.parent} ({error.strerror or error}): choose another folder with --data"
        ) from None
    if not os.access(path.parent, os.W_OK):
        lock.release()
        raise CannotHost(f"can't write in {path.parent}: choose another folder with --data")
    return lock
