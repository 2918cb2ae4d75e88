"""Which name belongs to which key, who is banned, which rooms were created: one file for all rooms of a server.

A name belongs to the first key that used it, until the operator frees it. The operator's commands write
the same file while the server runs; it looks whether that has happened (`has_changed`). A room that was
created while a server ran is remembered, so that the next start opens it again.

One connection reads and another writes, so that who is known never waits for who is new: in SQLite's WAL mode a
reader waits for nobody, whoever holds the file.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pyrochat.clock import monotonic
from pyrochat.storage.data_folder import open_data_folder
from pyrochat.storage.log_file import WAL_BYTES
from pyrochat.storage.place import Place
from pyrochat.storage.troubles import Troubles
from pyrochat.trust.files import make_private
from pyrochat.values.errors import Banned, CannotHost, InvalidArgument, LogUnavailable, NameTaken
from pyrochat.values.rules import checked_name, fold

__all__ = ["Registry", "RegistryEntry", "RememberedRoom"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS names (
    member TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    key BLOB,
    since_us INTEGER NOT NULL,
    banned INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS banned_keys ON names (key) WHERE banned;
CREATE INDEX IF NOT EXISTS names_of_keys ON names (key, since_us);
CREATE TABLE IF NOT EXISTS rooms (
    room TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    creator TEXT NOT NULL,
    since_us INTEGER NOT NULL
) WITHOUT ROWID;
"""
_BUSY_SECONDS = 1.0  # that a newcomer waits for whoever else writes; it takes twice as long where others wait too
_OPENING_SECONDS = 5.0
_RETRY_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class RegistryEntry:
    """name: as it was written first. key: the public key, None for a banned name without one. since_us: Unix µs."""

    name: str
    key: bytes | None
    since_us: int
    banned: bool


@dataclass(frozen=True, slots=True)
class RememberedRoom:
    """A room that *creator* made while a server ran. name: as it was written. since_us: Unix µs."""

    name: str
    creator: str
    since_us: int


def _switch_to_wal(db: sqlite3.Connection, busy_seconds: float) -> None:
    """Two who open a new file at the same moment meet here, where SQLite waits for nobody."""
    until = monotonic() + busy_seconds
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorname", None) != "SQLITE_BUSY" or monotonic() > until:
                raise
        time.sleep(_RETRY_SECONDS)


def _connect(path: Path, busy_seconds: float) -> sqlite3.Connection:
    """A connection to the register at *path*: every commit is on disk when it returns."""
    db = sqlite3.connect(path, timeout=busy_seconds, check_same_thread=False, isolation_level=None)
    try:
        _switch_to_wal(db, busy_seconds)
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
    except BaseException:
        db.close()
        raise
    return db


