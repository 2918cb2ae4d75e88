"""Cursors: what to deliver to whom next.

At most one delivery is outstanding for each session; that is the whole flow control. A stretch ends at
the next block boundary at the latest, so sessions that have drifted apart meet again there and share
the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BLOCK_MESSAGES", "MARKS_IN_A_DELIVERY", "Cursor", "block_end", "marks_interval_seconds"]

BLOCK_MESSAGES = 512
MARKS_IN_A_DELIVERY = 1000


def block_end(after: int, tail: int) -> int:
    """The id at which a stretch that begins after *after* has to end."""
    return min(tail, (after // BLOCK_MESSAGES + 1) * BLOCK_MESSAGES)


def marks_interval_seconds(members: int) -> float:
    """How long changes of marks are gathered before they are written and told.

    20 ms in a small room, 1 ms a member in a large one, 1 s at the most. Every member gets every
    change, so N members cost N entries for N receivers an interval: this keeps that below 1,000
    entries a receiver and second, whatever N is.
    """
    return min(max(members / 1000, 0.02), 1.0)


@dataclass(slots=True)
class Cursor:
    """A session's place in the log and in the versions of the marks.

    position: its replica's end, as far as it has confirmed. sent: the end of the outstanding
    delivery, equal to `position` where none is outstanding.
    """

    position: int
    marks_position: int = 0
    sent: int = 0
    outstanding: bool = False

    def __post_init__(self) -> None:
        self.sent = self.position

    def send(self, upto: int, marks_upto: int) -> None:
        """A delivery up to *upto* goes out."""
        assert not self.outstanding
        assert upto >= self.position
        self.sent, self.marks_position, self.outstanding = upto, marks_upto, True

    def confirm(self, delivered: int, read: int) -> tuple[int, int]:
        """The delivery was answered with these marks; returns them cut down to what is possible.

        A session can't have more than was sent to it: a client that claims more is believed up to there.
        """
        self.position, self.outstanding = self.sent, False
        delivered = max(0, min(delivered, self.position))
        return delivered, max(0, min(read, delivered))
