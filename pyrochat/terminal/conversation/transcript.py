"""A room's messages as the entries that people see: a text each, but a run of joins and leaves is one.

What is said about an earlier text (edits, reactions, deletions) has no entry of its own: it shows where that text stands.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from pyrochat.core.current import Abouts
from pyrochat.core.namesakes import Namesakes
from pyrochat.values.current import Current
from pyrochat.values.message import CHAT, REDACT, SYSTEM, TOPIC, Message
from pyrochat.values.rules import fold


class Said(NamedTuple):
    """What a text is now, and what it answers. deleted_by: who has deleted it; empty where nobody has. sender: as it is shown.
    is_late: it was written elsewhere, meanwhile (`Message.is_late`)."""

    current: Current
    deleted_by: str = ""
    answers: Message | None = None
    sender: str | None = None
    is_late: bool = False


class Transcript:
    """Messages 1, 2, 3 … and the entries that they make, numbered from 0."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._starts: list[int] = []  # the id of each entry's first message
        self._texts: list[int] = []  # the ids of texts
        self._ends_in_run = False
        self._abouts = Abouts()
        self._deleted_by: dict[int, str] = {}
        self._namesakes = Namesakes()
        self._newest_us = 0
        self._late: set[int] = set()
        self.topic = ""

    @property
    def end(self) -> int:
        """The id of the last message; 0 while there is none."""
        return len(self._messages)

    @property
    def count(self) -> int:
        """How many entries there are."""
        return len(self._starts)

    def extend(self, messages: Sequence[Message]) -> bool:
        """Take in the messages that follow `end`; whether earlier ones look otherwise now."""
        assert not messages or messages[0].id == self.end + 1
        start = self.end
        for message in messages:
            is_change = message.kind == SYSTEM and message.change != TOPIC
            is_hidden = message.is_remark and message.change != TOPIC and self._starts
            if not is_hidden and not (is_change and self._ends_in_run):
                self._starts.append(message.id)
            if not is_hidden:
                self._ends_in_run = is_change
            if message.kind == CHAT:
                self._texts.append(message.id)
            elif message.kind == REDACT and message.about is not None:
                self._deleted_by[message.about] = message.sender
            elif message.change == TOPIC:
                self.topic = message.text
            elif is_change:
                self._namesakes.take([message])
            if message.is_late(self._newest_us):
                self._late.add(message.id)
            self._newest_us = max(self._newest_us, message.time_us)
        self._messages += messages
        for id in self._abouts.take(messages):
            self._erase(id)
        return any(message.about is not None and message.about <= start for message in messages)

    def _erase(self, id: int) -> None:
        """Message *id* was deleted: its text is not here any more either."""
        if 0 < id <= self.end:
            self._messages[id - 1] = self._messages[id - 1]._replace(text="")

    def message(self, id: int) -> Message:
        """Message *id*; raises IndexError where it is not here."""
        if not 1 <= id <= self.end:
            raise IndexError(id)
        return self._messages[id - 1]

    def said(self, id: int) -> Said:
        """What text *id* is now. Raises IndexError."""
        message = self.message(id)
        answers = self._messages[message.about - 1] if message.about and message.about <= self.end else None
        current, deleted_by = self._abouts.current(id, self.message), self._deleted_by.get(id, "")
        return Said(current, deleted_by, answers, self._namesakes.shown(message), id in self._late)

    def entry(self, index: int) -> list[Message]:
        """The messages of entry *index*: a text of somebody's, or a run of joins and leaves; what is about others follows."""
        return self._messages[self._starts[index] - 1 : self.last_id(index)]

    def first_id(self, index: int) -> int:
        """The id of the entry's first message."""
        return self._starts[index]

    def last_id(self, index: int) -> int:
        """The id of the entry's last message."""
        return self._starts[index + 1] - 1 if index + 1 < len(self._starts) else self.end

    def shown_id(self, index: int) -> int:
        """The id by which the entry is called: a text's own, of a run the last one's."""
        first = self._messages[self._starts[index] - 1]
        return first.id if first.kind == CHAT else self.last_id(index)

    def index_of(self, id: int) -> int:
        """The entry that message *id* is in; ids beyond either end give the first or the last one."""
        return max(0, bisect_right(self._starts, id) - 1)

    def texts_after(self, id: int, sender: str) -> int:
        """How many texts of others than *sender* have come after message *id*."""
        own = fold(sender)
        return sum(
            fold(self._messages[text - 1].sender) != own for text in self._texts[bisect_right(self._texts, id) :]
        )

    def newest_text(self, sender: str) -> int:
        """The id of the newest text of *sender* (empty: of anybody) that was not deleted; 0 where there is none."""
        own = fold(sender)
        for id in reversed(self._texts):
            message = self._messages[id - 1]
            if message.text and (not own or fold(message.sender) == own):
                return id
        return 0
