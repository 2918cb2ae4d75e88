"""Views: who was a member when. Read off the log, so all who have the log agree (view synchrony).

A member's stays are half-open intervals of message ids, from its "joined" up to, not with, its "left".
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from pyrochat.values.message import JOINED, LEFT, Message
from pyrochat.values.rules import fold

__all__ = ["Views"]


class Views:
    """All views of a room, from the changes of membership in its log."""

    def __init__(self, changes: Iterable[Message] = ()) -> None:
        self._joins: dict[str, list[int]] = {}
        self._leaves: dict[str, list[int]] = {}
        self._present: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self.apply(changes)

    def apply(self, messages: Iterable[Message]) -> None:
        """Take in messages that follow those seen before; all but changes of membership are passed over."""
        for message in messages:
            change = message.change
            if change is None:
                continue
            member = fold(message.sender)
            if change == JOINED and member not in self._present:
                self._present[member] = self._names[member] = message.sender
                self._joins.setdefault(member, []).append(message.id)
            elif change == LEFT and member in self._present:
                del self._present[member]
                self._leaves.setdefault(member, []).append(message.id)

    @property
    def present(self) -> list[str]:
        """The names in the newest view, in the order of their joins."""
        return list(self._present.values())

    @property
    def count(self) -> int:
        """How many members the newest view has."""
        return len(self._present)

    def is_present(self, member: str) -> bool:
        """Whether *member* (a folded name) is in the newest view."""
        return member in self._present

    def name_of(self, member: str) -> str:
        """The spelling under which *member* joined last; *member* itself where it never did."""
        return self._names.get(member, member)

    def members_at(self, id: int) -> list[str]:
        """The folded names of the members at message *id*: join id <= id < leave id."""
        found = []
        for member, joins in self._joins.items():
            stays = bisect_right(joins, id)
            if stays and bisect_right(self._leaves.get(member, []), id) < stays:
                found.append(member)
        return found
