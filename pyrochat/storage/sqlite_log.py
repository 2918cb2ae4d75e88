"""The log of a room in one SQLite file.

WAL, ``synchronous=FULL``: a commit returns after fsync. One connection writes and checkpoints, because
SQLite before 3.51.3 can corrupt the WAL when several connections do; readers have their own, and only
read. A lock keeps a second server away from it, and ends with the process (`log_lock`).

Opening a log walks its chain of digests (about 4 µs a message) from where it was last found whole; what is before that is
verified while it is served (`SqliteLog.verify_more`). A room never goes on for long with a log that is not what was written.
"""

import contextlib
import json
import logging
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pyrochat.core.digests import extend_chain, first_digest
from pyrochat.core.integrity import Tip
from pyrochat.core.log import NO_OWNERS, NO_SESSIONS, Log, MemberRecord, Standing
from pyrochat.core.sessions import Session
from pyrochat.storage import witness
from pyrochat.storage.copying import messages_in, replace_members, replace_sessions, write_description
from pyrochat.storage.log_file import (
    BUSY_MILLISECONDS,
    ERASE,
    WAL_BYTES,
    connect,
    explained,
    note_standing,
    note_verified,
    read_about,
)
from pyrochat.storage.log_lock import LogLock
from pyrochat.storage.newest import Newest
from pyrochat.storage.opening import opened_log
from pyrochat.storage.place import FilePlace
from pyrochat.storage.troubles import Troubles
from pyrochat.storage.verifying import walk
from pyrochat.values.errors import LogUnavailable, LogUncertain, UnknownMessage
from pyrochat.values.message import EDIT, SYSTEM, Message, message_of
from pyrochat.values.progress import Progress
from pyrochat.values.rules import fold

log = logging.getLogger(__name__)

_VERIFIED_EVERY = 10_000  # messages: what a start verifies at the most, however the last server has ended
_COLUMNS = "id, sender, text, time_us, kind, key, about, change, ref, proof, more, digest"
_FIELDS = "id, ?, sender, text, time_us, kind, key, about, change, ref, proof, more"  # of a Message; its room is given
_FIND = f"""
WITH wanted (of, what) AS (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?)),
found (owner, id) AS (SELECT owner, id FROM wanted CROSS JOIN keys ON key = what AND owner = of)
SELECT owner, {_FIELDS} FROM found CROSS JOIN messages USING (id)
"""


def _no_progress(done: int, total: int) -> None:
    """Nobody is looking."""


