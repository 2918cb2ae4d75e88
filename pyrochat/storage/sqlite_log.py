"""The log of a room in one SQLite file.

WAL, ``synchronous=FULL``: a commit returns after fsync. One connection writes and checkpoints, because
SQLite before 3.51.3 can corrupt the WAL when several connections do; readers have their own, and only
read. A lock keeps a second server away from it, and ends with the process (`log_lock`).

Opening a log walks its whole chain of digests (about 4 µs a message): a room never starts on a log
that is not what was written.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pyrochat.core.digests import extend_chain, first_digest
from pyrochat.core.log import NO_OWNERS, NO_SESSIONS, Log, MemberRecord
from pyrochat.core.sessions import Session
from pyrochat.storage import witness
from pyrochat.storage.log_file import (
    BUSY_MILLISECONDS,
    WAL_BYTES,
    Progress,
    connect,
    explained,
    file_stem,
    prepare,
    read_about,
)
from pyrochat.storage.log_formats import FORMAT, PROVED_FROM, bring_up_to_date, format_of
from pyrochat.storage.log_lock import LogLock
from pyrochat.storage.newest import Newest
from pyrochat.storage.place import Place
from pyrochat.storage.troubles import Troubles
from pyrochat.storage.verifying import walk
from pyrochat.trust.files import open_private
from pyrochat.values.errors import (
    CannotHost,
    LogDamaged,
    LogUnavailable,
    LogUncertain,
    UnknownMessage,
)
from pyrochat.values.message import SYSTEM, Message, message_of
from pyrochat.values.rules import fold

__all__ = ["SqliteLog"]

log = logging.getLogger(__name__)

_COPY_BYTES = 1024 * 1024
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
    one is mistaken for one of the new. progress: called while the chain is walked.
    Raises LogInUse where another server has it open, LogUnreadable where it is not a log of *room* in
    a format that this version knows, LogDamaged where a message is not what was written, CannotHost
    where the folder or the disk can't be used.
    """

    def __init__(self, path: Path, room: str, *, accept_loss: bool = False, progress: Progress | None = None) -> None:
        self.path = path
        self._mutex = threading.Lock()  # guards the idle readers
        self._readers: list[sqlite3.Connection] = []
        self._closed = False
        self._uncertain: str | None = None
        self._newest = Newest()
        self._witness_mutex = threading.Lock()  # guards the witness's file, and the next
        self._witnessed: tuple[int, bytes] | None = None
        self._troubles = Troubles(f"room {room}")
        with contextlib.ExitStack() as undo:
            held = LogLock(path, room)
            undo.callback(held.release)
            self._descriptor = held.descriptor
            with explained(path):
                self._writer = connect(path)
                undo.callback(self._writer.close)
                self._open(room, accept_loss, progress or _no_progress)
                self._place = Place(path)
            self._release = undo.pop_all()

    def _open(self, room: str, accept_loss: bool, progress: Progress) -> None:
        db, before = self._writer, format_of(self._writer)
        kept = self.path.with_name(f"{file_stem(room)}-before-format-{FORMAT}.sqlite3")
        if 0 < before < FORMAT and not kept.exists():
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._keep(kept)
        about = prepare(db, self.path, room, progress)
        verdict = walk(db, about, progress)
        self._tip = (verdict.whole_up_to, verdict.digest)
        self._origin = about.origin
        loss = about.loss
        if verdict.damage is not None:
            if not accept_loss:
                raise LogDamaged(
                    f"{self.path}: {verdict.damage}; restore the log from a backup, or keep only what is before "
                    f"it, messages 1 to {self.tail}, with pyrochat-server --accept-loss"
                )
            loss = verdict.damage
        loss = loss or self._missing(about.identity)
        if loss is not None and accept_loss:
            self._accept(room, loss, about.identity)
            about, loss = read_about(db, self.path), None
        if bring_up_to_date(db, progress):
            about = read_about(db, self.path)
            verdict = walk(db, about, progress)
            if (verdict.whole_up_to, verdict.digest) != self._tip:
                raise LogDamaged(f"{self.path} is not whole in format {FORMAT} ({verdict.damage}): go back to {kept}")
        self.room, self.identity, self.forks, self.loss = about.room, about.identity, about.forks, loss
        if kept.exists():
            kept.unlink()
            log.warning("room %s: its log is in format %d now, and whole: %s is removed", room, FORMAT, kept.name)

    def _missing(self, identity: str) -> str | None:
        """What shows that the log ended later once: a confirmation, or the witness beside it."""
        db = self._writer
        known = db.execute("SELECT coalesce(max(delivered), 0) FROM members").fetchone()[0]
        if known > self.tail:
            return f"members have confirmed message {known}, but the log ends at {self.tail}"
        seen = witness.read(self.path)
        if seen is None or seen.identity != identity:
            return None
        if seen.tail > self.tail:
            return f"it had message {seen.tail} when it was closed or last looked at, now it ends at {self.tail}"
        row = db.execute("SELECT digest FROM messages WHERE id = ?", (seen.tail,)).fetchone()
        if row is not None and row[0] != seen.digest:
            return f"message {seen.tail} is not the one that was there when it was closed or last looked at"
        return None

    # -- the file, now and then ----------------------------------------------------------------------------

    def look(self) -> None:
        if not self._closed:
            self._find_place()
            self._bear_witness()
            self.is_untidy = self._wal_bytes() > WAL_BYTES

    def tidy(self) -> None:
        if not self.is_untidy:
            return
        self.is_untidy = False  # until the next look
        db = self._writer
        try:
            db.execute("PRAGMA busy_timeout = 0")  # who still reads is not waited for
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
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
            if tip == self._witnessed or self.loss is not None or self.gone:
                return
            try:
                witness.write(self.path, witness.Witness(self.identity, *tip))
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
        loss: str | None = None,
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
        try:
            db.execute("BEGIN IMMEDIATE")
            if loss is not None:
                db.execute("INSERT OR REPLACE INTO about VALUES ('loss', ?)", (loss,))
            for id, session in sessions.items():
                if session is None:
                    db.execute("DELETE FROM sessions WHERE id = ?", (id,))
                else:
                    db.execute(
                        "INSERT OR REPLACE INTO sessions (id, member, name, lost_at) VALUES (?, ?, ?, ?)", session
                    )
            if messages:
                db.executemany(
                    f"INSERT INTO messages ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [(m[0], *m[2:], digest) for m, digest in zip(messages, digests, strict=True)],
                )
                db.executemany(
                    "INSERT INTO keys (key, owner, id) VALUES (?, ?, ?)",
                    [
                        (m.key, owners.get(m.id) or fold(m.sender), m.id)
                        for m in messages
                        if m.key is not None and m.kind != SYSTEM
                    ],
                )
            if members:
                db.executemany(
                    "INSERT OR REPLACE INTO members (member, name, delivered, read, first_joined, joined) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    [(r.member, r.name, r.delivered, r.read, r.first_joined, r.joined) for r in members],
                )
            db.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._failure(error) from None
        if messages:
            self._newest.add(messages)
            self._tip = (messages[-1].id, digests[-1])
        self.loss = loss or self.loss
        self._troubles.over("write")

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
        with self._reader() as db:
            rows = db.execute(
                f"SELECT {_FIELDS} FROM messages WHERE id > ? AND id <= ? ORDER BY id", (self.room, after, upto)
            ).fetchall()
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
            return first_digest(self._origin)
        tail, digest = self._tip
        if id == tail:
            return digest
        with self._reader() as db:
            row = db.execute("SELECT digest FROM messages WHERE id = ?", (id,)).fetchone() if id <= self.tail else None
        if row is None:
            raise UnknownMessage(f"there is no message {id}: the log ends at {self.tail}")
        return bytes(row[0])

    def members(self) -> list[MemberRecord]:
        with self._reader() as db:
            rows = db.execute("SELECT name, delivered, read, first_joined, joined FROM members").fetchall()
        return [MemberRecord(*row) for row in rows]

    def sessions(self) -> list[Session]:
        with self._reader() as db:
            rows = db.execute("SELECT id, member, name, lost_at FROM sessions ORDER BY id").fetchall()
        return [Session(*row) for row in rows]

    def size(self) -> tuple[int, int]:
        with self._reader() as db:
            pages, page_bytes = db.execute("SELECT * FROM pragma_page_count, pragma_page_size").fetchone()
        size = int(pages * page_bytes)
        try:
            return size, max(0, size - self.path.stat().st_size)  # the rest is in the WAL
        except OSError as error:
            raise LogUnavailable(f"the log's file can't be found ({error.strerror})") from None

    def _accept(self, room: str, loss: str, identity: str) -> None:
        """Go on from the tail as another log; the file as it was is kept beside it.

        What earlier logs have beyond the tail was given up as well: they are the same as this one up to it at most.
        """
        when = time.strftime("%Y%m%dT%H%M%S")
        kept = self.path.with_name(f"{file_stem(room)}-before-{when}-{identity[:8]}.sqlite3")
        db, tail = self._writer, self.tail
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._keep(kept)
        log.warning("room %s: loss accepted (%s); the log as it was is kept as %s", room, loss, kept)
        db.execute("BEGIN IMMEDIATE")
        db.execute("DELETE FROM messages WHERE id > ?", (tail,))
        db.execute("UPDATE members SET delivered = min(delivered, ?), read = min(read, ?)", (tail, tail))
        db.execute("DELETE FROM about WHERE key = 'loss'")
        db.execute(
            "UPDATE about SET value = ? WHERE key = ? AND CAST(value AS INTEGER) > ?", (tail + 1, PROVED_FROM, tail + 1)
        )
        db.execute("UPDATE about SET value = ? WHERE key LIKE 'fork:%' AND CAST(value AS INTEGER) > ?", (tail, tail))
        db.execute("INSERT INTO about VALUES (?, ?)", (f"fork:{identity}", tail))
        db.execute("UPDATE about SET value = ? WHERE key = 'identity'", (str(uuid.uuid4()),))
        db.execute("COMMIT")

    def _keep(self, kept: Path) -> None:
        """Raises CannotHost where there is no room for a copy."""
        try:
            self._copy(kept)
        except OSError as error:
            raise CannotHost(f"can't keep a copy of the log as {kept} ({error.strerror}): see to the disk") from None

    def _copy(self, target: Path) -> None:
        """Copy the file as it stands on disk. Not by its name: see `log_lock` on closing a descriptor."""
        with open(open_private(target), "wb") as copy, contextlib.ExitStack() as undo:
            undo.callback(target.unlink)
            offset = 0
            while part := os.pread(self._descriptor, _COPY_BYTES, offset):
                copy.write(part)
                offset += len(part)
            copy.flush()
            undo.pop_all()

    def close(self) -> None:
        with self._mutex:
            if self._closed:
                return
            self._closed = True
        for db in self._readers:
            db.close()
        self._readers.clear()
        self._find_place()
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
