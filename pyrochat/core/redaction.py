"""What a group of entries knows of the texts that it edits and deletes.

A redaction takes the text of a message and of all its edits out of the log; what is in a follower's hands already goes when
that meets the redaction. The digests stay as they are: they cover a commitment (`core.digests`).
"""

from collections.abc import Iterable

from pyrochat.core.commands import Post
from pyrochat.core.digests import erased
from pyrochat.core.log import Log
from pyrochat.values.message import EDIT, REDACT, Message


def aims(posts: Iterable[Post]) -> set[int]:
    """The ids of the messages that *posts* edit or delete."""
    return {post.about for post in posts if post.kind in (EDIT, REDACT) and post.about is not None}


class Versions:
    """The messages *wanted* (see `aims`), each with its edits. The log is asked once. Raises LogUnavailable."""

    def __init__(self, log: Log, wanted: Iterable[int]) -> None:
        self._of = {id: log.versions(id) for id in sorted(wanted)}

    def of(self, id: int) -> list[Message]:
        """Message *id* and its edits, as they are now; none where there is no such message."""
        return self._of.get(id, [])

    def look_up(self, log: Log, id: int) -> None:
        """Message *id* of *log*, which was not among those wanted, is edited or deleted next. Raises LogUnavailable."""
        if id not in self._of:
            self._of[id] = log.versions(id)

    def made(self, message: Message) -> None:
        """*message* is new in this group, and may be edited or deleted in it."""
        self._of[message.id] = [message]

    def forget(self, id: int) -> None:
        """Message *id* of this group is not made after all."""
        del self._of[id]

    def edited(self, edit: Message) -> None:
        """*edit* is in this group."""
        if edit.about is not None and edit.about in self._of:
            self._of[edit.about].append(edit)

    def erase(self, id: int) -> list[Message]:
        """Message *id* is deleted; returns it and its edits without their texts."""
        self._of[id] = [erased(message) for message in self._of[id]]
        return self._of[id]
