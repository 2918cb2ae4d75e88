"""A whole log as plain values, and back: what a server that has nothing is given by one that has all.

A log is a description and parts, in this order: ``messages`` (several times; at most `ROWS` each), ``members``, ``sessions``.
Texts that were deleted are not in it. Whoever takes it compares the chain of digests.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pyrochat.core.digests import extend_chain
from pyrochat.core.integrity import DIFFERS
from pyrochat.core.log import Standing
from pyrochat.storage.log_file import About, note_archived
from pyrochat.storage.log_formats import PROVED_FROM
from pyrochat.values.errors import LogLost
from pyrochat.values.message import Message, message_of

ROWS = 1000
_MESSAGE = "id, sender, text, time_us, kind, key, about, change, ref, proof, more, hex(digest)"
_OWNER = "(SELECT owner FROM keys WHERE keys.key = messages.key AND keys.id = messages.id)"
_MEMBER = "member, name, delivered, read, first_joined, joined"
_SESSION = "id, member, name, lost_at, home"


def description(about: About, tip: tuple[int, bytes], standing: Standing) -> dict[str, Any]:
    """What a log says of itself, as plain values. tip: its end."""
    return {
        "origin": about.origin, "proved_from": about.proved_from, "forks": about.forks, "archived": about.archived,
        "tail": tip[0], "digest": tip[1].hex(), "version": standing.version, "sources": dict(standing.sources),
    }  # fmt: skip


def parts(db: sqlite3.Connection) -> Iterator[tuple[str, list[Any]]]:
    """The parts of the log that *db* is open on, as it is at the first: each with its kind."""
    db.execute("BEGIN")
    try:
        rows = db.execute(f"SELECT {_MESSAGE}, {_OWNER} FROM messages ORDER BY id")
        while some := rows.fetchmany(ROWS):
            yield "messages", [list(row) for row in some]
        for kind, columns in (("members", _MEMBER), ("sessions", _SESSION)):
            yield kind, [list(row) for row in db.execute(f"SELECT {columns} FROM {kind}")]
    finally:
        db.execute("COMMIT")


def write_description(db: sqlite3.Connection, identity: str, about: Mapping[str, Any]) -> None:
    """Let an empty log begin as the log *identity*, of which *about* says what else it is; empty for a new one."""
    of = {"identity": identity, "origin": about.get("origin", identity)}
    if about.get("proved_from") is not None:
        of[PROVED_FROM] = str(about["proved_from"])
    db.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", list(of.items()))
    db.executemany("INSERT OR REPLACE INTO about VALUES ('fork:' || ?, ?)", list(about.get("forks", {}).items()))
    note_archived(db, about.get("archived", {}))


def messages_in(
    room: str, rows: Sequence[Any], tip: tuple[int, bytes]
) -> tuple[list[Message], list[bytes], dict[int, str]]:
    """The messages of a part that follow *tip*, their digests, and whose their keys are. Raises LogLost where the part
    doesn't go on from there."""
    tail, digest = tip
    if any(row[0] == tail and bytes.fromhex(row[11]) != digest for row in rows):
        raise LogLost(f"{DIFFERS}: message {tail} is another one there")
    fresh = [row for row in rows if row[0] > tail]
    if fresh and fresh[0][0] != tail + 1:
        raise LogLost(f"{DIFFERS}: a part of the copy is missing behind message {tail}")
    messages = [message_of((row[0], room, *row[1:11])) for row in fresh]
    digests = extend_chain(digest, messages)
    if fresh and digests[-1] != bytes.fromhex(fresh[-1][11]):
        raise LogLost(f"{DIFFERS}: up to message {fresh[-1][0]} the copy is not what was written")
    return messages, digests, {row[0]: row[12] for row in fresh if row[12] is not None}


def replace_sessions(db: sqlite3.Connection, rows: Sequence[Any]) -> None:
    """The sessions are those of the copy."""
    db.execute("DELETE FROM sessions")
    db.executemany(f"INSERT INTO sessions ({_SESSION}) VALUES (?, ?, ?, ?, ?)", [tuple(row) for row in rows])


def replace_members(db: sqlite3.Connection, rows: Sequence[Any], tail: int) -> None:
    """The members are those of the copy; a mark that is higher here stays."""
    db.executemany(
        f"INSERT INTO members ({_MEMBER}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (member) DO UPDATE SET name = excluded.name, "
        "delivered = max(delivered, excluded.delivered), read = max(read, excluded.read), "
        "first_joined = excluded.first_joined, joined = excluded.joined",
        [(row[0], row[1], min(row[2], tail), min(row[3], tail), *row[4:]) for row in rows],
    )
