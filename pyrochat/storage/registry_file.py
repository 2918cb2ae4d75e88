"""The file of the registry, ``names.sqlite3``: a log of its own, and what it comes to.

The log's entries and the tables that they make are written in one transaction, whose lock is the order: the operator's
commands write the same file while the server runs. One connection reads and another writes, so that who is known never
waits for who is new: in SQLite's WAL mode a reader waits for nobody, whoever holds the file.
"""

import contextlib
import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pyrochat.clock import monotonic
from pyrochat.core.log import Standing
from pyrochat.core.registry import (
    Changes,
    CreateRoom,
    NameRecord,
    RegistryCommand,
    Restore,
    RoomRecord,
    apply,
    command_to_wire,
)
from pyrochat.storage.closed_tables import CLOSED_SCHEMA, ClosedTables, write_closed
from pyrochat.storage.data_folder import open_data_folder
from pyrochat.storage.log_file import WAL_BYTES
from pyrochat.storage.place import FilePlace
from pyrochat.storage.troubles import Troubles
from pyrochat.trust.files import make_private
from pyrochat.values.errors import CannotHost, LogUnavailable
from pyrochat.values.rules import fold

log = logging.getLogger(__name__)

FORMAT = 3
BUSY_SECONDS = 1.0  # that a newcomer waits for whoever else writes; it takes twice as long where others wait too
_OPENING_SECONDS = 5.0
_RETRY_SECONDS = 0.02
_NAME = "member, name, key, since_us, banned, rival_of"
_ROOM = "room, name, creator, since_us"

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


_ABOUT = "CREATE TABLE IF NOT EXISTS about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"


class Tables(ClosedTables):
    """What the entries have come to, as `core.registry.apply` reads it. Raises sqlite3.Error."""

    def name(self, member: str) -> NameRecord | None:
        """See `RegistryState`."""
        row = self._db.execute(f"SELECT {_NAME} FROM names WHERE member = ?", (member,)).fetchone()
        return None if row is None else _name_record(row)

    def rivals(self, member: str) -> list[NameRecord]:
        """See `RegistryState`."""
        query = f"SELECT {_NAME} FROM names WHERE rival_of = ? ORDER BY since_us, member"
        return [_name_record(row) for row in self._db.execute(query, (member,))]

    def is_banned(self, member: str, key: str | None) -> bool:
        """See `RegistryState`."""
        query = "SELECT 1 FROM names WHERE banned AND (member = ? OR key = ?) LIMIT 1"
        return self._db.execute(query, (member, _blob(key))).fetchone() is not None

    def room(self, room: str, name: str) -> RoomRecord | None:
        """See `RegistryState`."""
        query = f"SELECT {_ROOM} FROM rooms WHERE name = ? OR room = ? ORDER BY name = ? DESC LIMIT 1"
        row = self._db.execute(query, (name, room, name)).fetchone()
        return None if row is None else RoomRecord(*row)

    def names(self) -> list[NameRecord]:
        """All of them, in the order in which they came."""
        return [_name_record(row) for row in self._db.execute(f"SELECT {_NAME} FROM names ORDER BY since_us, member")]

    def rooms(self) -> list[RoomRecord]:
        """All of them, in the order in which they came."""
        return [RoomRecord(*row) for row in self._db.execute(f"SELECT {_ROOM} FROM rooms ORDER BY since_us, room")]


def _name_record(row: tuple[str, str, bytes | None, int, int, str | None]) -> NameRecord:
    member, name, key, since_us, banned, rival_of = row
    return NameRecord(member, name, None if key is None else key.hex(), since_us, bool(banned), rival_of)


def _blob(key: str | None) -> bytes | None:
    return None if key is None else bytes.fromhex(key)


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


