"""The room on disk: `core.space` with a disk, a lock, and a word to the operator.

Nobody who posts waits for the disk: what was seen at the last `look` counts, and what was let in since. The server
looks every 0.5 s.
"""

import logging
import os
import threading
from pathlib import Path

from pyrochat.core.log import Log
from pyrochat.core.space import FULL, SpaceBudget, disk_budget, log_bytes, room_budget
from pyrochat.values.errors import DiskFull, LogUnavailable, RoomFull
from pyrochat.values.message import JOINED
from pyrochat.values.sizes import shown_size

logger = logging.getLogger(__name__)

_INDEX_BYTES = 8 << 20  # more than a batch of 500 long messages adds


class Disk:
    """The file system of *folder*, of which *reserve* bytes stay free (see `Storage`). Any thread may call.

    Without a folder it is never full.
    """

    def __init__(self, folder: Path | None = None, reserve: int | None = None) -> None:
        self._folder = folder
        self._reserve = reserve
        self._mutex = threading.Lock()  # guards the budget
        self._total = 0
        self._budget = SpaceBudget()
        self.look()

    def look(self, coming: int = 0) -> None:
        """See how much is free; *coming* bytes of it are taken already, by what is only in the logs' WALs yet.

        Where that can't be seen, nothing is refused for it: the log will say what is wrong.
        """
        if self._folder is None:
            return
        try:
            found = os.statvfs(self._folder)
        except OSError as error:
            logger.debug("can't see how much of %s is free: %s", self._folder, error)
            return
        total, free = found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize
        with self._mutex:
            if total != self._total:
                self._total, self._budget = total, disk_budget(self._reserve, total)
            self._budget.see(total - free + coming)
            news, kept = self._budget.news(), total - self._budget.bound
        if news is not None:
            text = "posts are refused" if news == FULL else f"posts are refused when {shown_size(kept)} are left"
            logger.warning(
                "the disk of %s is nearly full, %s are free: %s (disk_reserve=); make room there",
                self._folder, shown_size(free), text,
            )  # fmt: skip

    def has_room(self, size: int) -> bool:
        """Whether *size* more bytes may be written."""
        with self._mutex:
            return self._budget.has_room_for(size)

    def refusal(self, size: int, is_join: bool = False) -> DiskFull | None:
        """Why *size* more bytes can't be written; None where they can."""
        with self._mutex:
            if self._budget.has_room_for(size, is_join):
                return None
            self._budget.refused()
        return DiskFull("the server's disk is nearly full: nothing was stored; its operator has to make room there")

    def count(self, size: int) -> None:
        """See `SpaceBudget`."""
        with self._mutex:
            self._budget.count(size)


class RoomSpace:
    """How much the log of one room may grow: *room_bytes* in all (0: no bound), on *disk*. Any thread may call."""

    def __init__(self, log: Log, disk: Disk | None = None, room_bytes: int = 0) -> None:
        self._log = log
        self.disk = disk or Disk()
        self._bound = room_bytes
        self._mutex = threading.Lock()  # guards the budget
        self._budget = room_budget(room_bytes)
        self.look()

    def look(self) -> int:
        """See how large the log is; returns by how much its file has still to grow."""
        try:
            size, coming = self._log.size()
        except LogUnavailable as error:
            logger.debug("can't see how large the log of room %s is: %s", self._log.room, error)
            return 0
        with self._mutex:
            self._budget.see(size)
            news = self._budget.news()
        if news is not None:
            state = "it is full, and posts are refused" if news == FULL else "when it is full, posts are refused"
            logger.warning(
                "room %s has %s of its %s (room_bytes=): %s", self._log.room, shown_size(size), shown_size(self._bound), state
            )  # fmt: skip
        return coming

    def has_room_to_index(self) -> bool:
        """Whether the search index may grow: what can be made again leaves the last room to what can't."""
        return self.disk.has_room(_INDEX_BYTES)

    def refusal(self, size: int, is_join: bool = False) -> RoomFull | None:
        """Why *size* more bytes can't be written; None where they can."""
        with self._mutex:
            if self._budget.has_room_for(size, is_join):
                return self.disk.refusal(size, is_join)
            self._budget.refused()
        return RoomFull(
            f"the room is full ({shown_size(self._bound)}): nothing was stored; its operator can give it more "
            f"(pyrochat-server --room-bytes)"
        )

    def let_in(self, size: int) -> RoomFull | None:
        """Why *size* more bytes can't be written; where they can, they are on their way."""
        refusal = self.refusal(size)
        if refusal is None:
            self.count(size)
        return refusal

    def check_join(self, name: str) -> None:
        """Raise RoomFull or DiskFull where there is not even room for *name*'s "joined"."""
        refusal = self.refusal(log_bytes(name, [f"{name} {JOINED}"]), is_join=True)
        if refusal is not None:
            raise refusal

    def count(self, size: int) -> None:
        """*size* more bytes are on their way to the log."""
        with self._mutex:
            self._budget.count(size)
        self.disk.count(2 * size)  # in the WAL, and when that is put in its place
