"""What stands beside the streams of a totally ordered room, at all its sites: of each label the newest.

It needs no order. What is put counts when a quorum of the view has it on disk; who wants to know all that counts asks a quorum.
"""

from collections.abc import Callable, Collection, Sequence

from pyrochat.core.graph.disk import MemberDisk, Row
from pyrochat.orders.replicated.stream import Fate

IsQuorum = Callable[[Collection[str]], bool]
PATIENCE_SECONDS = 2.0


class _Count:
    """Who has answered. until: then it is given up."""

    def __init__(self, me: str, until: float, then: Callable[[bool], None]) -> None:
        self.answered = {me}
        self.until = until
        self.then = then


class Board:
    """Not synchronized. me: this site. is_quorum: whether these sites are one of the newest view."""

    def __init__(self, me: str, disk: MemberDisk, is_quorum: IsQuorum) -> None:
        self._me, self._disk, self._is_quorum = me, disk, is_quorum
        self.rows = {(row.stream, row.label): row for row in disk.beside()}
        self._counts: list[_Count] = []

    def row(self, stream: str, label: str, data: bytes, time_us: int) -> Row:
        """What *data* is to be put there as."""
        known = self.rows.get((stream, label))
        return Row(stream, label, max(time_us, 1 + (known.version if known is not None else 0)), data)

    def keep(self, rows: Sequence[Row]) -> list[Row]:
        """Take in *rows*; returns those that are new, when they are on disk. Raises LogUnavailable."""
        news = [row for row in rows if self._is_new(row)]
        if news:
            self._disk.keep_beside(news)
            self.rows |= {(row.stream, row.label): row for row in news}
        return news

    def _is_new(self, row: Row) -> bool:
        known = self.rows.get((row.stream, row.label))
        return known is None or known.version < row.version

    def count(self, then: Callable[[bool], None], now: float) -> Callable[[str], None]:
        """Wait until a quorum has answered; returns what to call with each site that has. *then* is called once."""
        count = _Count(self._me, now + PATIENCE_SECONDS, then)
        self._counts.append(count)
        return lambda site: count.answered.add(site)

    def look(self, now: float) -> None:
        """Tell those who wait, where it is known."""
        for count in list(self._counts):
            if self._is_quorum(count.answered) or now >= count.until:
                self._counts.remove(count)
                count.then(self._is_quorum(count.answered))

    @property
    def due(self) -> float:
        """When somebody has waited long enough."""
        return min((count.until for count in self._counts), default=float("inf"))


def fate_of(is_kept: bool) -> Fate:
    """What has become of what was put."""
    return Fate.STORED if is_kept else Fate.UNKNOWN
