"""The newest part of a log, in memory, for those who follow it: what was just written is not read from disk again."""

import threading
from collections.abc import Sequence

from pyrochat.values.message import Message

_MOST_MESSAGES = 4096
_MOST_CHARACTERS = 1 << 20


class Newest:
    """One thread adds, any number read. most_messages, most_characters: there may be twice as many."""

    def __init__(self, most_messages: int = _MOST_MESSAGES, most_characters: int = _MOST_CHARACTERS) -> None:
        self._most_messages, self._most_characters = 2 * most_messages, 2 * most_characters
        self._mutex = threading.Lock()
        self._messages: list[Message] = []
        self._characters = 0

    def add(self, messages: Sequence[Message]) -> None:
        """They follow those that are here."""
        added = sum(len(message.text) for message in messages)
        with self._mutex:
            self._messages += messages
            self._characters += added
            while len(self._messages) > self._most_messages or self._characters > self._most_characters:
                older = (len(self._messages) + 1) // 2
                self._characters -= sum(len(message.text) for message in self._messages[:older])
                del self._messages[:older]

    def clear(self) -> None:
        """Some of them are not as they were."""
        with self._mutex:
            self._messages.clear()
            self._characters = 0

    def read(self, after: int, upto: int) -> list[Message] | None:
        """The messages ``after < id <= upto``, which are in the log; None where they are not all here."""
        with self._mutex:
            if not self._messages or after + 1 < self._messages[0].id or upto > self._messages[-1].id:
                return None
            first = self._messages[0].id
            return self._messages[after + 1 - first : upto + 1 - first]
