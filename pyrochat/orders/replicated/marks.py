"""Marks in a cluster: maxima need no order, so they stand beside the stream, of each server the newest that it was told.

What a server was told is put under two labels: what has changed lately, and, where that has become much, all of it. So a
server that was away finds everything, and what is put again and again stays small. It counts when it has come back: then a
majority has it.
"""

import json
import threading
from collections.abc import Callable, Mapping

from pyrochat.clock import monotonic
from pyrochat.core.marks import Mark
from pyrochat.orders.replicated.stream import Fate

_MOST_RECENT = 512  # members
_SECONDS = 0.05  # between two that are put, and 1 ms a member more
_AGAIN_SECONDS = 0.2  # after one that failed
_NEVER = float("inf")


class MarkBoard:
    """label: this server's, the same after each start. put: see `Stream.put`. stored: called with marks that a majority has
    now, and with their number; on: with None, when `due` has to be looked at again; both in any thread.

    told: the number of the last marks that were told here. came_back: up to this number a majority has them.
    """

    def __init__(
        self, label: str, put: Callable[[str, bytes, Callable[[Fate], None]], None],
        stored: Callable[[int, Mapping[str, Mark]], None], on: Callable[[None], None],
    ) -> None:  # fmt: skip
        self._label = label
        self._put = put
        self._stored = stored
        self._on = on
        self.has_failed = False  # what was put last
        self.is_ready = False  # what stood there before is heard: else it would be lost under what is put
        self._mutex = threading.Lock()  # guards what is told
        self._all: dict[str, Mark] = {}
        self._recent: dict[str, Mark] = {}
        self.told = 0
        self.came_back = 0
        self._is_out = False  # something was put, and has not come back
        self._next = 0.0

    def tell(self, marks: Mapping[str, Mark]) -> None:
        """*marks* are told here. Any thread."""
        with self._mutex:
            news = [
                _grow(self._recent, member, mark)
                for member, mark in marks.items()
                if not _covers(self._all.get(member, (0, 0)), mark)
            ]
            if any(news):
                self.told += 1

    def due(self, is_wanted: bool) -> float:
        """When something has to be put next. is_wanted: somebody waits for it."""
        if self.told == self.came_back or self._is_out or not self.is_ready:
            return _NEVER
        return min(self._next, monotonic()) if is_wanted and not self.has_failed else self._next

    def put_due(self, now: float, is_wanted: bool) -> None:
        """Put what is due."""
        if now >= self.due(is_wanted):
            self._publish(now)

    def _publish(self, now: float) -> None:
        with self._mutex:
            number, full = self.told, len(self._recent) > _MOST_RECENT
            if full:
                for member, mark in self._recent.items():
                    _grow(self._all, member, mark)
            marks = dict(self._all if full else self._recent)
        self._is_out = True
        self._next = now + _SECONDS + len(marks) / 1000
        label = f"{self._label}.{'all' if full else 'recent'}"
        data = json.dumps(marks, ensure_ascii=False, separators=(",", ":")).encode()
        self._put(label, data, lambda fate: self._put_was(fate, number, full, marks))

    def _put_was(self, fate: Fate, number: int, full: bool, marks: Mapping[str, Mark]) -> None:
        """In the stream's thread."""
        self.has_failed = fate is not Fate.STORED
        if self.has_failed:
            self._next = monotonic() + _AGAIN_SECONDS
        else:
            with self._mutex:
                if full:
                    self._recent = {member: mark for member, mark in self._recent.items() if marks.get(member) != mark}
            self._stored(number, marks)
        self._is_out = False
        self._on(None)

    def heard(self, label: str, data: bytes) -> Mapping[str, Mark]:
        """What stands under *label*; ours from before the start is told again, with what is new."""
        try:
            marks = {str(member): (int(delivered), int(read)) for member, (delivered, read) in json.loads(data).items()}
        except (ValueError, TypeError, AttributeError):
            return {}
        server, _, which = label.rpartition(".")
        if server == self._label:
            with self._mutex:
                for member, mark in marks.items():
                    _grow(self._all if which == "all" else self._recent, member, mark)
        return marks


def _covers(known: Mark, mark: Mark) -> bool:
    return known[0] >= mark[0] and known[1] >= mark[1]


def _grow(marks: dict[str, Mark], member: str, mark: Mark) -> bool:
    """Whether *mark* is more than what *marks* say of *member*; then they say it."""
    delivered, read = marks.get(member, (0, 0))
    grown = max(delivered, mark[0]), max(read, mark[1])
    if grown == (delivered, read):
        return False
    marks[member] = grown
    return True