class SqliteLog(Log):
    """A `Log` in the file *path*, made where it is missing.

    accept_loss: the operator has decided: a damaged log is cut before the damage (a copy is kept), a
    noted loss is forgotten, and in both cases the log gets a new identity, so that no id of the old
    one is mistaken for one of the new. progress: called while the chain is walked. shared: it is one of several that
    follow the same order, which has all that is in it: nothing waits for the disk then; the identity that a new one gets. order:
    of the room, where the log is of another sort (`storage.site_log`).
    Raises LogInUse where another server has it open, LogUnreadable where it is not a log of *room* in
    a format that this version knows, LogDamaged where a message is not what was written, CannotHost
    where the folder or the disk can't be used.
    """

    def __init__(
        self, path: Path, room: str, *, accept_loss: bool = False, progress: Progress | None = None, shared: str | None = None,
        order: str = "",
    ) -> None:  # fmt: skip
        self.path = path
        self._mutex = threading.Lock()  # guards the idle readers
        self._readers: list[sqlite3.Connection] = []
        self._closed = False
        self._uncertain: str | None = None
        self._newest = Newest()
        self._has_erased = False  # the WAL has texts that have to go
        self._witness_mutex = threading.Lock()  # guards the witness's file, and the next
        self._witnessed: tuple[int, bytes] | None = None
        self._troubles = Troubles(f"room {room}")
        with contextlib.ExitStack() as undo:
            held = LogLock(path, room)
            undo.callback(held.release)
            with explained(path):
                self._writer = connect(path)
                undo.callback(self._writer.close)
                opened = opened_log(
                    self._writer, path, held.descriptor, room, accept_loss, progress or _no_progress, shared, order
                )
                self._place = FilePlace(path)
            self._release = undo.pop_all()
        self._is_shared = shared is not None
        if self._is_shared:
            self._writer.execute("PRAGMA synchronous = NORMAL")
        about = self._about = opened.about
        self.room, self.identity, self.forks, self.loss = about.room, about.identity, about.forks, opened.loss
        self.archived, self.standing = about.archived, about.standing
        self._tip = self._verified = opened.tip
        self.unverified, self._verifying = opened.unverified, (0, first_digest(about.origin))

    # -- the file, now and then ----------------------------------------------------------------------------

    def look(self) -> None:
        if not self._closed:
            self._find_place()
            self._bear_witness()
            self.is_untidy = self._has_erased or self._wal_bytes() > WAL_BYTES

    def tidy(self) -> None:
        if not self.is_untidy:
            return
        self.is_untidy = False  # until the next look
        db = self._writer
        try:
            if not self._has_erased:  # else those few milliseconds are worth it
                db.execute("PRAGMA busy_timeout = 0")  # who still reads is not waited for
            is_busy, *_ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self._has_erased = self._has_erased and bool(is_busy)
            self._troubles.over("checkpoint")
        except sqlite3.Error as error:
            self._troubles.say(f"checkpoint {error}", f"can't write the log's newest part into its file ({error})")
        finally:
            db.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")

    def _wal_bytes(self) -> int:
        try:
            return os.stat(f"{self.path}-wal").st_size
        except OSError:
            return 0

    def _find_place(self) -> bool:
        """Whether the log is where it was when it was opened; else nothing may be written."""
        gone = self._place.changed()
        self.gone = gone is not None
        if gone is None:
            self._troubles.over("place")
            return True
        self._troubles.say(
            "place",
            f"THE LOG IS NOT IN ITS PLACE ANY MORE: {gone}. Nothing is taken until it is back; what was acknowledged "
            "since your last backup is only in this process, its clients, and where the files went",
            logging.CRITICAL,
        )
        return False

    def _bear_witness(self) -> None:
        """Note beside the log how far it has come, where that is news: at most so much can be lost unnoticed."""
        with self._witness_mutex:
            tip = self._tip
            if self._is_shared or tip == self._witnessed or self.loss is not None or self.gone:
                return
            try:
                witness.write(self.path, Tip(self.identity, *tip))
            except OSError as error:
                self._troubles.say(
                    "witness", f"can't note how far the log goes ({error}): a tail that is lost is not noticed then"
                )
                return
            self._witnessed = tip
            self._troubles.over("witness")

    @property
    def tail(self) -> int:
        return self._tip[0]

    @property
    def tip(self) -> tuple[int, bytes]:
        return self._tip

    def append(
        self, messages: Sequence[Message], members: Sequence[MemberRecord] = (), owners: Mapping[int, str] = NO_OWNERS,
        *, digests: Sequence[bytes] | None = None, sessions: Mapping[str, Session | None] = NO_SESSIONS,
        loss: str | None = None, erased: Sequence[Message] = (), standing: Standing | None = None, beside: object = None,
    ) -> None:  # fmt: skip
        if self._uncertain is not None:
            raise LogUnavailable(
                f"the disk failed in an earlier commit ({self._uncertain}): nothing was stored; the room takes "
                "messages again when its server has been restarted"
            )
        if not self._find_place():
            raise LogUnavailable(
                "the room's log was deleted or replaced under its server: nothing was stored; tell its operator"
            )
        db = self._writer
        digests = digests or extend_chain(self._tip[1], messages)
        tip = (messages[-1].id, digests[-1]) if messages else self._tip
        verified = self._verified if tip[0] < self._verified[0] + _VERIFIED_EVERY else self._tip
        try:
            db.execute("BEGIN IMMEDIATE")
            if verified is not self._verified:
                note_verified(db, verified)
            if loss is not None:
                db.execute("INSERT OR REPLACE INTO about VALUES ('loss', ?)", (loss,))
            if standing is not None:
                note_standing(db, standing)
            for id, session in sessions.items():
                if session is None:
                    db.execute("DELETE FROM sessions WHERE id = ?", (id,))
                else:
                    db.execute(
                        "INSERT OR REPLACE INTO sessions (id, member, name, lost_at, home) VALUES (?, ?, ?, ?, ?)",
                        session,
                    )
            if erased:
                db.executemany(ERASE, [(m.text, m.proof, m.id) for m in erased])
            if messages:
                self._write_messages(messages, digests, owners)
            if members:
                db.executemany(
                    "INSERT OR REPLACE INTO members (member, name, delivered, read, first_joined, joined) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    [(r.member, r.name, r.delivered, r.read, r.first_joined, r.joined) for r in members],
                )
            self._write_beside(db, beside, erased)
            db.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._failure(error) from None
        if erased:
            self._newest.clear()
            self.is_untidy = self._has_erased = True
        if messages:
            self._newest.add(messages)
            self._tip, self._verified = tip, verified
        self.loss, self.standing = loss or self.loss, standing or self.standing
        self._troubles.over("write")

    def _write_beside(self, db: sqlite3.Connection, beside: object, erased: Sequence[Message]) -> None:
        """In the same step: what else a log of another sort keeps."""

    def _write_messages(self, messages: Sequence[Message], digests: Sequence[bytes], owners: Mapping[int, str]) -> None:
        self._writer.executemany(
            f"INSERT INTO messages ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(m[0], *m[2:], digest) for m, digest in zip(messages, digests, strict=True)],
        )
        keyed = [m for m in messages if m.key is not None and m.kind != SYSTEM]
        self._writer.executemany(
            "INSERT INTO keys (key, owner, id) VALUES (?, ?, ?)",
            [(m.key, owners.get(m.id) or fold(m.sender), m.id) for m in keyed],
        )

    def adopt(self, identity: str, about: Mapping[str, Any], standing: Standing) -> Sequence[Message]:
        with self._one_step() as db:
            if self.tail == 0:
                write_description(db, identity, about)
            note_standing(db, standing)
        self.standing = standing
        if self.tail == 0:
            self._about = read_about(self._writer, self.path)
            self.identity = self._about.identity
            self.forks, self.archived = self._about.forks, self._about.archived
            self._tip = self._verified = (0, first_digest(self._about.origin))
        return []

    def paste(self, kind: str, rows: Sequence[Any], standing: Standing) -> Sequence[Message]:
        messages: list[Message] = []
        if kind == "messages":
            messages, digests, owners = messages_in(self.room, rows, self._tip)
            self.append(messages, owners=owners, digests=digests, standing=standing)
            return messages
        with self._one_step() as db:
            if kind == "members":
                replace_members(db, rows, self.tail)
            elif kind == "sessions":
                replace_sessions(db, rows)
            note_standing(db, standing)
        self.standing = standing
        return messages

    @contextlib.contextmanager
    def _one_step(self) -> Iterator[sqlite3.Connection]:
        """All of what is done within, or nothing. Raises LogUnavailable."""
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            yield self._writer
            self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._failure(error) from None

    def _failure(self, error: sqlite3.Error) -> LogUnavailable:
        """Undo a commit that failed; returns what to raise."""
        with contextlib.suppress(sqlite3.Error):  # the failure may have rolled back already
            self._writer.execute("ROLLBACK")
        self._troubles.say(f"write {error}", f"can't write the log ({error})", logging.ERROR)
        if "FSYNC" in (getattr(error, "sqlite_errorname", None) or ""):
            # What was written may or may not be on disk, and a later fsync may claim success for it.
            self._uncertain = str(error)
            return LogUncertain(
                f"the disk failed in a commit ({error}): whether the message is stored is known when the server has "
                "been restarted; ask again then, with the same key"
            )
        return LogUnavailable(
            f"the room can't write its log ({error}): nothing was stored; try again when its operator has seen to it"
        )

    def read(self, after: int, limit: int) -> list[Message]:
        upto = min(after + limit, self.tail)
        if (newest := self._newest.read(after, upto)) is not None:
            return newest
        return self._select(f"SELECT {_FIELDS} FROM messages WHERE id > ? AND id <= ? ORDER BY id", after, upto)

    def versions(self, id: int) -> list[Message]:
        return self._select(
            f"SELECT {_FIELDS} FROM messages WHERE id = ? OR (about = ? AND kind = '{EDIT}') ORDER BY id", id, id
        )

    def about(self, id: int) -> list[Message]:
        return self._select(f"SELECT {_FIELDS} FROM messages WHERE about = ? ORDER BY id", id)

    def owner(self, id: int) -> str | None:
        with self._reader() as db:
            row = db.execute(
                "SELECT owner FROM keys WHERE key = (SELECT key FROM messages WHERE id = ?) AND id = ?", (id, id)
            ).fetchone()
        return None if row is None else str(row[0])

    def _select(self, query: str, *values: int) -> list[Message]:
        with self._reader() as db:
            rows = db.execute(query, (self.room, *values)).fetchall()
        return list(map(message_of, rows))

    def find(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Message]:
        wanted = list(keys)
        if not wanted:
            return {}
        try:
            rows = self._writer.execute(_FIND, (json.dumps(wanted), self.room)).fetchall()
        except sqlite3.Error as error:
            raise self._unreadable(error) from None
        self._troubles.over("read")
        return {(owner, row[6]): message_of(row) for owner, *row in rows}

    def digest(self, id: int) -> bytes:
        if id == 0:
            return first_digest(self._about.origin)
        tail, digest = self._tip
        if id == tail:
            return digest
        with self._reader() as db:
            row = db.execute("SELECT digest FROM messages WHERE id = ?", (id,)).fetchone() if id <= self.tail else None
        if row is None:
            raise UnknownMessage(f"there is no message {id}: the log ends at {self.tail}")
        return bytes(row[0])

    def verify_more(self, limit: int) -> str | None:
        count = min(limit, self.unverified)
        if count == 0:
            return None
        with self._reader() as db:
            verdict = walk(db, self._about, _no_progress, after=self._verifying, upto=self._verifying[0] + count)
        self._verifying = (verdict.whole_up_to, verdict.digest)
        self.unverified = 0 if verdict.damage is not None else self.unverified - count
        return verdict.damage

    def members(self) -> list[MemberRecord]:
        with self._reader() as db:
            rows = db.execute("SELECT name, delivered, read, first_joined, joined, member FROM members").fetchall()
        return [MemberRecord(*row) for row in rows]

    def sessions(self) -> list[Session]:
        with self._reader() as db:
            rows = db.execute("SELECT id, member, name, lost_at, home FROM sessions ORDER BY id").fetchall()
        return [Session(*row) for row in rows]

    def size(self) -> tuple[int, int]:
        with self._reader() as db:
            pages, page_bytes = db.execute("SELECT * FROM pragma_page_count, pragma_page_size").fetchone()
        size = int(pages * page_bytes)
        try:
            return size, max(0, size - self.path.stat().st_size)  # the rest is in the WAL
        except OSError as error:
            raise LogUnavailable(f"the log's file can't be found ({error.strerror})") from None

    def close(self) -> None:
        with self._mutex:
            if self._closed:
                return
            self._closed = True
        for db in self._readers:
            db.close()
        self._readers.clear()
        if self._find_place() and self.loss is None and self._uncertain is None:
            with contextlib.suppress(sqlite3.Error):  # the next start verifies more, then
                note_verified(self._writer, self._tip)
        self._bear_witness()
        self._release.close()

    @contextlib.contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        with self._mutex:
            if self._closed:
                raise LogUnavailable("the log is closed: the server is being stopped")
            db = self._readers.pop() if self._readers else None
        try:
            if db is None:
                db = self._new_reader()
            yield db
            self._troubles.over("read")
        except sqlite3.Error as error:
            raise self._unreadable(error) from None
        finally:
            if db is not None:
                self._give_back(db)

    def _unreadable(self, error: sqlite3.Error) -> LogUnavailable:
        self._troubles.say(f"read {error}", f"can't read the log ({error})", logging.ERROR)
        return LogUnavailable(f"the room can't read its log ({error})")

    def _new_reader(self) -> sqlite3.Connection:
        """A connection that only reads; raises LogUnavailable where it would read, or make, another file."""
        if self._find_place():
            db = connect(self.path)
            if self._find_place():  # still: so it is the same file
                db.execute("PRAGMA query_only = ON")
                return db
            db.close()
        raise LogUnavailable("the room's log was deleted or replaced under its server: tell its operator")

    def _give_back(self, reader: sqlite3.Connection) -> None:
        with self._mutex:
            if not self._closed:
                self._readers.append(reader)
                return
        reader.close()
