"""The search index of a log: one SQLite file beside it, with what FTS5 makes of the messages' words.

Derived data: whatever is wrong with the file, or doesn't fit the log, is thrown away and made anew. The index
has no texts, only words and message ids, in tables of 100,000 messages each: the newest is asked first, so what
a search costs hardly depends on how long the log is, and no merge of SQLite's takes long.

The row of a message has the words of its newest text. FTS5 forgets a row that has no content of its own only when it is
given what it was made of: the text before an edit is in the log still, that before a redaction is handed over by the room.
Where it is not (the server was killed in between), the whole table is made anew.

One thread fills it, with a connection of its own; all others take turns at a second one that only reads.
"""

import contextlib
import json
import logging
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from types import MappingProxyType

from pyrochat.clock import monotonic
from pyrochat.core.log import Log
from pyrochat.core.query import Query, in_words
from pyrochat.storage.log_file import WAL_BYTES
from pyrochat.storage.place import FilePlace
from pyrochat.trust.files import make_private
from pyrochat.values.errors import SearchUnavailable
from pyrochat.values.message import CHAT, EDIT, REDACT, Message
from pyrochat.values.rules import fold

logger = logging.getLogger(__name__)

FORMAT = 3  # 1: senders were compared after NFC only. 2: no edits, no words of scripts without spaces
MOST_SECONDS = 2.0
NOTHING_DELETED: Mapping[int, Message] = MappingProxyType({})
_BATCH_MESSAGES = 1000
_GONE = 0
_MESSAGES_A_TABLE = 100_000
_APPLICATION_ID = 0x50796373  # "Pycs"
_SENDER_MARK = "\ue000"  # begins the words that stand for senders; a prefix that people type never meets them
_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_NOT_THERE = "it is not there yet"
_NONSENSE = ("SQLITE_ERROR", "SQLITE_CONSTRAINT")  # a table or a row is not as we have made it

_SCHEMA = f"""
CREATE TABLE changed (id INTEGER PRIMARY KEY, version INTEGER NOT NULL); -- the edit that is indexed; 0: it is deleted
CREATE TABLE about (identity TEXT NOT NULL, upto INTEGER NOT NULL, digest BLOB NOT NULL);
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {FORMAT};
"""
_TABLE = """CREATE VIRTUAL TABLE IF NOT EXISTS {table} USING fts5(
    text, sender, content='', columnsize=0, tokenize="unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"
)"""
# One statement for a batch: one for each message would take the interpreter's lock from those who post as often.
_INSERT = """INSERT INTO {table} (rowid, text, sender)
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]') FROM json_each(?)"""
_FORGET = "INSERT INTO {table} ({table}, rowid, text, sender) VALUES ('delete', ?, ?, ?)"
_REWRITE = "INSERT INTO {table} ({table}) VALUES ('optimize')"  # else the words stay where they were written


def index_path(log_path: Path) -> Path:
    """Where the index of the log at *log_path* is. No log ever has such a name: those end in ``.sqlite3``."""
    return log_path.with_suffix(".search")


def is_damage(error: Exception, in_a_search: bool = False) -> bool:
    """Whether *error* says that the file is not what was written, rather than that the disk is full or gone.

    in_a_search: there nonsense proves nothing; a query that goes wrong must not cost the index.
    """
    name = getattr(error, "sqlite_errorname", None) or ""
    return name.startswith(_DAMAGE if in_a_search else (*_DAMAGE, *_NONSENSE))


