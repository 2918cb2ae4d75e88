"""The file of a log: where it is, what is in it, its lock, and how older formats are brought up to date."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import urllib.parse
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import filelock

from pyrochat.core.digests import digest_of_fields, first_digest
from pyrochat.values.errors import CannotHost, LogInUse, LogUnreadable
from pyrochat.values.message import SYSTEM
from pyrochat.values.rules import fold

__all__ = ["FORMAT", "About", "Progress", "connect", "is_used", "lock", "log_path", "prepare", "read_about"]

FORMAT = 2
_APPLICATION_ID = 0x50796368  # "Pych": `file` and SQLite's tools can tell our logs by it
_READ_ONLY_OR_FULL = ("SQLITE_READONLY", "SQLITE_FULL", "SQLITE_CANTOPEN", "SQLITE_IOERR")

Progress = Callable[[int, int], object]
"""Called now and then with ``(done, total)`` messages."""

_SCHEMA = f"""
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    sender TEXT NOT NULL,
    text TEXT NOT NULL,
    time_us INTEGER NOT NULL,
    kind TEXT NOT NULL,
    key TEXT,
    digest BLOB NOT NULL
);
CREATE UNIQUE INDEX messages_by_key ON messages (key, sender) WHERE key IS NOT NULL;
CREATE INDEX changes ON messages (id) WHERE kind = '{SYSTEM}';
CREATE TABLE members (
    member TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    delivered INTEGER NOT NULL,
    read INTEGER NOT NULL
) WITHOUT ROWID;
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {FORMAT};
"""


@dataclass(frozen=True, slots=True)
class About:
    """What a log file says of itself. origin: the identity that its chain of digests begins with."""

    room: str
    identity: str
    origin: str
    seal_key: bytes
    loss: str | None = None
    forks: dict[str, int] = field(default_factory=dict)


def log_path(data: Path, room: str) -> Path:
    """Where the log of *room* is in the data folder *data*."""
    return data / "rooms" / f"{urllib.parse.quote(fold(room), safe='')}.sqlite3"


def is_used(path: Path) -> bool:
    """Whether the file at *path* has messages in it, or anything else that a new room must not take over."""
    if not path.exists():
        return False
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            if not db.execute("SELECT 1 FROM sqlite_master").fetchone():
                return False
            return db.execute("SELECT 1 FROM messages LIMIT 1").fetchone() is not None
    except sqlite3.Error:
        return True


def lock(path: Path, room: str) -> filelock.BaseFileLock:
    """The lock of the log at *path*, held; the folder is made where it is missing. Raises LogInUse, CannotHost."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = filelock.FileLock(path.with_suffix(".lock"), blocking=False)
        held.acquire()
    except filelock.Timeout:
        raise LogInUse(
            f"another server has the log of room {room!r} open ({path}): stop it, or choose another --data"
        ) from None
    except OSError as error:
        raise CannotHost(
            f"can't use {path.parent} ({error.strerror or error}): choose another folder with --data"
        ) from None
    if not os.access(path.parent, os.W_OK):
        held.release()
        raise CannotHost(f"can't write in {path.parent}: choose another folder with --data")
    return held


def connect(path: Path) -> sqlite3.Connection:
    """A connection to the file at *path*: every commit is on disk when it returns."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=32)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA busy_timeout = 5000")
    except BaseException:
        connection.close()
        raise
    return connection


def prepare(db: sqlite3.Connection, path: Path, room: str, progress: Progress) -> About:
    """Make the schema in an empty file, bring an older format up to date; returns what the file is.

    Raises LogUnreadable where it is no log of *room*, CannotHost where the disk doesn't let us.
    """
    try:
        is_new = not db.execute("SELECT 1 FROM sqlite_master").fetchone()
        if not is_new:
            _check_format(db, path)  # before anything is written: it may be somebody else's
        db.execute("PRAGMA journal_mode = WAL")
        if is_new:
            identity = str(uuid.uuid4())
            db.executescript(f"BEGIN; {_SCHEMA}")
            about = {"identity": identity, "origin": identity, "room": room, "seal_key": secrets.token_hex(32)}
            db.executemany("INSERT INTO about VALUES (?, ?)", about.items())
            db.execute("COMMIT")
        if db.execute("PRAGMA user_version").fetchone()[0] == 1:
            _add_digests(db, progress)
    except sqlite3.Error as error:
        if (getattr(error, "sqlite_errorname", None) or "").startswith(_READ_ONLY_OR_FULL):
            raise CannotHost(
                f"can't write the log {path} ({error}): see to the disk, or choose another --data"
            ) from None
        raise LogUnreadable(
            f"{path} can't be read as a log ({error}): restore it from a backup, or move it away"
        ) from None
    found = read_about(db, path)
    if fold(found.room) != fold(room):
        raise LogUnreadable(f"{path} is the log of room {found.room!r}, not of {room!r}")
    return found


def read_about(db: sqlite3.Connection, path: Path) -> About:
    """What the file says of itself; raises LogUnreadable where it is no log of the newest format."""
    try:
        _check_format(db, path)
        about = dict(db.execute("SELECT key, value FROM about"))
        forks = {key[5:]: int(value) for key, value in about.items() if key.startswith("fork:")}
        seal_key = bytes.fromhex(about["seal_key"])
        return About(about["room"], about["identity"], about["origin"], seal_key, about.get("loss"), forks)
    except (sqlite3.Error, KeyError, ValueError) as error:
        raise LogUnreadable(
            f"{path} can't be read as a log ({error}): restore it from a backup, or move it away"
        ) from None


def _check_format(db: sqlite3.Connection, path: Path) -> None:
    if db.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION_ID:
        raise LogUnreadable(f"{path} is not a PyroChat log: move it away, or choose another --data")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if not 1 <= version <= FORMAT:
        raise LogUnreadable(f"{path} has format {version}, this PyroChat reads up to {FORMAT}: upgrade PyroChat")


def _add_digests(db: sqlite3.Connection, progress: Progress) -> None:
    """From format 1 to 2, in one step: every message gets its digest."""
    db.execute("BEGIN IMMEDIATE")
    try:
        identity = db.execute("SELECT value FROM about WHERE key = 'identity'").fetchone()[0]
        db.execute("INSERT INTO about VALUES ('origin', ?)", (identity,))
        db.execute("INSERT INTO about VALUES ('seal_key', ?)", (secrets.token_hex(32),))
        db.execute("ALTER TABLE messages ADD COLUMN digest BLOB NOT NULL DEFAULT x''")
        total = db.execute("SELECT coalesce(max(id), 0) FROM messages").fetchone()[0]
        digest = first_digest(identity)
        rows = db.execute("SELECT id, sender, text, time_us, kind, key FROM messages ORDER BY id")
        while batch := rows.fetchmany(1000):
            digests = []
            for id, sender, text, time_us, kind, key in batch:
                key = None if key is None else key.encode()
                digest = digest_of_fields(digest, id, sender.encode(), text.encode(), time_us, kind, key)
                digests.append((digest, id))
            db.executemany("UPDATE messages SET digest = ? WHERE id = ?", digests)
            progress(batch[-1][0], total)
        db.execute("PRAGMA user_version = 2")
        db.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise
