"""The file of a log: where it is, and what it says of itself."""

import contextlib
import hashlib
import json
import os
import sqlite3
import urllib.parse
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pyrochat.core.integrity import DIFFERS
from pyrochat.core.log import Standing
from pyrochat.storage.log_formats import APPLICATION_ID, FORMAT, PROVED_FROM, SCHEMA, add_digests
from pyrochat.values.errors import CannotHost, LogUnreadable
from pyrochat.values.progress import Progress
from pyrochat.values.rules import fold, fold_before_nfkc

BUSY_MILLISECONDS = 5000
ERASE = "UPDATE messages SET text = ?, proof = ? WHERE id = ?"  # see `core.digests.erased`
WAL_BYTES = 4 * 1024 * 1024  # SQLite writes it into the file at 1,000 pages, about as much
_VERIFIED, _ARCHIVED, _STANDING = "verified", "archived:", "standing"
_ORDER = "order"
_STEM_DIGITS = 32  # 128 bits: nobody finds two names with the same
_READ_ONLY_OR_FULL = ("SQLITE_READONLY", "SQLITE_FULL", "SQLITE_CANTOPEN", "SQLITE_IOERR")


@dataclass(frozen=True, slots=True)
class About:
    """What a log file says of itself. origin: the identity that its chain of digests begins with. proved_from: the id of the
    first message that has a proof (`core.digests`); None for an older format, where none has. verified: up to this id it
    was whole once, with that digest there. archived: the room's logs before this one, and how many messages each has.
    standing: see `Standing`. order: the room's, where the log is of another sort than that of one server; else empty.
    """

    room: str
    identity: str
    origin: str
    proved_from: int | None
    loss: str | None = None
    forks: dict[str, int] = field(default_factory=dict)
    verified: tuple[int, bytes] | None = None
    archived: dict[str, int] = field(default_factory=dict)
    standing: Standing | None = None
    order: str = ""


def file_stem(room: str) -> str:
    """How the files of *room* are called, without what comes after the dot: lower-case ASCII, 37 characters at most.

    The folded name itself where it is ASCII. Any other would depend on how a file system compares and spells
    letters, and may have 384 bytes where it takes 255 (or 143): it is replaced by its digest, which no room's
    name can be taken for, as those have no ``~``.
    """
    return _stem(fold(room))


def _stem(name: str) -> str:
    return name if name.isascii() else f"room~{hashlib.sha256(name.encode()).hexdigest()[:_STEM_DIGITS]}"


def log_path(data: Path, room: str) -> Path:
    """Where the log of *room* is in the data folder *data*; everything else of a room is beside it.

    A log that an earlier version has made stays where it is: under its name in percent encoding, or as it was compared
    before NFKC.
    """
    path = data / "rooms" / f"{file_stem(room)}.sqlite3"
    before = fold_before_nfkc(room)
    for stem in (_stem(before), urllib.parse.quote(before, safe="")):
        if os.path.lexists(path):
            break
        if os.path.lexists(path.with_name(f"{stem}.sqlite3")):
            return path.with_name(f"{stem}.sqlite3")
    return path


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


def was_in_use(path: Path) -> bool:
    """Whether somebody was in the room of the closed log at *path* when its server ended, or may have been."""
    if not path.exists():
        return False
    if path.with_name(f"{path.name}-wal").exists():  # it was not closed, or is open
        return True
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as db:
            return db.execute("SELECT 1 FROM sessions LIMIT 1").fetchone() is not None
    except sqlite3.Error:
        return True


