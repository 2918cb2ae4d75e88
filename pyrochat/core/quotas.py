"""So much in a span of time: what nobody gets back by waiting a moment, as with a token bucket."""

_MOST_SUBJECTS = 100_000


class Quota:
    """*amount* for each subject within *seconds* that begin with its first use; 0 sets no limit.

    Not synchronized; times are seconds of any monotonic clock. Of more than *most* subjects the longest known one is
    forgotten: memory stays bounded, whoever comes.
    """

    def __init__(self, amount: int, seconds: float, most: int = _MOST_SUBJECTS) -> None:
        self.amount = amount
        self._seconds = seconds
        self._most = most
        self._used: dict[str, tuple[int, float]] = {}  # how much, and when the span ends; the oldest span first

    def take(self, subject: str, amount: int, now: float) -> float:
        """Take *amount*; 0.0 where it was there, else the seconds until the span ends (and nothing is taken)."""
        if self.amount <= 0:
            return 0.0
        used, ends = self._used.get(subject, (0, 0.0))
        if now >= ends:
            self._used.pop(subject, None)  # a new span is the newest
            used, ends = 0, now + self._seconds
        if used + amount > self.amount:
            return ends - now
        self._used[subject] = (used + amount, ends)
        if len(self._used) > self._most:
            del self._used[next(iter(self._used))]
        return 0.0

    def give_back(self, subject: str, amount: int) -> None:
        """Undo a `take`: it came to nothing."""
        if subject in self._used:
            used, ends = self._used[subject]
            self._used[subject] = (used - amount, ends)
