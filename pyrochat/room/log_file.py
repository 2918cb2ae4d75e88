"""The file of a log: where it is, what is in it, and how older formats are brought up to date."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import sqlite3
import urllib.parse
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pyrochat.core.digests import digest_of_fields, first_digest
from pyrochat.values.errors import CannotHost, LogUnreadable
from pyrochat.values.message import SYSTEM
from pyrochat.values.rules import fold

__all__ = [
    "BUSY_MILLISECONDS", "FORMAT", "WAL_BYTES", "About", "Progress", "connect", "file_stem", "is_used", "log_path", "prepare", "read_about",
]  # fmt: skip

FORMAT = 2
_APPLICATION_ID = 0x50796368  # "Pych": `file` and SQLite's tools can tell our logs by it
BUSY_MILLISECONDS = 5000
WAL_BYTES = 4 * 1024 * 1024  # SQLite writes it into the file at 1,000 pages, about as much
_STEM_DIGITS = 32  # 128 bits: nobody finds two names with the same
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


def file_stem(room: str) -> str:
    """How the files of *room* are called, without what comes after the dot: lower-case ASCII, 37 characters at most.

    The folded name itself where it is ASCII. Any other would depend on how a file system compares and spells
    letters, and may have 384 bytes where it takes 255 (or 143): it is replaced by its digest, which no room's
    name can be taken for, as those have no ``~``.
    """
    name = fold(room)
    return name if name.isascii() else f"room~{hashlib.sha256(name.encode()).hexdigest()[:_STEM_DIGITS]}"


def log_path(data: Path, room: str) -> Path:
    """Where the log of *room* is in the data folder *data*; everything else of a room is beside it.

    A log that an earlier version has made stays where it is, under its name in percent encoding.
    """
    path = data / "rooms" / f"{file_stem(room)}.sqlite3"
    before = path.with_name(f"{urllib.parse.quote(fold(room), safe='')}.sqlite3")
    return before if os.path.lexists(before) and not os.path.lexists(path) else path


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


def connect(path: Path) -> sqlite3.Connection:
    """A connection to the file at *path*: every commit is on disk when it returns.

    Its WAL is cut to `WAL_BYTES` when it begins anew; without that it keeps the size that it once had.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=32)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
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
