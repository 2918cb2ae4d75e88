"""The chain of digests: each message of a log proves all that came before it.

The digest of message N is SHA-256 over the digest of message N-1 and N's canonical form:

- its id and its time, 8 bytes each, big-endian;
- kind, sender, key, about, change, ref in UTF-8 (a number in decimal), each after its length in 4 bytes; of what is None
  the length is FF FF FF FF, and nothing follows;
- the *commitment* to the text, 32 bytes: SHA-256 over its salt (11 characters, ASCII) and the text. The salt stands beside
  the text. When a text has to go, the salt goes too and the commitment stays: from that not even a short text can be guessed;
- what a later version has added, if anything, as a JSON array (ASCII, no spaces).

Logs of older formats have messages without a proof. Their canonical form is another one (`_old_form`), and nothing of them
changes: the file says with which message the new one begins. When such a text has to go, ``old:`` and the SHA-256 of the
text stay as its proof: a short text can be guessed from that. Whose a guest's key is, no digest covers (`values.keys`). The
chain begins with the identity that the log was made with.
"""

import hashlib
import struct
from collections.abc import Iterable
from functools import lru_cache

from pyrochat.values.errors import InvalidArgument
from pyrochat.values.message import CHAT, SYSTEM, Message

DIGEST_BYTES = 32
SALT_CHARACTERS = 11
_COMMITMENT_DIGITS = 2 * DIGEST_BYTES
_HEXADECIMAL = frozenset("0123456789abcdef")
_OLD = "old:"
_NONE = b"\xff\xff\xff\xff"
_NO_MORE = 3 * _NONE
_numbers = struct.Struct(">Qq")  # id, time_us
_length = struct.Struct(">I")

_OLD_KIND_CODES = {CHAT: 0, SYSTEM: 1}
_OLD_OTHER_KIND = 0xFF  # its name is covered too
_OLD_NO_KEY = 0xFFFF
_old_numbers = struct.Struct(">QqBHH")  # id, time_us, kind, bytes of the sender, bytes of the key


def first_digest(identity: str) -> bytes:
    """The digest before message 1 of the log that was made as *identity*."""
    return hashlib.sha256(b"PyroChat log " + identity.encode()).digest()


def commitment(proof: str, text: str) -> bytes:
    """What stands for *text*: of its salt and the text, or as it was kept when the text went. Raises InvalidArgument."""
    if len(proof) == SALT_CHARACTERS and proof.isascii():
        return hashlib.sha256((proof + text).encode()).digest()
    if is_commitment(proof, text):
        return bytes.fromhex(proof)
    raise InvalidArgument(
        f"a proof is a salt of {SALT_CHARACTERS} characters, or, without a text, 64 hexadecimal digits"
    )


def is_commitment(proof: str, text: str) -> bool:
    """Whether *proof* is the commitment to a text that is gone; *text*: what is there of it."""
    digits = proof.removeprefix(_OLD)
    return not text and len(digits) == _COMMITMENT_DIGITS and _HEXADECIMAL.issuperset(digits)


def is_old(proof: str | None) -> bool:
    """Whether *proof* is that of a message from before format 3."""
    return proof is None or proof.startswith(_OLD)


def erased(message: Message) -> Message:
    """*message* without its text, and with what keeps its digest as it is."""
    if message.proof is None:
        proof = _OLD + hashlib.sha256(message.text.encode()).hexdigest()
    elif message.is_redacted:
        proof = message.proof
    else:
        proof = commitment(message.proof, message.text).hex()
    return message._replace(text="", proof=proof)


def digest_after(previous: bytes, message: Message) -> bytes:
    """The digest of *message*, whose predecessor's is *previous*. Raises InvalidArgument where its proof is none."""
    id, _, sender, text, time_us, kind, key, about, change, ref, proof, more = message
    if proof is None or proof.startswith(_OLD):
        return hashlib.sha256(previous + _old_form(message)).digest()
    form = _numbers.pack(id, time_us) + _often(kind) + _often(sender) + _field(key)
    if about is None and change is None and ref is None:
        form += _NO_MORE
    else:
        form += _field(None if about is None else str(about)) + _field(change) + _field(ref)
    form += commitment(proof, text)
    if more is not None:
        form += more.encode()
    return hashlib.sha256(previous + form).digest()


def _field(text: str | None) -> bytes:
    """A field in the canonical form."""
    if text is None:
        return _NONE
    encoded = text.encode()
    return _length.pack(len(encoded)) + encoded


_often = lru_cache(maxsize=4096)(_field)  # of senders and kinds: each message has them


def _old_form(message: Message) -> bytes:
    """The canonical form of a message from before format 3; raises struct.error where it can't be one."""
    sender, key, kind = message.sender.encode(), (message.key or "").encode(), message.kind.encode()
    code = _OLD_KIND_CODES.get(message.kind, _OLD_OTHER_KIND)
    key_size = _OLD_NO_KEY if message.key is None else len(key)
    numbers = _old_numbers.pack(message.id, message.time_us, code, len(sender), key_size)
    if code == _OLD_OTHER_KIND:
        numbers += len(kind).to_bytes(4, "big") + kind
    if message.proof is not None:
        return b"".join((numbers, sender, key, bytes.fromhex(message.proof.removeprefix(_OLD))))
    return b"".join((numbers, sender, key, hashlib.sha256(message.text.encode()).digest()))


def extend_chain(previous: bytes, messages: Iterable[Message]) -> list[bytes]:
    """The digests of *messages*, which follow each other, the first one after *previous*."""
    digests = []
    for message in messages:
        previous = digest_after(previous, message)
        digests.append(previous)
    return digests
