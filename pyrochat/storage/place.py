"""Whether the files that a database has open are still where they were: a folder may be deleted under a running server.

A deleted or replaced file goes on taking what is written, and all of it is gone with the process.
"""

import os
from pathlib import Path


class FilePlace:
    """The database file at *path* and what SQLite has beside it, as they are now: make it while the database is open."""

    def __init__(self, path: Path) -> None:
        real = path.resolve()  # SQLite follows symlinks: its other files are beside what they lead to
        beside = (real.with_name(real.name + suffix) for suffix in ("-wal", "-shm"))
        self._files = {str(file): _id_of(str(file)) for file in (path, *(file for file in beside if file.exists()))}

    def changed(self) -> str | None:
        """What is no longer as it was, for the operator; None while all is. Costs a few µs."""
        for file, known in self._files.items():
            try:
                if _id_of(file) != known:
                    return f"{file} is another file now"
            except FileNotFoundError:
                return f"{file} is gone"
            except OSError as error:
                return f"{file} can't be found any more ({error.strerror})"
        return None


def _id_of(file: str) -> tuple[int, int]:
    status = os.stat(file)
    return status.st_dev, status.st_ino
