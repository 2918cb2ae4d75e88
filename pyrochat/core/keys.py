"""Once: which messages a sender's keys have made, in the log and in the group of entries that is being applied.

A key stands for what was sent under it: a text, or a list of texts in one call. Sent again it gives the messages
that it has made; with anything else under it the whole post is refused, and nothing of it is stored. The messages
of a list under the key K bear K.0, K.1 …, so K is used where K.0 is there.
"""

from collections.abc import Iterable, Sequence

from pyrochat.core.commands import Post
from pyrochat.core.log import Log
from pyrochat.values.errors import KeyConflict
from pyrochat.values.keys import key_owner
from pyrochat.values.message import CHAT, Message

OwnersKey = tuple[str, str]
"""Whose it is (`values.keys.key_owner`), and the key."""


def part_key(list_key: str, index: int) -> str:
    """The key of the message at *index* (from 0) of the list that was sent under *list_key*."""
    return f"{list_key}.{index}"


def owner_of(post: Post) -> str:
    """Whose the keys of *post* are."""
    return key_owner(post.member, post.mark)


def keys_of(post: Post) -> list[OwnersKey]:
    """What has to be looked up for *post*: its keys, and those under which the same may have been sent otherwise."""
    owner = owner_of(post)
    if post.list_key is not None:
        others = [(owner, post.list_key), (owner, part_key(post.list_key, len(post.texts)))]
        return [(owner, key) for key in post.keys if key is not None] + others
    keys = []
    for key in post.keys:
        if key is not None:
            keys += [(owner, key), (owner, part_key(key, 0))]
    return keys


class Keys:
    """What keys have made. The log is asked once for all *posts* (and again where a list seems to go on).

    Raises LogUnavailable where the log can't be read.
    """

    def __init__(self, log: Log, posts: Iterable[Post]) -> None:
        self._log = log
        wanted = [key for post in posts for key in keys_of(post)]
        self._known = log.find(wanted) if wanted else {}

    def look_up(self, keys: Iterable[OwnersKey]) -> None:
        """Ask the log for more *keys*."""
        if wanted := [key for key in keys if key not in self._known]:
            self._known |= self._log.find(wanted)

    def known(self, owner: str, key: str) -> Message | None:
        """What *key* has made before, of those that were looked up."""
        return self._known.get((owner, key))

    def made(self, owner: str, key: str, message: Message) -> None:
        """*key* has made *message*, in this group."""
        self._known[owner, key] = message

    def forget(self, owner: str, key: str) -> None:
        """It has not: the post was refused."""
        del self._known[owner, key]

    def by_text(
        self, owner: str, key: str, text: str | None, kind: str, about: int | None
    ) -> Message | KeyConflict | None:
        """What *key*, under which *text* (None: whatever it is) is sent by itself, has made before. kind, about: of the message
        that it becomes."""
        known = self._known.get((owner, key))
        if known is None:
            known = self._known.get((owner, part_key(key, 0)))
            if known is None:
                return None
            if self._has_part(owner, key, 1, known.id + 1):
                return _conflict(key, known)
        return known if _is_same(known, text, kind, about) else _conflict(key, known)

    def by_list(self, owner: str, key: str, parts: Sequence[str | None], texts: Sequence[str]) -> list[Message] | KeyConflict | None:  # fmt: skip
        """What *key*, under which *texts* are sent as a list, has made before."""
        alone = self._known.get((owner, key))
        if alone is not None:
            return [alone] if len(texts) == 1 and _is_same(alone, texts[0]) else _conflict(key, alone)
        found = [message for part in parts if (message := self._known.get((owner, part or ""))) is not None]
        if not found:
            return None
        is_same = len(found) == len(texts) and all(map(_is_same, found, texts))
        if not is_same or self._has_part(owner, key, len(texts), found[-1].id + 1):
            return _conflict(key, found[0])
        return found

    def _has_part(self, owner: str, list_key: str, index: int, id: int) -> bool:
        """Whether a list goes on with message *id*: its parts follow each other."""
        key = (owner, part_key(list_key, index))
        part = self._known.get(key) or self._log.find([key]).get(key)
        return part is not None and part.id == id


def _is_same(known: Message, text: str | None, kind: str = CHAT, about: int | None = None) -> bool:
    """Whether *known* is what would become of this; of a text that is gone nobody can say that it was another."""
    return (known.kind, known.about) == (kind, about) and (text in (None, known.text) or known.is_redacted)


def _conflict(key: str, message: Message) -> KeyConflict:
    return KeyConflict(
        f"the key {key!r} stands for something else already, from message {message.id} on; nothing was stored: "
        "use a new key"
    )
