"""Rooms with a past: logs made without a server."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from lab.benchmarks.peers.pyrochat_peer import ROOM
from lab.benchmarks.texts import plain_texts
from pyrochat.storage.log_file import log_path
from pyrochat.storage.sqlite_log import SqliteLog
from pyrochat.trust.salts import new_salt, new_salts
from pyrochat.values.message import EDIT, REACT, Message

_MESSAGES_A_COMMIT = 5000
_REACTIONS = ("👍", "🎉", "👀", "❤️")
_MOST_EDITED = 1000


def write_log(folder: Path, messages: int, texts_of: Callable[[int], list[str]] = plain_texts) -> None:
    """Make a log of *messages* messages where the server of an arena in *folder* looks for it.

    texts_of: called with a number, returns so many texts; again and again.
    """
    began = time.time_ns() // 1000
    log = SqliteLog(log_path(folder / "data", ROOM), ROOM)
    for first in range(1, messages + 1, _MESSAGES_A_COMMIT):
        texts = texts_of(_MESSAGES_A_COMMIT)
        ids = range(first, min(first + _MESSAGES_A_COMMIT, messages + 1))
        log.append(
            [
                Message(id, ROOM, "Erick", text, began + id, key=f"{began // 1000:011x}past-{id:08x}", proof=salt)
                for id, text, salt in zip(ids, texts, new_salts(len(texts)), strict=False)
            ]
        )
    log.close()


def write_remarks(folder: Path, messages: int) -> None:
    """Make a log of *messages* texts as `write_log` does, and a fifth as many edits and reactions behind them, a tenth of them
    about message 1."""
    write_log(folder, messages)
    log = SqliteLog(log_path(folder / "data", ROOM), ROOM)
    began, remarks = time.time_ns() // 1000, messages // 5
    for first in range(0, remarks, _MESSAGES_A_COMMIT):
        log.append(
            [_remark(messages, number, began) for number in range(first, min(first + _MESSAGES_A_COMMIT, remarks))]
        )
    log.close()


def _remark(messages: int, number: int, began: int) -> Message:
    about = 1 if number % 10 == 0 else 1 + number * 5 % messages
    is_edit = number % 2 == 0 and (about != 1 or number < 10 * _MOST_EDITED)
    text = f"edit {number:08d} ".ljust(100, "x") if is_edit else _REACTIONS[number % len(_REACTIONS)]
    sender = "Erick" if is_edit else f"m{number % 100}"
    kind = EDIT if is_edit else REACT
    return Message(messages + 1 + number, ROOM, sender, text, began + number, kind, about=about, proof=new_salt())


def rows_of(folder: Path) -> list[tuple[object, ...]]:
    """Every message of the log in *folder*, as SQLite returns it."""
    db = sqlite3.connect(log_path(folder / "data", ROOM))
    try:
        return db.execute("SELECT id, sender, text, time_us, kind, key FROM messages ORDER BY id").fetchall()
    finally:
        db.close()
