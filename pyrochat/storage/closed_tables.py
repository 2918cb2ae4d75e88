"""The tables of the registry that say who may enter the closed rooms."""

import sqlite3

from pyrochat.core.closed_rooms import ClosedChanges, ClosedRecord, Entrant

_CLOSED = "room, title, creator, creator_key, direct, since_us"
_ENTRANT = "room, member, name, key, inviter, removed"

CLOSED_SCHEMA = """
CREATE TABLE closed (
    room TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    creator TEXT NOT NULL,
    creator_key TEXT NOT NULL,
    direct INTEGER NOT NULL,
    since_us INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX direct_of ON closed (creator_key) WHERE direct;
CREATE TABLE entrants (
    room TEXT NOT NULL,
    member TEXT NOT NULL,
    name TEXT NOT NULL,
    key TEXT NOT NULL,
    inviter TEXT NOT NULL,
    removed INTEGER NOT NULL,
    PRIMARY KEY (room, member)
) WITHOUT ROWID;
CREATE INDEX entrants_of ON entrants (member);
"""


class ClosedTables:
    """What the entries have come to, as `core.closed_rooms.apply_closed` reads it. Raises sqlite3.Error."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def closed(self, room: str) -> ClosedRecord | None:
        """See `ClosedState`."""
        row = self._db.execute(f"SELECT {_CLOSED} FROM closed WHERE room = ?", (room,)).fetchone()
        return None if row is None else _closed_record(row)

    def entrants(self, room: str) -> dict[str, Entrant]:
        """See `ClosedState`."""
        rows = self._db.execute(f"SELECT {_ENTRANT} FROM entrants WHERE room = ?", (room,))
        return {entrant.member: entrant for entrant in map(_entrant, rows)}

    def direct(self, one: tuple[str, str], other: tuple[str, str]) -> str | None:
        """See `ClosedState`."""
        query = """
            SELECT a.room FROM entrants a JOIN entrants b USING (room) JOIN closed USING (room)
            WHERE direct AND (a.member, a.key) = (?, ?) AND (b.member, b.key) = (?, ?)"""
        row = self._db.execute(query, (*one, *other)).fetchone()
        return None if row is None else str(row[0])

    def direct_count(self, creator_key: str) -> int:
        """See `ClosedState`."""
        count: int = self._db.execute(
            "SELECT count(*) FROM closed WHERE direct AND creator_key = ?", (creator_key,)
        ).fetchone()[0]
        return count

    def closed_rooms(self) -> list[ClosedRecord]:
        """All of them, in the order in which they came."""
        return [
            _closed_record(row) for row in self._db.execute(f"SELECT {_CLOSED} FROM closed ORDER BY since_us, room")
        ]

    def closed_rooms_of(self, member: str) -> list[tuple[ClosedRecord, Entrant]]:
        """Those that the folded name *member* may enter, or could once, in the order in which they came."""
        query = f"SELECT {_CLOSED} FROM closed WHERE room = ?"
        rows = self._db.execute(f"SELECT {_ENTRANT} FROM entrants WHERE member = ?", (member,)).fetchall()
        found = []
        for row in rows:
            room = self._db.execute(query, row[:1]).fetchone()
            if room is not None:
                found.append((_closed_record(room), _entrant(row)))
        return sorted(found, key=lambda each: (each[0].since_us, each[0].room))


def write_closed(db: sqlite3.Connection, changes: ClosedChanges) -> None:
    """Make *changes* in the tables."""
    for key, closed in changes.rooms.items():
        db.execute("DELETE FROM closed WHERE room = ?", (key,))
        if closed is not None:
            db.execute(f"INSERT INTO closed ({_CLOSED}) VALUES (?, ?, ?, ?, ?, ?)", closed)
    db.executemany(f"INSERT OR REPLACE INTO entrants ({_ENTRANT}) VALUES (?, ?, ?, ?, ?, ?)", changes.entrants)


def _closed_record(row: tuple[str, str, str, str, int, int]) -> ClosedRecord:
    room, title, creator, creator_key, direct, since_us = row
    return ClosedRecord(room, title, creator, creator_key, bool(direct), since_us)


def _entrant(row: tuple[str, str, str, str, str, int]) -> Entrant:
    room, member, name, key, inviter, removed = row
    return Entrant(room, member, name, key, inviter, bool(removed))
