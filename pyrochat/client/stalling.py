"""Noticing that what should come has stopped coming. Knows no clock: times are given to it."""

_SLOWLY = 6  # times as long is waited where parts come; without an end, nothing whole might ever come


class Stalling:
    """Watches something grow. It has stalled when it has not grown for *seconds*; *now* is when that begins.

    Slow is not stalled: while a part of what comes next has come within *seconds*, six times as long is waited.
    """

    def __init__(self, seconds: float, now: float) -> None:
        self.seconds = seconds
        self._grown_at = now
        self._size = 0

    def left(self, size: int, partly_at: float, now: float) -> float:
        """Seconds until it has stalled, which it has at 0. size: how much there is. partly_at: when a part came last."""
        if size > self._size:
            self._size, self._grown_at = size, now
        slowest = self._grown_at + (_SLOWLY - 1) * self.seconds
        return max(0.0, max(self._grown_at, min(partly_at, slowest)) + self.seconds - now)
