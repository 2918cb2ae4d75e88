"""The log of a site (`core.graph.record`): the same file, with four tables more, written in the same steps.

Lost state means a new site. A file that is not where it was on the disk was copied, or restored from a backup; where its
end is missing, or damaged, it goes on without that as another log. Either way it is of no site any more: the
next one begins in it, and gets back from the others what they have.
"""

import contextlib
import itertools
import json
import os
import sqlite3
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pyrochat.core.digests import SALT_CHARACTERS
from pyrochat.core.graph.bodies import Name, decode_body
from pyrochat.core.graph.event import Event
from pyrochat.core.graph.record import Named, Presence, Record, Site, SiteLog, Text, Told
from pyrochat.storage.log_file import read_about
from pyrochat.storage.opening import kept_as
from pyrochat.storage.search_index import index_path
from pyrochat.storage.sqlite_log import SqliteLog
from pyrochat.values.message import CHAT, Message
from pyrochat.values.progress import Progress

CAUSAL = "causal"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    place INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, site TEXT NOT NULL, n INTEGER NOT NULL, lamport INTEGER NOT NULL,
    parents BLOB NOT NULL, body BLOB NOT NULL, signature BLOB NOT NULL, named TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS names (
    site TEXT, number INTEGER, id INTEGER NOT NULL, owner TEXT NOT NULL, salt TEXT NOT NULL, PRIMARY KEY (site, number)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS names_by_id ON names (id);
CREATE TABLE IF NOT EXISTS presences (
    site TEXT, number INTEGER, id INTEGER NOT NULL, member TEXT NOT NULL, spelled TEXT NOT NULL, is_here INTEGER NOT NULL,
    PRIMARY KEY (site, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unshown (
    site TEXT, number INTEGER, about_site TEXT, about_number INTEGER, text TEXT NOT NULL, salt TEXT NOT NULL, PRIMARY KEY (site, number)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS unshown_by_about ON unshown (about_site, about_number);
CREATE TABLE IF NOT EXISTS site (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_ID_BYTES = 32
_NAMES_AT_ONCE = 400


class SqliteSiteLog(SqliteLog, SiteLog):
    """The log of *room* in the file *path*. Raises what `SqliteLog` raises, but LogDamaged."""

    def __init__(self, path: Path, room: str, progress: Progress | None = None) -> None:
        super().__init__(path, room, accept_loss=True, progress=progress, order=CAUSAL)
        try:
            with self._one_step() as db:
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    db.execute(statement)
                facts = self._facts()
                inode = str(os.stat(path).st_ino)
                is_another = facts.get("inode", inode) != inode or facts.get("log", self.identity) != self.identity
                if is_another:
                    self._begin_anew(db, is_moved=facts.get("log") == self.identity)
                db.execute("INSERT OR REPLACE INTO site VALUES ('inode', ?)", (inode,))
                db.execute("INSERT OR REPLACE INTO site VALUES ('log', ?)", (self.identity,))
            root = self._facts().get("root")
            self.root = None if root is None else bytes.fromhex(root)
        except BaseException:
            self.close()
            raise

    def _facts(self) -> dict[str, str]:
        return dict(self._writer.execute("SELECT key, value FROM site"))

    def _begin_anew(self, db: sqlite3.Connection, is_moved: bool) -> None:
        """The file is of no site any more. is_moved: else it is another log already, which may end earlier."""
        db.execute("DELETE FROM site WHERE key = 'site'")
        if is_moved:
            db.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (f"fork:{self.identity}", self.tail))
            db.execute("UPDATE about SET value = ? WHERE key = 'identity'", (str(uuid.uuid4()),))
            self._about = read_about(db, self.path)
            self.identity, self.forks = self._about.identity, self._about.forks
            return
        tail = self.tail
        cut = db.execute("SELECT site, min(number) FROM names WHERE id > ? GROUP BY site", (tail,)).fetchall()
        if cut:  # the events are asked for again; what has a name is not taken twice
            db.executemany("DELETE FROM names WHERE site = ? AND number >= ?", cut)
            db.execute("DELETE FROM presences WHERE id > ?", (tail,))
            db.execute("DELETE FROM events")

    # -- what is written with messages -------------------------------------------------------------------

    def _write_beside(self, db: sqlite3.Connection, beside: object, erased: Sequence[Message]) -> None:
        if erased:
            db.executemany("UPDATE names SET salt = '' WHERE id = ?", [(message.id,) for message in erased])
        if not isinstance(beside, Record):
            return
        db.executemany(
            "INSERT INTO events (id, site, n, lamport, parents, body, signature, named) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    e.id,
                    e.site,
                    e.n,
                    e.lamport,
                    b"".join(e.parents),
                    e.body,
                    e.signature,
                    beside.stories.get(e.id, e.site),
                )
                for e in beside.events
            ],
        )
        db.executemany(
            "INSERT OR REPLACE INTO unshown VALUES (?, ?, ?, ?, ?, ?)",
            [(*one.name, *(one.about or (None, None)), one.text, one.salt) for one in beside.unshown],
        )
        for name in beside.gone:
            query = "DELETE FROM unshown WHERE (site = ? AND number = ?) OR (about_site = ? AND about_number = ?)"
            if db.execute(query, (*name, *name)).rowcount:
                self.is_untidy = self._has_erased = True
        db.executemany("INSERT OR IGNORE INTO names VALUES (?, ?, ?, ?, ?)", beside.named)
        db.executemany(
            "INSERT OR REPLACE INTO presences VALUES (?, ?, ?, ?, ?, ?)",
            [(*p.name, p.id, p.member, p.spelled, p.is_here) for p in beside.came],
        )
        db.executemany("DELETE FROM presences WHERE site = ? AND number = ?", beside.went)
        if beside.site is not None:
            db.execute("INSERT OR REPLACE INTO site VALUES ('site', ?)", (json.dumps(beside.site),))

    @property
    def has_texts(self) -> bool:
        return self._writer.execute(f"SELECT 1 FROM messages WHERE kind = '{CHAT}' LIMIT 1").fetchone() is not None

    def found(self, root: bytes) -> None:
        with self._one_step() as db:
            db.execute("INSERT OR REPLACE INTO site VALUES ('root', ?)", (root.hex(),))
        self.root = root

    def remember_peers(self, peers: Sequence[str]) -> None:
        """In the order's thread."""
        with self._one_step() as db:
            db.execute("INSERT OR REPLACE INTO site VALUES ('peers', ?)", (json.dumps(list(peers)),))

    # -- what is read -----------------------------------------------------------------------------------

    def peers(self) -> list[str]:
        return [str(peer) for peer in json.loads(self._facts().get("peers", "[]"))]

    def site(self) -> Site | None:
        fields = self._facts().get("site")
        return None if fields is None else Site(*json.loads(fields))

    def presences(self) -> list[Presence]:
        rows = self._writer.execute("SELECT site, number, id, member, spelled, is_here FROM presences ORDER BY id")
        return [
            Presence((site, number), id, member, spelled, bool(is_here))
            for site, number, id, member, spelled, is_here in rows
        ]

    def named(self, names: Collection[Name]) -> Mapping[Name, Named]:
        found: dict[Name, Named] = {}
        wanted = iter(names)
        try:
            while chunk := list(itertools.islice(wanted, _NAMES_AT_ONCE)):
                places = ", ".join("(?, ?)" for _ in chunk)
                rows = self._writer.execute(
                    f"SELECT * FROM names WHERE (site, number) IN (VALUES {places})", [part for name in chunk for part in name]
                )  # fmt: skip
                found |= {(row[0], row[1]): Named(*row) for row in rows}
        except sqlite3.Error as error:
            raise self._unreadable(error) from None
        return found

    def owner(self, id: int) -> str | None:
        with self._reader() as db:
            row = db.execute("SELECT owner FROM names WHERE id = ? AND owner != '' LIMIT 1", (id,)).fetchone()
        return super().owner(id) if row is None else str(row[0])

    def names(self) -> Iterable[tuple[str, int, int]]:
        return self._writer.execute("SELECT site, number, id FROM names ORDER BY site, number").fetchall()

    def events(self) -> Iterator[Event]:
        assert self.root is not None
        columns = "site, n, lamport, parents, body, signature"
        rows = self._writer.execute(f"SELECT {columns} FROM events ORDER BY place")
        while chunk := rows.fetchmany(1000):
            yield from (_event(self.root, row) for row in chunk)

    def told(self, ids: Sequence[bytes], most_bytes: int) -> list[Told]:
        told: list[Told] = []
        size = 0
        with self._reader() as db, contextlib.closing(db.cursor()) as cursor:
            for id in ids:
                columns = "named, site, n, lamport, parents, body, signature"
                found = cursor.execute(f"SELECT {columns} FROM events WHERE id = ?", (id,)).fetchone()
                if found is None or self.root is None:
                    continue
                named, *row = found
                event = _event(self.root, row)
                texts = self._texts(cursor, event, named)
                size += len(event.body) + sum(len(text[0].encode()) for text in texts if text is not None) + 256
                if told and size > most_bytes:
                    break
                told.append(replace(event, texts=texts))
        return told

    def _texts(self, cursor: sqlite3.Cursor, event: Event, named: str) -> tuple[Text, ...]:
        body = decode_body(event.body)
        if not body.messages:
            return ()
        last = body.first + len(body.messages) - 1
        rows = cursor.execute(
            "SELECT number, text, proof, salt FROM names JOIN messages USING (id) WHERE site = ? AND number BETWEEN ? AND ?",
            (named, body.first, last),
        )
        found: dict[int, Text] = {
            number: (text, salt or proof) for number, text, proof, salt in rows if _is_there(salt or proof)
        }
        rows = cursor.execute(
            "SELECT number, text, salt FROM unshown WHERE site = ? AND number BETWEEN ? AND ?",
            (named, body.first, last),
        )
        found |= {number: (text, salt) for number, text, salt in rows}
        return tuple(found.get(number) for number in range(body.first, last + 1))


def put_aside(path: Path, room: str) -> None:
    """Begin *room* anew: its closed log at *path* stays beside it, under another name. Raises OSError."""
    kept = kept_as(path, room, uuid.uuid4().hex)
    os.rename(path, kept)
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    for beside in (path.with_suffix(".tail"), index_path(path)):
        beside.unlink(missing_ok=True)


def _is_there(proof: str | None) -> bool:
    """Whether a text is there, as its *proof* says: a salt, and no commitment."""
    return proof is not None and len(proof) == SALT_CHARACTERS


def _event(root: bytes, row: Sequence[Any]) -> Told:
    site, n, lamport, parents, body, signature = row
    split = tuple(parents[start : start + _ID_BYTES] for start in range(0, len(parents), _ID_BYTES))
    return Told(root, site, n, lamport, split, body, signature)
