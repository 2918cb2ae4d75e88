"""How far one's own messages have come: in the log, delivered to all, read by all."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from pyrochat.values.message import JOINED, LEFT, SYSTEM, Message
from pyrochat.values.rules import fold

SENDING = "…"
LOGGED = "✓"
DELIVERED = "✓✓"
READ = "●"


class ReadProgress:
    """For the member *own*. What the room tells of all members' marks, and the joins in the log, are enough."""

    def __init__(self, own: str) -> None:
        self._own = fold(own)
        self._joined: dict[str, int] = {}  # all who are present: since which id
        self._joins: list[int] = []
        self._delivered: list[int] = []  # by all who had joined by then
        self._read: list[int] = []

    def follow(self, messages: Iterable[Message]) -> None:
        """The log has grown by *messages*."""
        for message in messages:
            if message.kind != SYSTEM:
                continue
            member, change = fold(message.sender), message.change
            if change == JOINED:
                self._joined.setdefault(member, message.id)
            elif change == LEFT:
                self._joined.pop(member, None)

    def since(self, name: str) -> int:
        """The id of the message that tells of *name*'s join; 0 for who is not here."""
        return self._joined.get(fold(name), 0)

    def update(self, marks: Mapping[str, tuple[int, int]]) -> bool:
        """The members' marks, by name; whether they say something new."""
        known = {fold(name): mark for name, mark in marks.items()}
        others = [(member, join) for member, join in self._joined.items() if member != self._own]
        rows = sorted((join, *known.get(member, (0, 0))) for member, join in others)
        before = self._joins, self._delivered, self._read
        self._joins = [join for join, _, _ in rows]
        self._delivered = list(accumulate((delivered for _, delivered, _ in rows), min))
        self._read = list(accumulate((read for _, _, read in rows), min))
        return before != (self._joins, self._delivered, self._read)

    def state(self, id: int) -> str:
        """Of message *id*, one's own: the others who are members since before it have it, or have read it.

        With nobody else there it stays in the log.
        """
        concerned = bisect_right(self._joins, id)
        if not concerned or self._delivered[concerned - 1] < id:
            return LOGGED
        return READ if self._read[concerned - 1] >= id else DELIVERED

    @staticmethod
    def legend() -> Sequence[tuple[str, str]]:
        """What the symbols mean."""
        return (
            (SENDING, "being sent"), (LOGGED, "in the log"), (DELIVERED, "delivered to all"), (READ, "read by all"),
        )  # fmt: skip