def connect(path: Path, busy_seconds: float) -> sqlite3.Connection:
    """A connection to the registry at *path*: every commit is on disk when it returns."""
    db = sqlite3.connect(path, timeout=busy_seconds, check_same_thread=False, isolation_level=None)
    try:
        _switch_to_wal(db, busy_seconds)
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
    except BaseException:
        db.close()
        raise
    return db


class RegistryFile:
    """The registry in the folder *data*. Any thread may call. Raises CannotHost where it can't be opened.

    busy_seconds: how long a change waits for another process that writes. connect: opens the file.
    Every method raises LogUnavailable where the file fails; the log says it, once for each way to fail.
    """

    def __init__(
        self, data: Path, *, busy_seconds: float = BUSY_SECONDS,
        connect: Callable[[Path, float], sqlite3.Connection] = connect,
    ) -> None:  # fmt: skip
        path = data / "names.sqlite3"
        self.touched = False  # by what others have decided
        self.decide: Callable[[RegistryCommand], None] = self._decide_here
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
                _bring_up_to_date(self._writer, path)
                self._writer.execute(f"PRAGMA busy_timeout = {busy_seconds * 1000:.0f}")
                self._reader = connect(path, busy_seconds)
                undo.callback(self._reader.close)
                self._reader.execute("PRAGMA query_only = ON")
                self._place = FilePlace(path)
                self.identity, self.standing = _about(self._writer)
                self._version = self._data_version()
                undo.pop_all()
        except (OSError, sqlite3.Error) as error:
            raise CannotHost(
                f"can't use {path} ({error}): it holds the names' keys; choose another data=, or move it away"
            ) from None

    def submit(self, command: RegistryCommand) -> None:
        """*command* is next: what it changes is on disk when this returns. Raises what `apply` raises."""
        self.decide(command)

    def _decide_here(self, command: RegistryCommand) -> None:
        if self.standing is not None:
            raise CannotHost(
                "the register of names in this folder is a cluster's: a server of the cluster has to run on it; or take it "
                "out of the cluster for good (pyrochat-server --import)"
            )
        with self.writing() as db:
            time_us = time.time_ns() // 1000
            changes = apply(Tables(db), command, time_us)
            if changes:
                write_entry(db, command, changes, time_us)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Tables]:
        """What is there now; waits for nobody who writes."""
        with self._reading_mutex:
            try:
                yield Tables(self._reader)
                self._troubles.over("read")
            except sqlite3.Error as error:
                raise self._failure("read", error) from None

    @contextlib.contextmanager
    def querying(self) -> Iterator[sqlite3.Connection]:
        """As `reading`, for questions that only the file can answer."""
        with self._reading_mutex:
            try:
                yield self._reader
                self._troubles.over("read")
            except sqlite3.Error as error:
                raise self._failure("read", error) from None

    def has_changed(self) -> bool:
        """Whether another process, or another server of the cluster, has written since the last call that could look: not while we wait to write."""
        self._find_place()
        if self.touched:
            self.touched = False
            return True
        if not self._writing_mutex.acquire(blocking=False):
            return False
        try:
            before, self._version = self._version, self._data_version()
            return self._version != before
        except sqlite3.Error as error:
            raise self._failure("read", error) from None
        finally:
            self._writing_mutex.release()

    def close(self) -> None:
        """Close the file. Idempotent."""
        with self._reading_mutex, self._writing_mutex:
            self._reader.close()
            self._writer.close()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """All of what is done within, or nothing. Raises LogUnavailable."""
        if not self._find_place():
            raise LogUnavailable("the register of names was deleted or replaced under its server: tell its operator")
        if not self._writing_mutex.acquire(timeout=self._busy_seconds):
            raise LogUnavailable("the register of names is held by others: try again in a moment")
        try:
            with _one_step(self._writer) as db:
                yield db
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


