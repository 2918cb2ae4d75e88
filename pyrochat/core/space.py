"""How much may still be written: the bytes of a room's log, and of the disk that it is on.

Posts end at the bound; joins go on a little beyond it, and the ends of sessions and marks always. So a room that is
full can be read, entered and left, and says so.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

GIB, MIB = 1 << 30, 1 << 20
ROOM_BYTES = 10 * GIB
PEER_BYTES = 2 * GIB
ALMOST_FULL, FULL = 1, 2

_MOST_RESERVE = GIB
_MOST_EARLY_ON_DISK = 4 * GIB
_LEAST_MARGIN = 16 * MIB  # some 50,000 joins
_MOST_HARD_RESERVE = 64 * MIB  # of the reserve, only for the ends of sessions and for marks
_ROW_BYTES = 80  # of a message in SQLite, without texts; measured, its digest included


@dataclass(frozen=True, slots=True)
class Storage:
    """What may be written to a server's disk, in bytes; 0 sets no bound.

    room_bytes: a room's log. peer_bytes: by the guests and the new keys of one peer within a day. disk_reserve: so
    much stays free; None: 5 % of the disk, 1 GiB at the most.
    """

    room_bytes: int = ROOM_BYTES
    peer_bytes: int = PEER_BYTES
    disk_reserve: int | None = None


def log_bytes(sender: str, texts: Sequence[str], keys: Sequence[str | None] = ()) -> int:
    """About how many bytes a log grows by *texts* of *sender*: sender and key stand in the row and in an index."""
    each = _ROW_BYTES + 2 * len(sender.encode())
    return each * len(texts) + sum(len(text.encode()) for text in texts) + 2 * sum(len(key) for key in keys if key)


class SpaceBudget:
    """A number of bytes, and how much of it is used: as it was last seen, and what was let in since.

    bound: where posts end. margin: so far beyond it joins go on. early: so far before it the operator is told.
    Not synchronized.
    """

    def __init__(self, bound: float = math.inf, margin: float = 0, early: float = 0) -> None:
        self.bound = bound
        self.margin = margin
        self.early = early
        self._used = 0
        self._counted = 0
        self._was_short = False
        self._told = 0

    def see(self, used: int) -> None:
        """So many bytes are in use."""
        self._used, self._counted = used, 0

    def count(self, size: int) -> None:
        """*size* more bytes are being written."""
        self._counted += size

    @property
    def left(self) -> float:
        """How many bytes there are up to the bound."""
        return self.bound - self._used - self._counted

    def has_room_for(self, size: int, is_join: bool = False) -> bool:
        """Whether *size* more bytes may be written."""
        return size <= self.left + (self.margin if is_join else 0)

    def refused(self) -> None:
        """Somebody was refused for it: where little is left, that is to be full. Else it was a batch too large."""
        if self.left <= self.early:
            self._was_short = True

    def news(self) -> int | None:
        """ALMOST_FULL or FULL, where the operator has to be told that now: once each, until there is room again."""
        state = FULL if self._was_short or self.left <= 0 else ALMOST_FULL if self.left <= self.early else 0
        self._was_short = False
        if state == 0:
            self._told = 0
        if state <= self._told:
            return None
        self._told = state
        return state


def room_budget(room_bytes: int) -> SpaceBudget:
    """Of a room's log; 0 sets no bound."""
    if room_bytes <= 0:
        return SpaceBudget()
    return SpaceBudget(room_bytes, max(room_bytes // 10, _LEAST_MARGIN), room_bytes // 5)


def disk_budget(reserve: int | None, total: int) -> SpaceBudget:
    """Of a disk of *total* bytes (0: not known), of which *reserve* stays free."""
    if total <= 0:
        return SpaceBudget()
    kept = min(_MOST_RESERVE, total // 20) if reserve is None else reserve
    bound = total - kept
    return SpaceBudget(bound, max(kept // 2, kept - _MOST_HARD_RESERVE), min(max(bound, 0) // 5, _MOST_EARLY_ON_DISK))
