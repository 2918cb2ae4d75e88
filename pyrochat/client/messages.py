"""A list of messages that is pleasant to look at."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import SupportsIndex, overload

from pyrochat.values.message import Message

_SHOWN = 20


class Messages(list[Message]):
    """What `Chat.history` returns: a list; its repr has one line a message, in a notebook a table. So have its slices."""

    @overload
    def __getitem__(self, which: SupportsIndex, /) -> Message: ...

    @overload
    def __getitem__(self, which: slice, /) -> Messages: ...

    def __getitem__(self, which: SupportsIndex | slice, /) -> Message | Messages:
        found = super().__getitem__(which)
        return Messages(found) if isinstance(found, list) else found

    def __repr__(self) -> str:
        lines = [repr(message) for message in self[-_SHOWN:]]
        if len(self) > _SHOWN:
            lines.insert(0, f"… {len(self) - _SHOWN:,} more before")
        return "[" + ",\n ".join(lines) + "]"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{m.id}</td><td>{m.time.astimezone():%Y-%m-%d %H:%M:%S}</td>"
            f"<td>{html.escape(m.sender)}</td>"
            f"<td style='text-align:left;white-space:pre-wrap'>{html.escape(m.body)}</td></tr>"
            for m in self[-200:]
        )
        caption = f"<caption>the last 200 of {len(self):,} messages</caption>" if len(self) > 200 else ""
        head = "<tr><th>id</th><th>time</th><th>sender</th><th>text</th></tr>"
        return f"<table>{caption}<thead>{head}</thead><tbody>{rows}</tbody></table>"


class SearchResult(Messages):
    """What `Chat.search` returns: messages, newest first.

    indexed_up_to: newer messages than this id have not been searched. end: the room's newest message at the search.
    """

    def __init__(self, messages: Iterable[Message], indexed_up_to: int, end: int) -> None:
        super().__init__(messages)
        self.indexed_up_to = indexed_up_to
        self.end = end

    @property
    def is_complete(self) -> bool:
        """Whether the whole history has been searched: the server was not still indexing."""
        return self.indexed_up_to >= self.end

    def __repr__(self) -> str:
        lines = [repr(message) for message in self]
        if not self.is_complete:
            lines.append(f"… still indexing: searched up to #{self.indexed_up_to} of #{self.end}")
        return "[" + ",\n ".join(lines) + "]"
