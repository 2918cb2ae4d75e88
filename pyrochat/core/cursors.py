"""Cursors: what to deliver to whom next, and when to ask for a confirmation.

At most one delivery that asks for an answer is outstanding for each session. Small ones may follow it, or the
answer, without asking (`WINDOW_BYTES`): a later answer confirms them all. That is the whole flow control. A
stretch ends at the next block boundary at the latest, so sessions that have drifted apart meet again there and
share the same bytes.
"""

from dataclasses import dataclass

BLOCK_MESSAGES = 512
MARKS_IN_A_DELIVERY = 1000
WINDOW_BYTES = 4096
"""So much may be under way to a session unconfirmed, and still a delivery that asks for nothing may follow."""


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

    position: its replica's end, as far as it has confirmed. sent: the end of what has gone out to it. outstanding:
    a delivery that asked for an answer has none yet; `asked` is its end. in_flight: bytes sent and not confirmed.
    """

    position: int
    marks_position: int = 0
    sent: int = 0
    asked: int = 0
    outstanding: bool = False
    in_flight: int = 0
    _since_asked: int = 0  # bytes of them that went out after the last delivery that asked

    def __post_init__(self) -> None:
        self.sent = self.asked = self.position

    def has_window(self, size: int = 1) -> bool:
        """Whether *size* bytes may follow what is in flight."""
        return self.in_flight + size <= WINDOW_BYTES

    def send(self, upto: int, marks_upto: int, size: int = 0, asks: bool = True) -> None:
        """A delivery of *size* bytes up to *upto* goes out. asks: the session has to answer it."""
        assert not (asks and self.outstanding)
        assert upto >= self.sent
        self.sent, self.marks_position = upto, marks_upto
        self.in_flight += size
        if asks:
            self.asked, self.outstanding, self._since_asked = upto, True, 0
        else:
            self._since_asked += size

    def confirm(self, delivered: int, read: int) -> tuple[int, int]:
        """The delivery that asked was answered with these marks; returns them cut down to what is possible.

        A session can't have more than was sent to it: a client that claims more is believed up to there.
        """
        self.position, self.outstanding, self.in_flight = self.asked, False, self._since_asked
        delivered = max(0, min(delivered, self.sent))
        return delivered, max(0, min(read, delivered))
