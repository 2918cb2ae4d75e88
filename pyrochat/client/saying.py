"""The part of a Chat that says something: texts, and what can be said of them."""

from collections.abc import Iterable, Sequence

from pyrochat.client.answers import SET_TOPIC
from pyrochat.client.outbox import Outbox
from pyrochat.client.session import ASK_SECONDS, ClientSession
from pyrochat.values.message import CHAT, EDIT, REACT, REDACT, UNREACT, Message
from pyrochat.values.rules import (
    checked_id,
    checked_key,
    checked_reaction,
    checked_text,
    checked_texts,
    checked_timeout,
    checked_topic,
)


class Saying:
    """Sends by the chat's outbox, in order and once."""

    _outbox: Outbox
    _session: ClientSession

    def send(
        self, text: str, *, about: int | None = None, key: str | None = None, timeout: float | None = None
    ) -> Message:
        """Send *text* (1 to 16,384 bytes of UTF-8); returns its Message once it is durable and ordered.

        about: the id of the message that it answers. key: an own key for this message (1 to 64 printable ASCII characters); the same text sent
        again with the same key appears once. timeout: seconds to wait; None waits over every lost
        connection. Raises InvalidText, SendTimeout (the message may or may not be in the log; its
        `key` makes a repeat safe), LogUnavailable, UnknownMessage, ChatClosed.
        """
        return self._say(CHAT, checked_text(text), about, key, timeout)

    def edit(self, id: int, text: str, *, key: str | None = None, timeout: float | None = None) -> Message:
        """Give one's own message *id* another text; returns the edit. See `send`.

        An edit of an edit is an edit of the message. Raises NotYours, MessageRedacted where it was deleted, UnknownMessage.
        """
        return self._say(EDIT, checked_text(text), checked_id(id), key, timeout)

    def redact(self, id: int, *, key: str | None = None, timeout: float | None = None) -> Message:
        """Delete one's own message *id*: its text, and those of its edits, are gone from the room's log, its index, and
        every replica that this reaches; returns the message that says so. See `edit`.

        What somebody has read, copied or backed up, nobody can take back.
        """
        return self._say(REDACT, "", checked_id(id), key, timeout)

    def react(self, id: int, reaction: str, *, key: str | None = None, timeout: float | None = None) -> Message:
        """React to message *id* with an emoji, or up to 16 characters; the same reaction twice counts once. See `send`."""
        return self._say(REACT, checked_reaction(reaction), checked_id(id), key, timeout)

    def unreact(self, id: int, reaction: str, *, key: str | None = None, timeout: float | None = None) -> Message:
        """Take one's reaction back; nothing happens where there was none. See `send`."""
        return self._say(UNREACT, checked_reaction(reaction), checked_id(id), key, timeout)

    def set_topic(self, text: str, *, timeout: float | None = ASK_SECONDS) -> Message:
        """Say what the room is about (one line, at most 300 characters; empty: nothing in particular); returns the message
        that says so. Raises InvalidText, WaitTimeout where the room can't be reached, and what `send` raises."""
        message = self._session.ask(SET_TOPIC, checked_topic(text), timeout=checked_timeout(timeout))
        self._outbox.acknowledged = max(self._outbox.acknowledged, message.id)
        return message

    def _say(self, kind: str, text: str, about: int | None, key: str | None, timeout: float | None) -> Message:
        about = None if about is None else checked_id(about)
        return self._outbox.send([text], checked_key(key), checked_timeout(timeout), kind, about)[0]

    def send_many(self, texts: Sequence[str], *, key: str | None = None, timeout: float | None = None) -> list[Message]:
        """Send texts in one call and one commit, with consecutive ids; see `send`; a key stands for the whole list."""
        is_several = isinstance(texts, Iterable) and not isinstance(texts, str)
        checked, key, timeout = (
            checked_texts(list(texts) if is_several else texts),
            checked_key(key),
            checked_timeout(timeout),
        )
        return self._outbox.send(checked, key, timeout) if checked else []
