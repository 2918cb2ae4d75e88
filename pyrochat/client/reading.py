"""What this client has been shown: its read mark, which only grows.

Own messages count as read without being shown: the mark moves on over them, but never over what
somebody else wrote in between.
"""

from __future__ import annotations

import threading
import time

from pyrochat.client.replica import Replica
from pyrochat.values.rules import fold

__all__ = ["Reading"]


class Reading:
    """The read mark of one client. mark: everything up to this id has been shown, or is our own."""

    __slots__ = ("_mark", "_member", "_mutex", "_replica", "_told", "told_at")

    def __init__(self, replica: Replica, name: str) -> None:
        self._replica = replica
        self._member = fold(name)
        self._mutex = threading.Lock()
        self._mark = 0
        self._told = 0
        self.told_at = 0.0  # seconds of the monotonic clock

    @property
    def mark(self) -> int:
        """The read mark, moved on over our own messages that follow it."""
        with self._mutex:
            end = self._replica.end
            while self._mark < end and self.is_own(self._mark + 1):
                self._mark += 1
            return self._mark

    def is_own(self, id: int) -> bool:
        """Whether message *id* of the replica was sent by us, or tells of us."""
        return fold(self._replica.get(id).sender) == self._member

    def advance(self, id: int) -> bool:
        """Everything up to *id* has been shown; True where that is news."""
        with self._mutex:
            if id <= self._mark:
                return False
            self._mark = id
            return True

    def tell(self) -> int:
        """The mark, for an answer or a call that carries it to the room."""
        mark = self.mark
        self._told = max(self._told, mark)
        self.told_at = time.monotonic()
        return mark

    def forget_told(self) -> None:
        """What was told may have been lost: tell it again."""
        self._told = 0

    @property
    def untold(self) -> bool:
        """Whether the room may not know the mark yet."""
        return self.mark > self._told
