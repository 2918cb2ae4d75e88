"""How far one's own messages have come: in the log, delivered to all who are here, read by them."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate

from pyrochat.values.message import JOINED, LEFT, SYSTEM, Message
from pyrochat.values.rules import fold

SENDING = "…"
LOGGED = "✓"
DELIVERED = "✓✓"
READ = "●"
_ORDER = (LOGGED, DELIVERED, READ)
_Columns = tuple[list[int], list[int], list[int]]


class ReadProgress:
    """For the member *own*. What the room tells of all members' marks, and the joins in the log, are enough.

    As confirmations, what it says is never taken back: who has read something has, wherever it is now.
    """

    def __init__(self, own: str) -> None:
        self._own = fold(own)
        self._first: dict[str, int] = {}  # all who were ever here: the id of their first join
        self._present: set[str] = set()
        self._here: _Columns = ([], [], [])  # first joins; delivered, read by all until then
        self._ever: _Columns = ([], [], [])  # the same, by anybody, here or not
        self._shown: dict[int, str] = {}  # of one's messages, the furthest that was said

    def follow(self, messages: Iterable[Message]) -> None:
        """The log has grown by *messages*."""
        for message in messages:
            if message.kind != SYSTEM:
                continue
            member, change = fold(message.sender), message.change
            if change == JOINED:
                self._first.setdefault(member, message.id)
                self._present.add(member)
            elif change == LEFT:
                self._present.discard(member)

    def since(self, name: str) -> int:
        """The id of the message that tells of *name*'s first join; 0 for who was never here."""
        return self._first.get(fold(name), 0)

    def update(self, marks: Mapping[str, tuple[int, int]]) -> bool:
        """The members' marks, by folded name, of those who are away too; whether they say something new."""
        rows = sorted(
            (join, *marks.get(member, (0, 0)), member) for member, join in self._first.items() if member != self._own
        )
        before = self._here, self._ever
        self._here = _columns([row[:3] for row in rows if row[3] in self._present], min)
        self._ever = _columns([row[:3] for row in rows], max)
        return before != (self._here, self._ever)

    def state(self, id: int) -> str:
        """Of message *id*, one's own: the others who had come by then and are here have it, or have read it; or somebody who
        has gone since. With nobody else there it stays in the log.
        """
        now = READ if self._reaches(id, 2) else DELIVERED if self._reaches(id, 1) else LOGGED
        furthest = max(now, self._shown.get(id, LOGGED), key=_ORDER.index)
        if furthest != LOGGED:
            self._shown[id] = furthest
        return furthest

    def _reaches(self, id: int, mark: int) -> bool:
        """Whether the marks of column *mark* reach message *id*: somebody's, and of those who are here everybody's."""
        here, ever = bisect_right(self._here[0], id), bisect_right(self._ever[0], id)
        return bool(ever) and self._ever[mark][ever - 1] >= id and (not here or self._here[mark][here - 1] >= id)

    @staticmethod
    def legend() -> Sequence[tuple[str, str]]:
        """What the symbols mean."""
        return (
            (SENDING, "being sent"), (LOGGED, "in the log"), (DELIVERED, "delivered to all who are here"),
            (READ, "read by all who are here"),
        )  # fmt: skip


def _columns(rows: Sequence[tuple[int, int, int]], of: Callable[[int, int], int]) -> _Columns:
    """First joins, in order; and of delivered and read the least, or the most, of all rows up to there."""
    joins, delivered, read = ([row[column] for row in rows] for column in range(3))
    return joins, list(accumulate(delivered, of)), list(accumulate(read, of))
