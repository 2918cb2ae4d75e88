"""Where a replica keeps its messages: in the lists that they came in, where those are long.

Members of one process get the same lists (see `client.deliveries`), and hold them together. Flat lists of their own
would be what Python's garbage collector spends its time on: each of its full rounds follows every reference in them.
"""

from bisect import bisect_right

from pyrochat.values.message import Message

_KEPT_FROM = 64  # messages; fewer are gathered in a list of our own
_MOST_GATHERED = 512


class Chunks:
    """Messages 1 to `end`. One thread appends; any may read meanwhile."""

    __slots__ = ("_firsts", "_gathers", "_lists", "end")

    def __init__(self) -> None:
        self._lists: list[list[Message]] = []
        self._firsts: list[int] = []  # the id of each list's first message
        self._gathers = False  # the last list is our own, and has room
        self.end = 0

    def append(self, messages: list[Message]) -> None:
        """Take in the messages that follow `end`; the list must not be changed by anybody any more."""
        if len(messages) < _KEPT_FROM and self._gathers and len(self._lists[-1]) < _MOST_GATHERED:
            self._lists[-1] += messages
        elif messages:
            self._gathers = len(messages) < _KEPT_FROM
            self._lists.append(list(messages) if self._gathers else messages)
            self._firsts.append(self.end + 1)  # readers look here first
        self.end += len(messages)

    def get(self, id: int) -> Message:
        """Message *id*; raises IndexError where it is not here."""
        if not 1 <= id <= self.end:
            raise IndexError(id)
        at = bisect_right(self._firsts, id) - 1
        return self._lists[at][id - self._firsts[at]]

    def put(self, message: Message) -> None:
        """*message* is in the place of the one with its id, for all who hold these lists."""
        at = bisect_right(self._firsts, message.id) - 1
        self._lists[at][message.id - self._firsts[at]] = message

    def slice(self, after: int, upto: int | None = None) -> list[Message]:
        """The messages with ``after < id <= upto`` (None: the end), in a list of the caller's own."""
        after = max(after, 0)
        upto = self.end if upto is None else min(upto, self.end)
        newest = len(self._firsts) - 1
        if newest >= 0 and after >= (first := self._firsts[newest]) - 1:  # what is asked for most
            return self._lists[newest][after + 1 - first : max(upto + 1 - first, 0)]
        found: list[Message] = []
        at = max(bisect_right(self._firsts, after + 1) - 1, 0)
        while after + len(found) < upto:
            first = self._firsts[at]
            found += self._lists[at][after + len(found) + 1 - first : upto + 1 - first]
            at += 1
        return found
