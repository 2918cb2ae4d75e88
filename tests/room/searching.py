"""A log that a search can be watched on, and what is asked of it."""

from __future__ import annotations

import threading

from pyrochat import Message, SearchUnavailable
from pyrochat.core.memory_log import MemoryLog
from pyrochat.core.query import parse_query
from pyrochat.room.search import Matches, Search
from tests.support import chat_message


class WatchedLog(MemoryLog):
    """Notes what the thread of a search reads; that can be stopped, and can fail."""

    def __init__(self, messages: int = 0, identity: str | None = None) -> None:
        super().__init__("lobby", identity)
        self.reads: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.failure: Exception | None = None
        self.grow(messages)

    def grow(self, count: int, text: str = "tick") -> None:
        if count:
            self.append([chat_message(self.tail + n, text) for n in range(1, count + 1)])

    def read(self, after: int, limit: int) -> list[Message]:
        if threading.current_thread().name.startswith("pyrochat-search"):
            self.reads.append(after)
            assert self.gate.wait(20)
            if self.failure is not None:
                raise self.failure
        return super().read(after, limit)


def find(search: Search, words: str = "tick") -> Matches:
    search.wait()
    return search.find(parse_query(words), 1 << 62, 50)


def ids(search: Search, words: str = "tick") -> list[int]:
    return [message.id for message in find(search, words).messages]


def whole(search: Search, words: str = "tick") -> Matches | None:
    """What is found, as soon as everything is indexed and nothing is wrong."""
    try:
        found = find(search, words)
    except SearchUnavailable:
        return None
    return found if found.indexed_up_to == found.end else None
