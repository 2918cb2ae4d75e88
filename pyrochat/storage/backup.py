"""A copy of a log, taken while its server goes on."""

import contextlib
import os
import sqlite3
from pathlib import Path

from pyrochat.storage.log_file import read_about
from pyrochat.storage.reading import open_to_read
from pyrochat.storage.verifying import Verdict, verify_file
from pyrochat.trust.files import open_private
from pyrochat.values.errors import CannotHost, LogDamaged, LogUnreadable
from pyrochat.values.progress import Progress

_PAGES_AT_ONCE = 256


def back_up(path: Path, target: Path, progress: Progress) -> Verdict:
    """Copy the log in the file *path* to the new file *target*, by SQLite's online backup, and verify the copy.

    The copy is the log as it is at the call: a read transaction holds that snapshot, so posts that
    come meanwhile neither get in nor restart the copy. Its mode is 0600. progress: called with pages, not messages.
    Raises LogUnreadable, LogDamaged where the copy is not whole, CannotHost where *target* can't be written.
    """
    if not path.is_file():
        raise LogUnreadable(f"there is no log {path}: see data= and room=")
    try:
        os.close(open_private(target))
    except FileExistsError:
        raise CannotHost(f"{target} exists already: name a new file") from None
    except OSError as error:
        raise CannotHost(
            f"can't write the backup {target} ({error.strerror}): see to the disk and the folder"
        ) from None
    with contextlib.ExitStack() as undo:
        undo.callback(target.unlink, missing_ok=True)
        _copy(path, target, progress)
        undo.pop_all()
    _, verdict = verify_file(target, progress)
    if verdict.damage is not None:
        raise LogDamaged(f"the backup {target} is as damaged as the log: {verdict.damage}")
    return verdict


def _copy(path: Path, target: Path, progress: Progress) -> None:
    try:
        with open_to_read(path) as source, contextlib.closing(sqlite3.connect(target)) as copy:
            read_about(source, path)
            source.execute("BEGIN")
            source.execute("SELECT max(id) FROM messages").fetchone()  # the snapshot is taken here
            source.backup(copy, pages=_PAGES_AT_ONCE, progress=lambda _, left, total: progress(total - left, total))
            source.execute("COMMIT")
    except sqlite3.Error as error:
        raise CannotHost(f"can't write the backup {target} ({error}): see to the disk and the folder") from None
