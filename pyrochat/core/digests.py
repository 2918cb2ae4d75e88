"""The chain of digests: each message of a log proves all that came before it.

The digest of message N is SHA-256 over the digest of message N-1 and N's canonical form: its numbers,
its kind, its sender and key, and the *hash* of its text. Whose a guest's key is, no digest covers (`values.keys`).
The chain begins with the identity that the log was made with.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable

from pyrochat.values.message import KINDS, Message

__all__ = ["DIGEST_BYTES", "digest_after", "digest_of_fields", "extend_chain", "first_digest"]

DIGEST_BYTES = 32
_KIND_CODES = {kind.encode(): code for code, kind in enumerate(KINDS)}
_OTHER_KIND = 0xFF  # one that this version doesn't know: its name is covered too
_NO_KEY = 0xFFFF
_numbers = struct.Struct(">QqBHH")  # id, time_us, kind, bytes of the sender, bytes of the key


def first_digest(identity: str) -> bytes:
    """The digest before message 1 of the log that was made as *identity*."""
    return hashlib.sha256(b"PyroChat log " + identity.encode()).digest()


def digest_after(previous: bytes, message: Message) -> bytes:
    """The digest of *message*, whose predecessor's is *previous*."""
    key = None if message.key is None else message.key.encode()
    return digest_of_fields(
        previous,
        message.id,
        message.sender.encode(),
        message.text.encode(),
        message.time_us,
        message.kind.encode(),
        key,
    )


def digest_of_fields(
    previous: bytes, id: int, sender: bytes, text: bytes, time_us: int, kind: bytes, key: bytes | None
) -> bytes:
    """The same from fields as they stand on disk; raises struct.error where they can't be a message's."""
    key_size = _NO_KEY if key is None else len(key)
    code = _KIND_CODES.get(kind, _OTHER_KIND)
    numbers = _numbers.pack(id, time_us, code, len(sender), key_size)
    if code == _OTHER_KIND:
        numbers += len(kind).to_bytes(4, "big") + kind
    return hashlib.sha256(b"".join((previous, numbers, sender, key or b"", hashlib.sha256(text).digest()))).digest()


def extend_chain(previous: bytes, messages: Iterable[Message]) -> list[bytes]:
    """The digests of *messages*, which follow each other, the first one after *previous*."""
    digests = []
    for message in messages:
        previous = digest_after(previous, message)
        digests.append(previous)
    return digests
