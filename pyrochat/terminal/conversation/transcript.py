"""A room's messages as the entries that people see: a message each, but a run of joins and leaves is one."""

from bisect import bisect_right
from collections.abc import Sequence

from pyrochat.values.message import EDIT, SYSTEM, Message


class Transcript:
    """Messages 1, 2, 3 … and the entries that they make, numbered from 0."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._starts: list[int] = []  # the id of each entry's first message
        self._ends_in_run = False

    @property
    def end(self) -> int:
        """The id of the last message; 0 while there is none."""
        return len(self._messages)

    @property
    def count(self) -> int:
        """How many entries there are."""
        return len(self._starts)

    def extend(self, messages: Sequence[Message]) -> None:
        """Take in the messages that follow `end`."""
        assert not messages or messages[0].id == self.end + 1
        for message in messages:
            is_change = message.kind == SYSTEM and not message.is_remark
            if not (is_change and self._ends_in_run):
                self._starts.append(message.id)
            self._ends_in_run = is_change
        self._messages += messages

    def erase(self, id: int) -> None:
        """Message *id* was deleted: its text, and those of its edits, are not here any more either."""
        for at, message in enumerate(self._messages[id - 1 :], id - 1):
            if message.id == id or (message.kind == EDIT and message.about == id):
                self._messages[at] = message._replace(text="")

    def message(self, id: int) -> Message:
        """Message *id*; raises IndexError where it is not here."""
        if not 1 <= id <= self.end:
            raise IndexError(id)
        return self._messages[id - 1]

    def entry(self, index: int) -> list[Message]:
        """The messages of entry *index*: one of somebody's, or a run of joins and leaves."""
        return self._messages[self._starts[index] - 1 : self.last_id(index)]

    def first_id(self, index: int) -> int:
        """The id of the entry's first message."""
        return self._starts[index]

    def last_id(self, index: int) -> int:
        """The id of the entry's last message."""
        return self._starts[index + 1] - 1 if index + 1 < len(self._starts) else self.end

    def index_of(self, id: int) -> int:
        """The entry that message *id* is in; ids beyond either end give the first or the last one."""
        return max(0, bisect_right(self._starts, id) - 1)
