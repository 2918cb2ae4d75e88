"""Copies of a log that an operator should know of: backups, and what the server has kept beside it."""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from pyrochat.storage.log_file import file_stem, log_path, read_about
from pyrochat.storage.reading import open_to_read
from pyrochat.trust.files import read_private, write_private
from pyrochat.values.errors import PyroChatError

_LIST = "backups"  # in the data folder: a path a line


def note_backup(data: Path, target: Path) -> None:
    """Remember that *target* has a copy of a log. Raises Unavailable."""
    known = list(_noted(data))
    if target.absolute() not in known:
        write_private(
            data / _LIST, "".join(f"{path}\n" for path in [*known, target.absolute()]).encode(errors="surrogateescape")
        )


def copies_with(data: Path, room: str, ids: Sequence[int]) -> list[Path]:
    """The copies of the log of *room* that have the text of any of the messages *ids*."""
    log = log_path(data, room)
    beside = sorted(log.parent.glob(f"{file_stem(room)}-before-*.sqlite3"))
    return [path for path in [*beside, *_noted(data)] if path.is_file() and _has_text(path, log, ids)]


def _noted(data: Path) -> Iterator[Path]:
    with contextlib.suppress(PyroChatError, FileNotFoundError):
        for line in read_private(data / _LIST).decode(errors="surrogateescape").splitlines():
            yield Path(line)


def _has_text(path: Path, log: Path, ids: Sequence[int]) -> bool:
    try:
        with open_to_read(log) as current, open_to_read(path) as copy:
            if read_about(current, log).origin != read_about(copy, path).origin:
                return False
            marks = ", ".join("?" * len(ids))
            return (
                copy.execute(f"SELECT 1 FROM messages WHERE text <> '' AND id IN ({marks})", ids).fetchone() is not None
            )
    except (PyroChatError, sqlite3.Error):
        return False  # it is no log any more