@contextlib.contextmanager
def _one_step(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All of what is done within, or nothing."""
    try:
        db.execute("BEGIN IMMEDIATE")
        yield db
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # else the failure has rolled back already
            db.execute("ROLLBACK")
        raise


def _about(db: sqlite3.Connection) -> tuple[str | None, Standing | None]:
    """Identity and standing of a registry that several servers have."""
    try:
        about = dict(db.execute("SELECT key, value FROM about"))
    except sqlite3.DatabaseError:  # damaged: whoever reads more of it hears of that
        return None, None
    if "standing" not in about:
        return None, None
    return about["identity"], Standing(*json.loads(about["standing"]))


def write_entry(db: sqlite3.Connection, command: RegistryCommand, changes: Changes, time_us: int) -> None:
    """*command* as the next entry, and what it changes."""
    wire = json.dumps(command_to_wire(command), ensure_ascii=False)
    db.execute("INSERT INTO entries (time_us, command) VALUES (?, ?)", (time_us, wire))
    for member, name in changes.names.items():
        db.execute("DELETE FROM names WHERE member = ?", (member,))
        if name is not None:
            row = name._replace(key=None)
            db.execute(f"INSERT INTO names ({_NAME}) VALUES (?, ?, ?, ?, ?, ?)", (*row[:2], _blob(name.key), *row[3:]))
    for key, room in changes.rooms.items():
        db.execute("DELETE FROM rooms WHERE room = ?", (key,))
        if room is not None:
            db.execute(f"INSERT INTO rooms ({_ROOM}) VALUES (?, ?, ?, ?)", room)
    write_closed(db, changes.closed)


def _bring_up_to_date(db: sqlite3.Connection, path: Path) -> None:
    """Format 1 had no entries, and its names were compared after NFC only; format 2 had no closed rooms.

    Raises CannotHost for a later format.
    """
    if (version := db.execute("PRAGMA user_version").fetchone()[0]) == FORMAT:
        db.execute(_ABOUT)
        return
    if version > FORMAT:
        raise CannotHost(f"{path} has format {version}, this PyroChat knows up to {FORMAT}: upgrade PyroChat")
    with _one_step(db):
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == FORMAT:  # another was quicker
            return
        for statement in filter(str.strip, CLOSED_SCHEMA.split(";")):
            db.execute(statement)
        db.execute(_ABOUT)
        if version < 2:
            _begin_log(db)
        db.execute(f"PRAGMA user_version = {FORMAT}")


def _begin_log(db: sqlite3.Connection) -> None:
    """Make entries of what a file of format 1 knows, or of nothing."""
    for statement in filter(str.strip, _SCHEMA.split(";")):
        db.execute(statement)
    db.execute("ALTER TABLE names ADD COLUMN rival_of TEXT")
    db.execute("CREATE INDEX rivals ON names (rival_of) WHERE rival_of IS NOT NULL")
    db.execute("CREATE TABLE entries (number INTEGER PRIMARY KEY, time_us INTEGER NOT NULL, command TEXT NOT NULL)")
    tables = Tables(db)
    names, rooms = tables.names(), tables.rooms()
    db.execute("DELETE FROM names")
    db.execute("DELETE FROM rooms")
    for known in names:
        member = fold(known.name)
        first = tables.name(member)
        record = known._replace(member=member)
        if first is not None:
            record = known._replace(member=f"before NFKC: {known.member}", rival_of=member)
            log.warning(
                "the names %r and %r are one since names are compared after NFKC: %r is refused until you free one of "
                "them (pyrochat-server names remove)", first.name, known.name, known.name,
            )  # fmt: skip
        restore = Restore(*record)
        write_entry(db, restore, apply(tables, restore, known.since_us), known.since_us)
    for room in rooms:
        create = CreateRoom(fold(room.name), room.name, room.creator)
        found = tables.room(create.room, create.name)
        if found is not None:
            log.warning(
                "the room %r has the name of room %r now, and is hosted no more: its log stays",
                room.name,
                found.name,
            )
        write_entry(db, create, apply(tables, create, room.since_us), room.since_us)
