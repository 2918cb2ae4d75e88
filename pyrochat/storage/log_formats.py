"""What stands in a log's file, and how files of older formats are brought up to date at the first start.

Format 1 has no digests. Format 2 has its keys in an index by sender, and a secret for the seals of its time; its messages
end with the key, and what a system message says stands in its text only. Their digests keep the old rule (`core.digests`).
"""

import contextlib
import sqlite3
from collections.abc import Iterator

from pyrochat.core.digests import digest_after, first_digest
from pyrochat.core.views import Views
from pyrochat.values.message import SYSTEM, Message, change_in
from pyrochat.values.progress import Progress
from pyrochat.values.rules import fold

FORMAT = 3
APPLICATION_ID = 0x50796368  # "Pych": `file` and SQLite's tools can tell our logs by it

PROVED_FROM = "proved_from"  # in the table about: the id of the first message that has a proof


_ABOUT_INDEX = "CREATE INDEX about_index ON messages (about) WHERE about IS NOT NULL"
_ABOUT = "CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
# Which message its owner (`values.keys.key_owner`) has made with a key: the first one, where older versions let it make
# several.
_KEYS = "CREATE TABLE keys (key TEXT, owner TEXT, id INTEGER NOT NULL, PRIMARY KEY (key, owner)) WITHOUT ROWID"
_SESSIONS = "CREATE TABLE sessions (id TEXT PRIMARY KEY, member TEXT NOT NULL, name TEXT NOT NULL, lost_at INTEGER, home TEXT NOT NULL DEFAULT '') WITHOUT ROWID"
_FORGET_KEY = """
CREATE TRIGGER forget_key AFTER DELETE ON messages WHEN OLD.key IS NOT NULL
    BEGIN DELETE FROM keys WHERE key = OLD.key AND id = OLD.id; END
"""

SCHEMA = f"""
{_ABOUT};
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    sender TEXT NOT NULL,
    text TEXT NOT NULL,
    time_us INTEGER NOT NULL,
    kind TEXT NOT NULL,
    key TEXT,
    about INTEGER,
    change TEXT,
    ref TEXT,
    proof TEXT,
    more TEXT,
    digest BLOB NOT NULL
);
{_ABOUT_INDEX};
{_KEYS};
{_FORGET_KEY};
CREATE TABLE members (
    member TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    delivered INTEGER NOT NULL,
    read INTEGER NOT NULL,
    first_joined INTEGER NOT NULL DEFAULT 0,
    joined INTEGER
) WITHOUT ROWID;
{_SESSIONS};
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
"""
_MESSAGES_A_STEP = 10_000


def add_digests(db: sqlite3.Connection, progress: Progress) -> None:
    """From format 1 to 2, in one step: every message gets its digest. Nothing happens to a newer format."""
    if format_of(db) != 1:
        return
    with _one_step(db, 2):
        identity = db.execute("SELECT value FROM about WHERE key = 'identity'").fetchone()[0]
        db.execute("INSERT INTO about VALUES ('origin', ?)", (identity,))
        db.execute("ALTER TABLE messages ADD COLUMN digest BLOB NOT NULL DEFAULT x''")
        total = _count(db)
        digest = first_digest(identity)
        rows = db.execute("SELECT id, sender, text, time_us, kind, key FROM messages ORDER BY id")
        while batch := rows.fetchmany(1000):
            digests = []
            for id, *fields in batch:
                digest = digest_after(digest, Message(id, "", *fields))
                digests.append((digest, id))
            db.executemany("UPDATE messages SET digest = ? WHERE id = ?", digests)
            progress(batch[-1][0], total)


def bring_up_to_date(db: sqlite3.Connection, progress: Progress) -> bool:
    """From format 2 to the newest, in one step; the log has been found whole. No digest changes.

    Returns whether there was anything to do.
    """
    if format_of(db) == FORMAT:
        add_home(db)
    if format_of(db) != 2:
        return False
    with _one_step(db, FORMAT):
        _make_keys(db, progress)
        _make_fields(db)
        _forget_seal_key(db)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return True


def add_home(db: sqlite3.Connection) -> None:
    """Sessions have had a home since after the format got its number."""
    if "home" not in {row[1] for row in db.execute("PRAGMA table_info(sessions)")}:
        db.execute("ALTER TABLE sessions ADD COLUMN home TEXT NOT NULL DEFAULT ''")