class Registry:
    """The registry in the folder *data*. Any thread may call. Raises CannotHost where it can't be opened.

    busy_seconds: how long a change waits for another process that writes. connect: opens the file.
    Every method raises LogUnavailable where the file fails; the log says it, once for each way to fail.
    """

    def __init__(
        self, data: Path, *, busy_seconds: float = _BUSY_SECONDS,
        connect: Callable[[Path, float], sqlite3.Connection] = _connect,
    ) -> None:  # fmt: skip
        path = data / "names.sqlite3"
        self._busy_seconds = busy_seconds
        self._troubles = Troubles("the register of names")
        self._reading_mutex = threading.Lock()  # guards _reader
        self._writing_mutex = threading.Lock()  # guards _writer
        try:
            with contextlib.ExitStack() as undo:
                open_data_folder(data)
                make_private(path)  # before there is anything beside it: that gets the same mode
                self._writer = connect(path, _OPENING_SECONDS)
                undo.callback(self._writer.close)
                self._writer.executescript(_SCHEMA)
                self._writer.execute(f"PRAGMA busy_timeout = {busy_seconds * 1000:.0f}")
                self._reader = connect(path, busy_seconds)
                undo.callback(self._reader.close)
                self._reader.execute("PRAGMA query_only = ON")
                self._place = Place(path)
                self._version = self._data_version()
                undo.pop_all()
        except (OSError, sqlite3.Error) as error:
            raise CannotHost(
                f"can't use {path} ({error}): it holds the names' keys; choose another data=, or move it away"
            ) from None

    def key_of(self, member: str) -> bytes | None:
        """The key that the folded name *member* belongs to."""
        entry = self._entry(member)
        return entry.key if entry else None

    def seconds_known(self, key: bytes) -> float:
        """How long ago *key* got its first name; 0.0 where it has none. Negative where the clock was corrected."""
        with self._reading() as db:
            since_us = db.execute("SELECT min(since_us) FROM names WHERE key = ?", (key,)).fetchone()[0]
        return 0.0 if since_us is None else (time.time_ns() // 1000 - since_us) / 1_000_000

    def check(self, name: str, key: bytes | None) -> RegistryEntry | None:
        """What is known of *name*, where *key* (None: a guest) may use it.

        Raises NameTaken where it belongs to another key, Banned.
        """
        member = fold(name)
        if self.is_banned(member, key):
            raise Banned(f"the name {name!r} is banned here")
        entry = self._entry(member)
        if entry is not None and entry.key not in (None, key):
            raise NameTaken(
                f"the name {name!r} belongs to another key: choose another name, or bring your key from where you "
                "used it (pyrochat key export); the server's operator can free the name"
            )
        return entry

    def claim(self, name: str, key: bytes | None) -> None:
        """Let *key* (None: a guest) use *name*; it belongs to the first key that comes. Raises as `check` does."""
        entry = self.check(name, key)
        if key is None or (entry is not None and entry.key == key):
            return
        with self._writing() as db:
            db.execute(
                "INSERT INTO names (member, name, key, since_us) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (member) DO UPDATE SET key = excluded.key WHERE names.key IS NULL",
                (fold(name), name, key, time.time_ns() // 1000),
            )
        self.check(name, key)  # another process may have been quicker

    def is_banned(self, member: str, key: bytes | None) -> bool:
        """Whether the folded name *member* is banned, or the key of a banned name is *key*."""
        with self._reading() as db:
            query = "SELECT 1 FROM names WHERE banned AND (member = ? OR key = ?) LIMIT 1"
            return db.execute(query, (member, key)).fetchone() is not None

    def bans(self) -> tuple[set[str], set[bytes]]:
        """The folded names that are banned, and the keys that they belong to."""
        with self._reading() as db:
            rows = db.execute("SELECT member, key FROM names WHERE banned").fetchall()
        return {member for member, _ in rows}, {key for _, key in rows if key is not None}

    def has_changed(self) -> bool:
        """Whether another process has written since the last call that could look: not while we wait to write."""
        self._find_place()
        if not self._writing_mutex.acquire(blocking=False):
            return False
        try:
            before, self._version = self._version, self._data_version()
            return self._version != before
        except sqlite3.Error as error:
            raise self._failure("read", error) from None
        finally:
            self._writing_mutex.release()

    # -- the operator ---------------------------------------------------------------------------------------

    def entries(self) -> list[RegistryEntry]:
        """All names, in the order in which they came."""
        with self._reading() as db:
            rows = db.execute("SELECT name, key, since_us, banned FROM names ORDER BY since_us").fetchall()
        return [RegistryEntry(name, key, since, bool(banned)) for name, key, since, banned in rows]

    def remove(self, name: str) -> None:
        """Free *name*: the next key that uses it owns it. Raises InvalidArgument where nobody has it, or it is banned."""
        member = fold(checked_name(name))
        with self._writing() as db:
            if db.execute("SELECT 1 FROM names WHERE member = ? AND banned", (member,)).fetchone():
                raise InvalidArgument(f"the name {name!r} is banned here: unban it first")
            if not db.execute("DELETE FROM names WHERE member = ?", (member,)).rowcount:
                raise InvalidArgument(f"no key has the name {name!r} here")

    def ban(self, name: str) -> None:
        """Nobody gets in as *name*, and the key that it belongs to under no name."""
        with self._writing() as db:
            db.execute(
                "INSERT INTO names (member, name, since_us, banned) VALUES (?, ?, ?, 1) "
                "ON CONFLICT (member) DO UPDATE SET banned = 1",
                (fold(checked_name(name)), name, time.time_ns() // 1000),
            )

    def unban(self, name: str) -> None:
        """Take a ban back. Raises InvalidArgument where there is none."""
        member = fold(checked_name(name))
        with self._writing() as db:
            if not db.execute("UPDATE names SET banned = 0 WHERE member = ? AND banned", (member,)).rowcount:
                raise InvalidArgument(f"the name {name!r} is not banned here")
            db.execute("DELETE FROM names WHERE member = ? AND key IS NULL", (member,))

    # -- rooms ------------------------------------------------------------------------------------------------

    def rooms(self) -> list[RememberedRoom]:
        """The rooms that were created, in the order in which they came."""
        with self._reading() as db:
            rows = db.execute("SELECT name, creator, since_us FROM rooms ORDER BY since_us").fetchall()
        return [RememberedRoom(*row) for row in rows]

    def has_room(self, name: str) -> bool:
        """Whether room *name* was created before."""
        with self._reading() as db:
            return db.execute("SELECT 1 FROM rooms WHERE room = ?", (fold(name),)).fetchone() is not None

    def remember_room(self, name: str, creator: str) -> None:
        """*creator* makes room *name*: the next start opens it again."""
        with self._writing() as db:
            row = (fold(name), name, creator, time.time_ns() // 1000)
            db.execute("INSERT OR IGNORE INTO rooms (room, name, creator, since_us) VALUES (?, ?, ?, ?)", row)

    def forget_room(self, name: str) -> None:
        """The next start doesn't open room *name* any more. Raises InvalidArgument where it is not remembered."""
        with self._writing() as db:
            if not db.execute("DELETE FROM rooms WHERE room = ?", (fold(name),)).rowcount:
                raise InvalidArgument(f"no room {name!r} was created here: rooms of room= are not remembered")

    def close(self) -> None:
        """Close the file. Idempotent."""
        with self._reading_mutex, self._writing_mutex:
            self._reader.close()
            self._writer.close()

    # -- within ---------------------------------------------------------------------------------------------

    def _entry(self, member: str) -> RegistryEntry | None:
        with self._reading() as db:
            row = db.execute("SELECT name, key, since_us, banned FROM names WHERE member = ?", (member,)).fetchone()
        return RegistryEntry(row[0], row[1], row[2], bool(row[3])) if row else None

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._reading_mutex:
            try:
                yield self._reader
                self._troubles.over("read")
            except sqlite3.Error as error:
                raise self._failure("read", error) from None

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        if not self._find_place():
            raise LogUnavailable("the register of names was deleted or replaced under its server: tell its operator")
        if not self._writing_mutex.acquire(timeout=self._busy_seconds):
            raise LogUnavailable("the register of names is held by others: try again in a moment")
        try:
            db = self._writer
            try:
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:  # else the failure has rolled back already
                    db.execute("ROLLBACK")
                raise
            self._troubles.over("write")
        except sqlite3.Error as error:
            raise self._failure("write", error) from None
        finally:
            self._writing_mutex.release()

    def _failure(self, what: str, error: sqlite3.Error) -> LogUnavailable:
        """Tell the operator that the file can't be used to *what*; returns what to raise."""
        self._troubles.say(
            f"{what} {error}",
            f"names.sqlite3 can't be used to {what} ({error}): see to the disk, and who else has it open",
        )
        return LogUnavailable(f"the register of names can't be used ({error}): try again later, or tell its operator")

    def _find_place(self) -> bool:
        """Whether the file is where it was when it was opened; else nothing may be written."""
        gone = self._place.changed()
        if gone is None:
            self._troubles.over("place")
            return True
        self._troubles.say(
            "place",
            f"IT IS NOT IN ITS PLACE ANY MORE: {gone}. No new names are taken until it is back, or the server is restarted",
            logging.CRITICAL,
        )
        return False

    def _data_version(self) -> int:
        version: int = self._writer.execute("PRAGMA data_version").fetchone()[0]
        return version
