"""The file of a site of totally ordered rooms: the closed log, what was written since, and which site it is.

Lost state means a new site: a file that is not where it was on the disk was copied, or restored from a backup.
"""

import contextlib
import json
import logging
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pyrochat.core.graph.closed_log import ClosedLog
from pyrochat.core.graph.disk import Identity, MemberDisk, Row, stream_of
from pyrochat.core.graph.lamport import View
from pyrochat.core.graph.messages import Closed, Committed, Entry, Frozen, Record, Text
from pyrochat.core.graph.packing import pack_record, unpack_record
from pyrochat.core.graph.texts import Spoken, commitments
from pyrochat.storage.log_file import BUSY_MILLISECONDS, connect, explained
from pyrochat.storage.log_lock import LogLock
from pyrochat.values.errors import LogUnavailable

log = logging.getLogger(__name__)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entries (
    place INTEGER PRIMARY KEY, key TEXT UNIQUE, stream TEXT, number INTEGER NOT NULL, data BLOB NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS entries_by_number ON entries (stream, number) WHERE stream IS NOT NULL;
CREATE TABLE IF NOT EXISTS outbox (place INTEGER PRIMARY KEY, key TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS records (place INTEGER PRIMARY KEY, kind TEXT NOT NULL, data TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS texts (commitment TEXT PRIMARY KEY, text TEXT, salt TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS beside (
    stream TEXT, label TEXT, version INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (stream, label)
) WITHOUT ROWID;
"""
_PART_BYTES = 1 << 20
_PART_ENTRIES = 2000


class DiskLog(ClosedLog):
    """The closed log in *db*; what was put into it since the last `write` is in memory."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._written = db.execute("SELECT count(*) FROM entries").fetchone()[0]
        self._fresh_keys: set[str] = set()
        self.fresh: list[Entry] = []
        row = db.execute("SELECT number, data FROM entries WHERE key IS NULL ORDER BY place DESC LIMIT 1").fetchone()
        self.view = View(0, ()) if row is None else _view(*row)

    def __len__(self) -> int:
        return int(self._written) + len(self.fresh)

    def has(self, key: str) -> bool:
        if key in self._fresh_keys:
            return True
        return self._db.execute("SELECT 1 FROM entries WHERE key = ?", (key,)).fetchone() is not None

    def extend(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self.fresh.append(entry)
            if isinstance(entry, View):
                self.view = entry
            else:
                self._fresh_keys.add(entry.key)

    def since(self, start: int) -> tuple[Entry, ...]:
        """What follows the first *start* entries, or as much as goes into one message; it ends with a view."""
        part: list[Entry] = []
        size = 0
        for entry in self.read(start):
            part.append(entry)
            size += 64 + (self._size(entry) if isinstance(entry, Text) else 40 * len(entry.members))
            if isinstance(entry, View) and (size > _PART_BYTES or len(part) > _PART_ENTRIES):
                break
        return tuple(part)

    def _size(self, text: Text) -> int:
        """Bytes of *text*, with what is beside it."""
        return len(text.body) + sum(len(spoken.text) for spoken in texts_found(self._db, commitments(text)).values())

    def read(self, start: int) -> Iterator[Entry]:
        """What follows the first *start* entries."""
        rows = self._db.execute("SELECT key, number, data FROM entries WHERE place > ? ORDER BY place", (start,))
        while chunk := rows.fetchmany(1000):
            for key, number, data in chunk:
                yield _view(number, data) if key is None else Text(key, data)
        yield from self.fresh[max(0, start - self._written) :]

    def write(self, db: sqlite3.Connection) -> None:
        """Put what is in memory only into the file."""
        counts = dict(db.execute("SELECT stream, max(number) FROM entries WHERE stream IS NOT NULL GROUP BY stream"))
        rows: list[tuple[object, ...]] = []
        for place, entry in enumerate(self.fresh, self._written + 1):
            if isinstance(entry, View):
                rows.append((place, None, None, entry.number, json.dumps(entry.members).encode()))
            else:
                stream = stream_of(entry)
                counts[stream] = counts.get(stream, 0) + 1
                rows.append((place, entry.key, stream, counts[stream], entry.body))
        db.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?)", rows)

    def written(self) -> None:
        """That is on disk."""
        self._written += len(self.fresh)
        self.fresh = []
        self._fresh_keys.clear()


class SqliteMemberDisk(MemberDisk):
    """In the file *path*. name: of what it is for, for people. Raises LogInUse, CannotHost, LogUnreadable."""

    log: DiskLog

    def __init__(self, path: Path, name: str) -> None:
        with contextlib.ExitStack() as undo:
            lock = LogLock(path, name)
            undo.callback(lock.release)
            with explained(path):
                self._db = db = connect(path)
                undo.callback(db.close)
                db.execute("PRAGMA journal_mode = WAL")
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    db.execute(statement)
                facts = self._facts()
                root, inode = facts.get("root"), str(os.stat(path).st_ino)
                self.root = None if root is None else bytes.fromhex(root)
                if facts.get("inode", inode) == inode and "identity" in facts:
                    self.identity = Identity(*json.loads(facts["identity"]))
                self._note("inode", inode)
                if self.identity is None:
                    db.execute("DELETE FROM facts WHERE key = 'identity'")
                self.log = DiskLog(db)
            self._fresh_texts: dict[str, Spoken] = {}
            self._has_erased = True  # perhaps, and was killed then
            self._undo = undo.pop_all()

    def _facts(self) -> dict[str, str]:
        return dict(self._db.execute("SELECT key, value FROM facts"))

    def _note(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (key, value))

    @contextlib.contextmanager
    def _one_step(self) -> Iterator[sqlite3.Connection]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield self._db
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise LogUnavailable(f"can't write the site's file ({error})") from None

    def adopt(self, root: bytes, identity: Identity, entries: Sequence[Entry] = ()) -> None:
        log = DiskLog(self._db)
        log.extend(entries)
        with self._one_step() as db:
            self._note("root", root.hex())
            self._note("identity", json.dumps(identity))
            log.write(db)
        log.written()
        self.root, self.identity, self.log = root, identity, log

    def begin_again(self, identity: Identity, outbox: Sequence[Text]) -> None:
        with self._one_step() as db:
            self._note("identity", json.dumps(identity))
            db.execute("DELETE FROM records")
            _replace_outbox(db, outbox)
        self.identity = identity

    def outbox(self) -> list[Text]:
        return [Text(*row) for row in self._db.execute("SELECT key, body FROM outbox ORDER BY place")]

    def records(self) -> list[Record]:
        assert self.root is not None
        root = self.log.view.root(self.root)
        return [unpack_record(data, root) for (data,) in self._db.execute("SELECT data FROM records ORDER BY place")]

    def write(self, records: Sequence[Record]) -> None:
        with self._one_step() as db:
            for record in records:
                if isinstance(record, Closed):
                    db.execute("DELETE FROM records")
                    _replace_outbox(db, record.outbox)
                    continue
                kind, data = pack_record(record)
                if isinstance(record, Committed | Frozen):  # the last one says all
                    db.execute("DELETE FROM records WHERE kind = ?", (kind,))
                db.execute("INSERT INTO records (kind, data) VALUES (?, ?)", (kind, data))
            self.log.write(db)
            db.executemany(
                "INSERT OR IGNORE INTO texts VALUES (?, ?, ?)",
                [(known, spoken.text, spoken.salt) for known, spoken in self._fresh_texts.items()],
            )
        self.log.written()
        self._fresh_texts.clear()

    def keep(self, beside: Sequence[Spoken]) -> None:
        self._fresh_texts |= {spoken.commitment: spoken for spoken in beside}

    def found(self, commitments: Sequence[str]) -> dict[str, Spoken]:
        return texts_found(self._db, commitments)

    def erase(self, commitments: Sequence[str]) -> None:
        with self._one_step() as db:
            db.executemany("INSERT OR REPLACE INTO texts VALUES (?, NULL, NULL)", [(gone,) for gone in commitments])
        for gone in commitments:
            self._fresh_texts.pop(gone, None)
        self._has_erased = True
        self.tidy()

    def tidy(self) -> None:
        if not self._has_erased:
            return
        try:
            self._db.execute("PRAGMA busy_timeout = 0")  # who reads the file is not waited for
            is_busy, *_ = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self._has_erased = bool(is_busy)
        except sqlite3.Error as error:
            log.warning("what was deleted can't be taken out of the site's file yet (%s)", error)
        finally:
            self._db.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")

    def reload(self) -> None:
        self.log = DiskLog(self._db)
        self._fresh_texts.clear()

    def entries(self, start: int) -> Iterator[Entry]:
        return self.log.read(start)

    def texts(self, stream: str, after: int) -> Iterator[tuple[int, Text]]:
        query = "SELECT number, key, data FROM entries WHERE stream = ? AND number > ? ORDER BY number"
        rows: Any = self._db.execute(query, (stream, after))
        while chunk := rows.fetchmany(1000):
            yield from ((number, Text(key, data)) for number, key, data in chunk)

    def counts(self) -> dict[str, int]:
        query = "SELECT stream, max(number) FROM entries WHERE stream IS NOT NULL GROUP BY stream"
        return dict(self._db.execute(query))

    def beside(self) -> list[Row]:
        return [Row(*row) for row in self._db.execute("SELECT stream, label, version, data FROM beside")]

    def keep_beside(self, rows: Sequence[Row]) -> list[Row]:
        new = []
        with self._one_step() as db:
            for row in rows:
                changed = db.execute(
                    "INSERT INTO beside VALUES (?, ?, ?, ?) ON CONFLICT (stream, label) DO UPDATE SET "
                    "version = excluded.version, data = excluded.data WHERE excluded.version > version", row,
                )  # fmt: skip
                if changed.rowcount:
                    new.append(row)
        return new

    def peers(self) -> list[str]:
        return [str(peer) for peer in json.loads(self._facts().get("peers", "[]"))]

    def remember_peers(self, peers: Sequence[str]) -> None:
        with self._one_step():
            self._note("peers", json.dumps(list(peers)))

    def close(self) -> None:
        self._undo.close()


def texts_found(db: sqlite3.Connection, commitments: Sequence[str]) -> dict[str, Spoken]:
    """What *commitments* stand for in *db*."""
    query = "SELECT text, salt FROM texts WHERE commitment = ? AND text IS NOT NULL"
    rows = ((known, db.execute(query, (known,)).fetchone()) for known in commitments)
    return {known: Spoken(*row) for known, row in rows if row is not None}


def _view(number: int, data: bytes) -> View:
    return View(number, tuple(json.loads(data)))


def _replace_outbox(db: sqlite3.Connection, outbox: Sequence[Text]) -> None:
    db.execute("DELETE FROM outbox")
    db.executemany("INSERT INTO outbox (key, body) VALUES (?, ?)", [(text.key, text.body) for text in outbox])