def _make_fields(db: sqlite3.Connection) -> None:
    """What messages and members have had since format 3. The new rule for digests begins with the next message."""
    db.execute("DROP INDEX IF EXISTS changes")
    for column in ("about INTEGER", "change TEXT", "ref TEXT", "proof TEXT", "more TEXT"):
        db.execute(f"ALTER TABLE messages ADD COLUMN {column}")
    db.execute("ALTER TABLE members ADD COLUMN first_joined INTEGER NOT NULL DEFAULT 0")
    db.execute("ALTER TABLE members ADD COLUMN joined INTEGER")
    for statement in (_SESSIONS, _ABOUT_INDEX):
        db.execute(statement)
    rows = db.execute(
        f"SELECT id, sender, text, time_us, kind FROM messages WHERE kind = '{SYSTEM}' ORDER BY id"
    ).fetchall()
    changes = [
        Message(id, "", sender, text, time_us, kind, change=change_in(kind, sender, text))
        for id, sender, text, time_us, kind in rows
    ]
    db.executemany("UPDATE messages SET change = ? WHERE id = ?", [(message.change, message.id) for message in changes])
    _compare_by_nfkc(db)
    for member, known in Views(changes).members.items():
        db.execute(
            "INSERT OR IGNORE INTO members (member, name, delivered, read) VALUES (?, ?, 0, 0)", (member, known.name)
        )
        db.execute(
            "UPDATE members SET first_joined = ?, joined = ? WHERE member = ?",
            (known.first_joined, known.joined, member),
        )
    db.execute("INSERT INTO about VALUES (?, ?)", (PROVED_FROM, _count(db) + 1))


def _compare_by_nfkc(db: sqlite3.Connection) -> None:
    """Who was two members, and is one since names are compared after NFKC, has the higher marks of both."""
    found: dict[str, tuple[str, int, int]] = {}
    for name, delivered, read in db.execute("SELECT name, delivered, read FROM members ORDER BY member").fetchall():
        known = found.get(fold(name), (name, 0, 0))
        found[fold(name)] = (known[0], max(known[1], delivered), max(known[2], read))
    db.execute("DELETE FROM members")
    rows = [(member, *known) for member, known in found.items()]
    db.executemany("INSERT INTO members (member, name, delivered, read) VALUES (?, ?, ?, ?)", rows)


def _make_keys(db: sqlite3.Connection, progress: Progress) -> None:
    """A key is its member's, however the name was spelled; the first message that it made counts."""
    db.execute("DROP INDEX messages_by_key")
    for statement in (_KEYS, _FORGET_KEY):
        db.execute(statement)
    db.create_function("fold", 1, fold, deterministic=True)
    total = _count(db)
    for first in range(1, total + 1, _MESSAGES_A_STEP):
        last = min(first + _MESSAGES_A_STEP - 1, total)
        db.execute(
            "INSERT OR IGNORE INTO keys (key, owner, id) SELECT key, fold(sender), id FROM messages "
            "WHERE id BETWEEN ? AND ? AND key IS NOT NULL ORDER BY id",
            (first, last),
        )
        progress(last, total)


def _forget_seal_key(db: sqlite3.Connection) -> None:
    """The table anew: its old page, which secure_delete blanks, may hold copies of what was moved within it."""
    db.execute("ALTER TABLE about RENAME TO old_about")
    db.execute(_ABOUT)
    db.execute("INSERT INTO about SELECT key, value FROM old_about WHERE key != 'seal_key'")
    db.execute("DROP TABLE old_about")


@contextlib.contextmanager
def _one_step(db: sqlite3.Connection, format: int) -> Iterator[None]:
    """All of what is done within, and the file is of *format*; or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute(f"PRAGMA user_version = {format}")
        db.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # the failure may have rolled back already
            db.execute("ROLLBACK")
        raise


def format_of(db: sqlite3.Connection) -> int:
    """Of the file; 0 where it is new."""
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    return version


def _count(db: sqlite3.Connection) -> int:
    total: int = db.execute("SELECT coalesce(max(id), 0) FROM messages").fetchone()[0]
    return total
