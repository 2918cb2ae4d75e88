"""Is a log whole? Walks its chain of digests, row by row, as the rows stand on disk."""

import sqlite3
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any

from pyrochat.core.digests import digest_after, first_digest, is_old
from pyrochat.storage.log_file import About, read_about
from pyrochat.storage.reading import open_to_read
from pyrochat.values.errors import InvalidArgument, LogUnreadable
from pyrochat.values.message import message_of
from pyrochat.values.progress import Progress

_PROGRESS_EVERY = 10_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a walk found.

    whole_up_to: the messages 1 … whole_up_to are what was written. digest: that of the last of them.
    damage: what is wrong with the message after it; None where the log ends there. expected: the
    digest that the chain has at the id that was asked for; None where the log doesn't reach it.
    """

    whole_up_to: int
    digest: bytes
    damage: str | None = None
    expected: bytes | None = None


def verify_file(path: Path, progress: Progress, at: int = 0) -> tuple[About, Verdict]:
    """Walk the log in the file at *path*, whether a server has it open or not.

    at: an id whose digest is wanted too. Raises LogUnreadable, CannotHost.
    """
    if not path.is_file():
        raise LogUnreadable(f"there is no log {path}: see data= and room=")
    try:
        with open_to_read(path) as db:
            about = read_about(db, path)
            return about, walk(db, about, progress, at)
    except sqlite3.Error as error:
        raise LogUnreadable(f"{path} can't be read as a log ({error}): restore it from a backup") from None


def walk(
    db: sqlite3.Connection, about: About, progress: Progress, at: int = 0, *, after: tuple[int, bytes] | None = None,
    upto: int | None = None,
) -> Verdict:  # fmt: skip
    """Compute the chain of the log in *db* anew and compare it with what is stored. about: what the file says of itself.

    after: an id and its digest, from where on; upto: the id to end at. at: an id whose digest is wanted too.
    """
    last, digest = after or (0, first_digest(about.origin))
    expected = digest if at == last else None
    db.text_factory = _Text  # what stands there may be no UTF-8 any more
    try:
        total = db.execute("SELECT coalesce(max(id), 0) FROM messages").fetchone()[0]
        for row in _rows(db, last, has_proofs=about.proved_from is not None):
            has_proof = about.proved_from is not None and last + 1 >= about.proved_from
            damage, digest = _check(row, last + 1, digest, has_proof)
            if damage is not None:
                return Verdict(last, digest, damage, expected)
            last += 1
            if last == at:
                expected = digest
            if last == upto:
                return Verdict(last, digest, None, expected)
            if last % _PROGRESS_EVERY == 0:
                progress(last, total)
    except sqlite3.DatabaseError as error:
        return Verdict(last, digest, f"message {last + 1} can't be read ({error})", expected)
    finally:
        db.text_factory = str
    progress(last, last)
    return Verdict(last, digest, None, expected)


class _Text(bytes):
    """A column that is TEXT on disk, undecoded. A BLOB comes as plain bytes: one flipped bit makes the one the other."""


def _rows(db: sqlite3.Connection, after: int, has_proofs: bool) -> Iterator[tuple[object, ...]]:
    """All rows behind *after* up to the first that can't be read.

    Python's cursor steps one row ahead: where that fails it loses the row that it already has. So from
    there on each row is asked for by itself.
    """
    added = "about, change, ref, proof, more" if has_proofs else "NULL, NULL, NULL, NULL, NULL"
    columns = f"SELECT id, digest, sender, text, time_us, kind, key, {added} FROM messages"
    last: object = after
    try:
        for row in db.execute(f"{columns} WHERE id > ? ORDER BY id", (after,)):
            yield row
            last = row[0]
    except sqlite3.DatabaseError:
        while True:
            row = db.execute(f"{columns} WHERE id > ? ORDER BY id LIMIT 1", (last,)).fetchone()
            if row is None:
                raise
            yield row
            last = row[0]


_TYPES = ((_Text,), (_Text,), (int,), (_Text,), (_Text, NoneType), (int, NoneType), *((_Text, NoneType),) * 4)
"""Of sender, text, time_us, kind, key, about, change, ref, proof, more."""


def _check(row: tuple[Any, ...], id: int, previous: bytes, has_proof: bool) -> tuple[str | None, bytes]:
    """What is wrong with *row*, which should be message *id*, and its digest (the *previous* one where it is wrong)."""
    found, stored, *fields = row
    if found != id:
        return f"message {id} is missing, or its id was changed", previous
    if type(stored) is bytes and all(type(field) in types for field, types in zip(fields, _TYPES, strict=True)):
        try:
            message = message_of((id, "", *(field.decode() if type(field) is _Text else field for field in fields)))
            digest = digest_after(previous, message) if is_old(message.proof) != has_proof else b""
        except (UnicodeDecodeError, InvalidArgument, struct.error):
            pass
        else:
            if digest == stored:
                return None, digest
            return f"message {id} was changed: its digest does not fit", previous
    return f"message {id} was changed: its fields make no sense", previous
