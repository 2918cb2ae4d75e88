"""What of an entry travels beside it: the texts of its posts, with their salts.

The entry itself, as a totally ordered room agrees on it, holds the commitments to them (`core.digests`): it is an entry whose
texts are gone. So a text that was deleted can go from every site's record, while what was agreed on, its hashes and its
signatures stay. A text is found by its commitment: nobody can put another one in its place.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pyrochat.core.commands import Post
from pyrochat.core.digests import SALT_CHARACTERS, commitment
from pyrochat.core.graph.messages import Accept, Entry, Events, LogPart, Message, Promised, Text
from pyrochat.values.errors import InvalidArgument
from pyrochat.values.message import CHAT, EDIT

_TIME_BYTES = 8
_TEXTS, _SALTS, _KIND = (1 + Post._fields.index(field) for field in ("texts", "salts", "kind"))


class Spoken(NamedTuple):
    """A text, and its salt."""

    text: str
    salt: str

    @property
    def commitment(self) -> str:
        """What stands for it, in hexadecimal. Raises InvalidArgument where the salt is none."""
        return commitment(self.salt, self.text).hex()


def packed_text(time_us: int, data: bytes) -> bytes:
    """The body of a text: when it was said, and what."""
    return time_us.to_bytes(_TIME_BYTES, "big") + data


def unpacked_text(body: bytes) -> tuple[int, bytes]:
    """What `packed_text` was given."""
    return int.from_bytes(body[:_TIME_BYTES], "big"), body[_TIME_BYTES:]


def apart(data: bytes) -> tuple[bytes, list[Spoken]]:
    """The message *data* of a stream (`orders.replicated.entries`) without the texts of its posts; and those."""
    value, posts = _read(data)
    taken = []
    for post in posts:
        for number, spoken in enumerate(map(Spoken, post[_TEXTS], post[_SALTS])):
            if spoken.text and len(spoken.salt) == SALT_CHARACTERS:
                taken.append(spoken)
                post[_TEXTS][number], post[_SALTS][number] = "", spoken.commitment
    return (_packed(value), taken) if taken else (data, [])


def together(data: bytes, found: Mapping[str, Spoken]) -> bytes:
    """What `apart` was given, with the texts *found*, by their commitments; the others are gone."""
    if not found:
        return data
    value, posts = _read(data)
    for post in posts:
        for number, salt in enumerate(post[_SALTS]):
            if salt in found:
                post[_TEXTS][number], post[_SALTS][number] = found[salt]
    return _packed(value)


def commitments(text: Text) -> list[str]:
    """What stands for the texts of *text*, which are beside it."""
    _, posts = _read(unpacked_text(text.body)[1])
    return [salt for post in posts for salt, said in zip(post[_SALTS], post[_TEXTS], strict=True) if not said]


def texts_in(message: Message) -> list[Text]:
    """The texts that *message* hands over."""
    if isinstance(message, Events | Promised | Accept):
        return [Text.unpack(event.body) for event in message.events]
    entries: Sequence[Entry] = message.entries if isinstance(message, LogPart) else ()
    return [entry for entry in entries if isinstance(entry, Text)]


def pack_beside(found: Mapping[str, Spoken]) -> str:
    """*found*, to be sent."""
    return json.dumps(list(found.values()), ensure_ascii=False, separators=(",", ":"))


def unpack_beside(packed: str) -> list[Spoken]:
    """What `pack_beside` was given. Raises InvalidArgument."""
    try:
        found = [Spoken(text, salt) for text, salt in json.loads(packed)]
        if not all(len(spoken.salt) == SALT_CHARACTERS and spoken.commitment for spoken in found):
            raise ValueError("no salt")
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidArgument(f"not texts with their salts: {error!r:.200}") from None
    return found


def _packed(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _read(data: bytes) -> tuple[Any, list[list[Any]]]:
    """*data* as a value, and of its posts those that may be deleted, as `core.commands.entry_to_wire` has them."""
    if b'["post"' not in data:
        return None, []
    try:
        value = json.loads(data)
        return value, [command for command in value["entry"][3] if _is_said(command)]
    except (ValueError, TypeError, LookupError, RecursionError):
        return None, []  # nobody has made it; whoever follows the stream finds that out


def _is_said(command: list[Any]) -> bool:
    if command[0] != "post" or command[_KIND] not in (CHAT, EDIT):
        return False
    texts, salts = command[_TEXTS], command[_SALTS]
    return len(texts) == len(salts) and all(isinstance(part, str) for part in [*texts, *salts])