def connect(path: Path) -> sqlite3.Connection:
    """A connection to the file at *path*: every commit is on disk when it returns.

    Its WAL is cut to `WAL_BYTES` when it begins anew; without that it keeps the size that it once had.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=32)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")  # a text that goes leaves nothing in free space
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """What SQLite says of the log at *path* meanwhile, as an error of ours: CannotHost, LogUnreadable."""
    try:
        yield
    except sqlite3.Error as error:
        if (getattr(error, "sqlite_errorname", None) or "").startswith(_READ_ONLY_OR_FULL):
            raise CannotHost(
                f"can't write the log {path} ({error}): see to the disk, or choose another data="
            ) from None
        raise LogUnreadable(
            f"{path} can't be read as a log ({error}): restore it from a backup, or move it away"
        ) from None


def prepare(
    db: sqlite3.Connection, path: Path, room: str, progress: Progress, shared: str | None = None, order: str = "",
) -> About:  # fmt: skip
    """Make the schema in an empty file, add digests where there are none; returns what the file is.

    What it still lacks of the newest format is for `log_formats.bring_up_to_date`, once the log is known to be
    whole. shared: it is one of several, and a new one has this identity. Raises LogUnreadable where it is no log of *room*,
    CannotHost where the disk doesn't let us, or it is shared, and was not, or the other way round.
    """
    with explained(path):
        is_new = not db.execute("SELECT 1 FROM sqlite_master").fetchone()
        if not is_new:
            _check_format(db, path)  # before anything is written: it may be somebody else's
        db.execute("PRAGMA journal_mode = WAL")
        if is_new:
            identity = shared or str(uuid.uuid4())
            db.executescript(f"BEGIN; {SCHEMA}")
            about = {"identity": identity, "origin": identity, "room": room, PROVED_FROM: "1"}
            db.executemany("INSERT INTO about VALUES (?, ?)", about.items())
            if shared is not None:
                note_standing(db, Standing())
            if order:
                db.execute("INSERT INTO about VALUES (?, ?)", (_ORDER, order))
            db.execute("COMMIT")
        add_digests(db, progress)
    found = read_about(db, path)
    if fold(found.room) != fold(room):
        raise LogUnreadable(f"{path} is the log of room {found.room!r}, not of {room!r}")
    if shared is None and found.standing is not None:
        raise CannotHost(
            f"{path} is a cluster's: host it there (pyrochat-server --cluster), or take it out for good (pyrochat-server --import)"
        )
    if shared is not None and found.standing is None:
        raise CannotHost(
            f"{path} is this machine's own: take it into the cluster (pyrochat-server --import), or move it away"
        )
    if found.order != order:
        has, wanted = found.order or "local", order or "local"
        raise CannotHost(
            f"{path} is of a room of the order {has}, not {wanted}: host it so, or move it away, or choose another data="
        )
    return found


def read_about(db: sqlite3.Connection, path: Path) -> About:
    """What the file says of itself; raises LogUnreadable where it is no log with digests."""
    try:
        _check_format(db, path)
        about = dict(db.execute("SELECT key, value FROM about"))
        forks, archived = (
            {key.removeprefix(kind): int(value) for key, value in about.items() if key.startswith(kind)}
            for kind in ("fork:", _ARCHIVED)
        )
        proved_from = int(about[PROVED_FROM]) if PROVED_FROM in about else None
        verified = _verified(about.get(_VERIFIED, ""))
        return About(
            about["room"], about["identity"], about["origin"], proved_from, about.get("loss"), forks, verified, archived,
            _standing(about[_STANDING]) if _STANDING in about else None, about.get(_ORDER, ""),
        )  # fmt: skip
    except (sqlite3.Error, KeyError, ValueError) as error:
        raise LogUnreadable(
            f"{path} can't be read as a log ({error}): restore it from a backup, or move it away"
        ) from None


def note_verified(db: sqlite3.Connection, tip: tuple[int, bytes]) -> None:
    """Write down that the log is whole up to *tip*, an id with its digest."""
    db.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (_VERIFIED, f"{tip[0]}:{tip[1].hex()}"))


def note_standing(db: sqlite3.Connection, standing: Standing) -> None:
    """Write down where the log stands in the order that several servers follow."""
    wire = json.dumps([standing.entry, standing.version, dict(standing.sources), standing.copying])
    db.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (_STANDING, wire))


def forget_standing(db: sqlite3.Connection) -> None:
    """From now on only the log's own server decides on it; a loss that is noted was its copy's, and is the log's now."""
    db.execute("DELETE FROM about WHERE key = ?", (_STANDING,))
    db.execute("UPDATE about SET value = replace(value, ?, '') WHERE key = 'loss'", (f"{DIFFERS}: ",))


MOVE_AWAY = "move the file away: the cluster fills it"
"""What an operator may do with a cluster's log, whatever is wrong with it."""


def last_resort(about: About, tail: int) -> str:
    """What an operator may do with a damaged log where no backup helps. tail: up to this message it is whole."""
    if about.standing is not None:
        return MOVE_AWAY
    return f"keep only what is before it, messages 1 to {tail}, with pyrochat-server --accept-loss"


def _standing(value: str) -> Standing:
    return Standing(*json.loads(value))


def note_archived(db: sqlite3.Connection, archived: Mapping[str, int]) -> None:
    """Write down which logs the room had before, and how many messages each has."""
    db.executemany(
        "INSERT OR REPLACE INTO about VALUES (?, ?)", [(f"{_ARCHIVED}{id}", count) for id, count in archived.items()]
    )


def _verified(value: str) -> tuple[int, bytes] | None:
    id, _, digest = value.partition(":")
    try:
        return int(id), bytes.fromhex(digest)
    except ValueError:
        return None


def _check_format(db: sqlite3.Connection, path: Path) -> None:
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise LogUnreadable(f"{path} is not a PyroChat log: move it away, or choose another data=")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if not 1 <= version <= FORMAT:
        raise LogUnreadable(f"{path} has format {version}, this PyroChat reads up to {FORMAT}: upgrade PyroChat")
