"""Seals: what a server signs of its log, so that anybody can prove later that the log had it.

A seal is the server key's signature over the log's identity, a message's id and the chain's digest there; as a
text it begins with that digest. Who has the server's public key can check it, nobody else can make it.
"""

from typing import NamedTuple

from pyrochat.trust.keys import Key, verifies
from pyrochat.values.rules import decoded_hex

_LABEL = b"PyroChat seal 1"
_DIGEST_BYTES = 32
_SIGNATURE_BYTES = 64


class Seal(NamedTuple):
    """A proof that message *id* of the log *log_id* had *digest*. text: as the server gave it."""

    log_id: str
    id: int
    digest: bytes
    text: str


def make_seal(key: Key, log_id: str, id: int, digest: bytes) -> str:
    """The seal of the server with *key*: 192 hexadecimal digits. Takes some 90 µs."""
    return digest.hex() + key.sign(_facts(log_id, id, digest)).hex()


def checked_seal(text: str, server_key: bytes, log_id: str, id: int) -> Seal | None:
    """What *text* proves of message *id* of the log *log_id*; None where it is no seal on that.

    server_key: the public key of the server that has to have made it. Takes some 130 µs.
    """
    digest = decoded_hex(text[: 2 * _DIGEST_BYTES], _DIGEST_BYTES)
    signature = decoded_hex(text[2 * _DIGEST_BYTES :], _SIGNATURE_BYTES)
    if digest is None or signature is None or not verifies(server_key, signature, _facts(log_id, id, digest)):
        return None
    return Seal(log_id, id, digest, text)


def _facts(log_id: str, id: int, digest: bytes) -> bytes:
    fields = (log_id.encode(errors="replace"), b"%d" % id, digest)
    return _LABEL + b"".join(len(field).to_bytes(4, "big") + field for field in fields)
