"""A totally ordered room whose deleted texts are gone for those who come later: what happens must not hang on a text.

Who applies an entry when a text in it was there, and who applies it when that was gone already, have the same log: that a
message was deleted is what the log says of it, and not that it has no text.
"""

from collections.abc import Iterable

from pyrochat.core.commands import Entry, Post
from pyrochat.core.digests import commitment
from pyrochat.core.keys import owner_of
from pyrochat.core.log import Log
from pyrochat.core.room import Outcome, RoomState, Transition
from pyrochat.values.errors import KeyConflict, MessageRedacted, PyroChatError
from pyrochat.values.message import EDIT, REDACT, Message


class OrderedTransition(Transition):
    """As `Transition`. gone: the commitments to texts that have to go, or that have become no message."""

    def __init__(self, state: RoomState, log: Log, entries: Iterable[Entry] = ()) -> None:
        super().__init__(state, log, entries)
        self.gone: list[str] = []
        self._redacted: set[int] = set()
        self._adds_some = False

    def _post(self, post: Post) -> Outcome:
        """A key that stands for another text already refuses only what would add nothing anyway: of the texts of a list with a key
        each the new ones are stored, and the others give what their keys have made."""
        length, owner = len(self.messages), owner_of(post)
        self._adds_some = (
            post.list_key is None
            and len(post.texts) > 1
            and any(
                key is None or super(OrderedTransition, self)._made_by(post, owner, key, None) is None
                for key in post.keys
            )
        )
        outcome = super()._post(post)
        taken = {message.proof for message in self.messages[length:]}
        self.gone += [
            commitment(salt, text).hex()
            for text, salt in zip(post.texts, post.salts, strict=True)
            if text and salt not in taken
        ]
        return outcome

    def _made_by(self, post: Post, owner: str, key: str, text: str | None) -> Message | KeyConflict | None:
        return super()._made_by(post, owner, key, None if self._adds_some else text)

    def _refusal(self, post: Post) -> PyroChatError | None:
        if post.kind in (EDIT, REDACT) and post.about is not None and self._versions.of(post.about):
            return MessageRedacted(f"message {post.about} was deleted") if self._is_redacted(post.about) else None
        return super()._refusal(post)

    def _is_redacted(self, id: int) -> bool:
        if id in self._redacted:
            return True
        return id <= self.before.tail and any(message.kind == REDACT for message in self._log.about(id))

    def _erase(self, id: int) -> None:
        super()._erase(id)
        self._redacted.add(id)
        self.gone += [message.proof or "" for message in self._versions.of(id)]
