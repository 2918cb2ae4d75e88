"""A log's file is changed behind its server's back, which is not running."""

import contextlib
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from pyrochat.core.digests import digest_after
from pyrochat.values.message import CHAT, message_of

_NEWEST = 50  # messages; one of them is changed
_COLUMNS = "id, '', sender, text, time_us, kind, key, about, change, ref, proof, more"


def change_a_byte(log: Path, chance: random.Random) -> str:
    """One byte of the text of one of the newest messages, in the file itself; says what was done."""
    with _opened(log) as db:
        id, text = _one_of_the_newest(db, chance)
    at = -1
    while True:  # a page that was split may have left the text where no row is any more
        data = log.read_bytes()
        at = data.index(text.encode(), at + 1)
        _write(log, at, bytes([data[at] ^ 1]))
        with _opened(log) as db:
            if db.execute("SELECT text FROM messages WHERE id = ?", (id,)).fetchone() != (text,):
                return f"message {id} has another byte"
        _write(log, at, data[at : at + 1])


def rewrite(log: Path, chance: random.Random) -> str:
    """One of the newest messages says something else, and all digests from there on fit; says what was done."""
    with _opened(log) as db:
        id, text = _one_of_the_newest(db, chance)
        db.execute("UPDATE messages SET text = ? WHERE id = ?", (f"not {text}", id))
        [digest] = db.execute("SELECT digest FROM messages WHERE id = ?", (id - 1,)).fetchone()
        for row in db.execute(f"SELECT {_COLUMNS} FROM messages WHERE id >= ? ORDER BY id", (id,)).fetchall():
            digest = digest_after(digest, message_of(row))
            db.execute("UPDATE messages SET digest = ? WHERE id = ?", (digest, row[0]))
        db.execute("DELETE FROM about WHERE key = 'verified'")
    log.with_suffix(".tail").unlink(missing_ok=True)  # the witness would tell
    return f"message {id} says something else, and all digests fit"


@contextlib.contextmanager
def _opened(log: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(log, isolation_level=None)) as db:
        yield db
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _one_of_the_newest(db: sqlite3.Connection, chance: random.Random) -> tuple[int, str]:
    newest = db.execute("SELECT id, text FROM messages WHERE kind = ? ORDER BY id DESC LIMIT ?", (CHAT, _NEWEST))
    id, text = chance.choice(newest.fetchall())
    return int(id), str(text)


def _write(log: Path, at: int, data: bytes) -> None:
    with log.open("r+b") as file:
        file.seek(at)
        file.write(data)
