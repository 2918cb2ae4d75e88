"""What others can make a server say in its log, bounded: nobody may fill the operator's disk with it."""

import logging
import threading
from collections import Counter
from collections.abc import Callable

from pyrochat.clock import monotonic

MOST_EACH = 20
MOST = 1000
WINDOW_SECONDS = 60.0


class BoundedLog:
    """Says in *log*, a line each, what has happened. Any thread may call.

    most_each: so many lines of one kind about one peer or member in *seconds*; most: of one kind about all of them
    together. Of the others only how many there were is said, when the time is over and something else happens.
    clock: seconds that only grow.
    """

    def __init__(
        self, log: logging.Logger, most_each: int = MOST_EACH, most: int = MOST, seconds: float = WINDOW_SECONDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:  # fmt: skip
        self._log = log
        self._most_each = most_each
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._mutex = threading.Lock()  # guards what follows, all of this window
        self._since = clock()
        self._told: Counter[str] = Counter()  # by kind
        self._told_each: Counter[tuple[str, str]] = (
            Counter()
        )  # by kind and whom; as many as there are lines at the most
        self._untold: Counter[str] = Counter()

    def tell(self, kind: str, whom: str, text: str, *arguments: object) -> None:
        """Something of this *kind* has happened with *whom*. *arguments* go into *text*; some are what strangers have sent."""
        now, before = self._clock(), Counter[str]()
        with self._mutex:
            if now >= self._since + self._seconds:
                before = self._untold
                self._since, self._told, self._told_each, self._untold = now, Counter(), Counter(), Counter()
            is_told = self._told[kind] < self._most and self._told_each[kind, whom] < self._most_each
            if is_told:
                self._told[kind] += 1
                self._told_each[kind, whom] += 1
            else:
                self._untold[kind] += 1
        for other, count in before.items():
            self._log.info("%s: %d more were not told one by one", other, count)
        if is_told:
            self._log.info(text, *(_plain(each) if isinstance(each, str) else each for each in arguments))


def _plain(text: str) -> str:
    """*text* in one line, and without what a terminal would obey."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
