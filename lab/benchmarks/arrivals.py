"""What has come to the members' handlers, and when."""

import time
from collections.abc import Sequence

from lab.benchmarks.texts import sequence_in


class Arrivals:
    """What has come to one member."""

    __slots__ = ("count", "last_ns", "timed")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.count = 0
        self.last_ns = 0
        self.timed: list[tuple[str, int]] = []

    def take(self, text: str) -> None:
        """A text has come."""
        self.last_ns = time.monotonic_ns()
        self.count += 1
        if text[0] == "@":
            self.timed.append((text, self.last_ns))


def latest_arrivals(members: Sequence[Arrivals]) -> dict[int, tuple[int, int]]:
    """For each timed text, by its number: how many members have it, and when the last one got it."""
    latest: dict[int, tuple[int, int]] = {}
    for member in members:
        for text, at in member.timed:
            number = sequence_in(text)
            count, last = latest.get(number, (0, 0))
            latest[number] = (count + 1, max(last, at))
    return latest
