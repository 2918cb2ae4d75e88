"""What a group of entries knows of the texts that it edits and deletes.

A redaction takes the text of a message and of all its edits out of the log; what is in a follower's hands already goes when
that meets the redaction. The digests stay as they are: they cover a commitment (`core.digests`).
"""

from collections.abc import Iterable

from pyrochat.core.commands import Post
from pyrochat.core.digests import erased
from pyrochat.core.log import Log
from pyrochat.values.message import EDIT, REDACT, Message


class Versions:
    """The messages that *posts* edit or delete, each with its edits. The log is asked once. Raises LogUnavailable."""

    def __init__(self, log: Log, posts: Iterable[Post]) -> None:
        wanted = {post.about for post in posts if post.kind in (EDIT, REDACT) and post.about is not None}
        self._of = {id: log.versions(id) for id in sorted(wanted)}

    def of(self, id: int) -> list[Message]:
        """Message *id* and its edits, as they are now; none where there is no such message."""
        return self._of.get(id, [])

    def edited(self, edit: Message) -> None:
        """*edit* is in this group."""
        if edit.about is not None and edit.about in self._of:
            self._of[edit.about].append(edit)

    def erase(self, id: int) -> list[Message]:
        """Message *id* is deleted; returns it and its edits without their texts."""
        self._of[id] = [erased(message) for message in self._of[id]]
        return self._of[id]