class SearchIndex:
    """The index in the file *path*. Every method may raise sqlite3.Error, `open` OSError too.

    table_messages: of one table, the same whenever a file is opened. most_seconds: for one search; what takes longer is
    given up.
    """

    def __init__(self, path: Path, table_messages: int = _MESSAGES_A_TABLE, most_seconds: float = MOST_SECONDS) -> None:
        self._path = path
        self._table_messages = table_messages
        self._most_seconds = most_seconds
        self._file_mutex = threading.Lock()  # guards _reader, and the file's being there
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        self._place: FilePlace | None = None
        self._log: Log | None = None

    def open(self, log: Log, afresh: str | None = None) -> int:
        """Begin to fill it; returns the id up to which it has the messages of *log*.

        A file that is damaged, of another format, or not made of *log* is replaced; where *afresh* says why, any.
        """
        self.close()
        self._log = log
        with self._file_mutex:
            reason = afresh or self._misfit(log)
            if reason is not None:
                if reason != _NOT_THERE:
                    logger.warning("room %s: the search index is made anew: %s", log.room, reason)
                self._replace(log)
            assert self._writer is not None
            upto: int = self._writer.execute("SELECT upto FROM about").fetchone()[0]
            self._place = FilePlace(self._path)
            return upto

    def changed(self) -> str | None:
        """What was removed or replaced of the open file, in any thread; None while it is what was opened."""
        place = self._place
        return None if place is None else place.changed()

    def _misfit(self, log: Log) -> str | None:
        """Open the file; returns why it has to be made anew, None where it fits *log*."""
        assert self._file_mutex.locked()
        if not self._path.exists():
            return _NOT_THERE
        try:
            self._writer = db = _connect(self._path)
            if (_pragma(db, "application_id"), _pragma(db, "user_version")) != (_APPLICATION_ID, FORMAT):
                return "it has another format"
            identity, upto, digest = db.execute("SELECT identity, upto, digest FROM about").fetchone()
            if identity != log.identity or not 0 <= upto <= log.tail or digest != log.digest(upto):
                return "it was made of another log"
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            return f"it is damaged ({error})"
        except (TypeError, ValueError):
            return "it is damaged"
        return None

    def _replace(self, log: Log) -> None:
        assert self._file_mutex.locked()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        make_private(self._path)
        self._writer = db = _connect(self._path)
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(f"BEGIN; {_SCHEMA}")
        db.execute("INSERT INTO about VALUES (?, 0, ?)", (log.identity, log.digest(0)))
        db.execute("COMMIT")

    def add(self, messages: Sequence[Message], digest: bytes, deleted: Mapping[int, Message] = NOTHING_DELETED) -> None:
        """Take in *messages*, which follow what is there; digest: the chain's at the last of them.

        deleted: messages and edits that the redactions among *messages* have deleted, as they were, by their ids.
        """
        db = self._writer
        assert db is not None
        redactions = [message.about or 0 for message in messages if message.kind == REDACT]
        db.execute("BEGIN IMMEDIATE")
        try:
            self._insert(db, [message for message in messages if message.kind == CHAT])
            for message in messages:
                if message.kind == EDIT and message.about is not None and message.text:
                    self._edit(db, message.about, message)
            for id in redactions:
                self._redact(db, id, messages[-1].id, deleted)
            db.execute("UPDATE about SET upto = ?, digest = ?", (messages[-1].id, digest))
            db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # the failure may have rolled back already
                db.execute("ROLLBACK")
            raise
        if redactions:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def _insert(self, db: sqlite3.Connection, messages: Sequence[Message]) -> None:
        """Rows for *messages*; what is deleted has none."""
        gone = [(message.id, _GONE) for message in messages if not message.text]
        db.executemany("INSERT OR REPLACE INTO changed VALUES (?, ?)", gone)
        for table, of_table in groupby((m for m in messages if m.text), lambda message: self._table(message.id)):
            db.execute(_TABLE.format(table=table))
            rows = [_row(message.id, message.sender, message.text) for message in of_table]
            db.execute(_INSERT.format(table=table), (json.dumps(rows, ensure_ascii=False),))

    def _edit(self, db: sqlite3.Connection, id: int, edit: Message) -> None:
        """Message *id* has the text of *edit* from now on."""
        version = _version(db, id)
        before = next((known for known in self._versions(id) if known.id == version), None)
        if before is None or not before.text:  # it is deleted, or its redaction comes
            return
        table, new = self._table(id), _row(id, edit.sender, edit.text)
        db.execute(_FORGET.format(table=table), _row(id, edit.sender, before.text))
        db.execute(_INSERT.format(table=table), (json.dumps([new], ensure_ascii=False),))
        db.execute("INSERT OR REPLACE INTO changed VALUES (?, ?)", (id, edit.id))

    def _redact(self, db: sqlite3.Connection, id: int, upto: int, deleted: Mapping[int, Message]) -> None:
        """Message *id* was deleted: its words go. upto: what is in the index with this batch."""
        version, table = _version(db, id), self._table(id)
        if version == _GONE:
            return
        if (known := deleted.get(version)) is not None:
            db.execute(_FORGET.format(table=table), _row(id, known.sender, known.text))
            db.execute("INSERT OR REPLACE INTO changed VALUES (?, ?)", (id, _GONE))
            db.execute(_REWRITE.format(table=table))
        else:
            self._make_anew(db, id // self._table_messages, upto)

    def _make_anew(self, db: sqlite3.Connection, number: int, upto: int) -> None:
        """The table *number*, of what the log has up to message *upto*."""
        assert self._log is not None
        first, last = number * self._table_messages, min((number + 1) * self._table_messages - 1, upto)
        db.execute(f"DROP TABLE IF EXISTS words_{number}")
        db.execute("DELETE FROM changed WHERE id BETWEEN ? AND ?", (first, last))
        edits: dict[int, Message] = {}
        for batch in _batches(self._log, max(first, 1) - 1, upto):
            edits |= {m.about: m for m in batch if m.kind == EDIT and m.about is not None and first <= m.about <= last}
        versions = [(id, edit.id) for id, edit in edits.items() if edit.text]
        db.executemany("INSERT INTO changed VALUES (?, ?)", versions)
        for batch in _batches(self._log, max(first, 1) - 1, last):
            texts = [
                m._replace(text=edits[m.id].text) if m.id in edits and m.text else m for m in batch if m.kind == CHAT
            ]
            self._insert(db, texts)

    def _versions(self, id: int) -> list[Message]:
        assert self._log is not None
        return self._log.versions(id)

    def _table(self, id: int) -> str:
        return f"words_{id // self._table_messages}"

    def find(self, query: Query, before: int, limit: int) -> tuple[list[int], int]:
        """At most *limit* ids below *before* that *query* matches, newest first; and up to where the index went.

        Raises SearchUnavailable where it takes more than 2 s, and while the index is not open.
        """
        match = _match(query)
        found: list[int] = []
        give_up_at = monotonic() + self._most_seconds
        with self._file_mutex:
            if self._writer is None:
                raise SearchUnavailable("the search index is not open now: try again")
            if self._reader is None:
                self._reader = _connect(self._path)
                self._reader.execute("PRAGMA query_only = ON")
            db = self._reader
            db.execute("BEGIN")  # all tables as they are at one moment
            try:
                upto: int = db.execute("SELECT upto FROM about").fetchone()[0]
                names = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
                for number in range(min(before - 1, upto) // self._table_messages, -1, -1):
                    if (table := f"words_{number}") not in names:
                        continue  # nothing but joins and leaves
                    if monotonic() > give_up_at:
                        raise SearchUnavailable(
                            f"this search takes more than {self._most_seconds:g} s: give it longer or rarer words"
                        )
                    rows = db.execute(
                        f"SELECT rowid FROM {table} WHERE {table} MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?",
                        (match, before, limit - len(found)),
                    )
                    found += [id for (id,) in rows]
                    if len(found) == limit:
                        break
            finally:
                db.rollback()
            return found, upto

    def close(self) -> None:
        """Release the file. Idempotent."""
        with self._file_mutex:
            for db in (self._reader, self._writer):  # the writer checkpoints, so it goes last
                if db is not None:
                    db.close()
            self._reader = self._writer = self._place = None


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA synchronous = NORMAL")  # after a power cut it is behind, but whole
        connection.execute("PRAGMA busy_timeout = 5000")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection


def _pragma(db: sqlite3.Connection, name: str) -> object:
    return db.execute(f"PRAGMA {name}").fetchone()[0]


def _row(id: int, sender: str, text: str) -> tuple[int, str, str]:
    """What stands for message *id* in its table: the same whenever it is made of the same."""
    return id, in_words(text).replace("\0", " "), _sender_word(fold(sender))


def _version(db: sqlite3.Connection, id: int) -> int:
    """Which text of message *id* is indexed: its own, or that of the edit with this id."""
    row = db.execute("SELECT version FROM changed WHERE id = ?", (id,)).fetchone()
    return id if row is None else int(row[0])


def _batches(log: Log, after: int, upto: int) -> Iterator[list[Message]]:
    while after < upto:
        batch = log.read(after, min(_BATCH_MESSAGES, upto - after))
        yield batch
        after += len(batch)


def _sender_word(member: str) -> str:
    """One word for a folded name, which the tokenizer neither splits nor folds: Zoë and Zoe are two members."""
    return _SENDER_MARK + member.encode().hex()


def _match(query: Query) -> str:
    """*query* in FTS5's language, every term in quotes."""
    parts = [f"text : {_quoted(in_words(term.text))}{' *' if term.is_prefix else ''}" for term in query.terms]
    if query.senders:
        parts.append(f"sender : ({' OR '.join(_quoted(_sender_word(member)) for member in query.senders)})")
    return " AND ".join(parts)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
