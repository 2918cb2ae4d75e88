"""What is signed when a client and a server meet.

Both sign the same facts, each under a label of its own: who they are, which room, a nonce from each side,
and, under TLS, the certificate that the client sees. A recorded signature has an old nonce; one that a
hostile server has collected names that server's key and certificate.

The proofs say who has met, and nothing about what is said afterwards. Under TLS the certificate binds that to the
meeting. Without it, somebody in between who passes on all bytes passes on the proofs too, and can then add calls
of its own under the client's name, or answers under the server's.
"""

import hashlib
import hmac
import secrets
from dataclasses import astuple, dataclass
from functools import lru_cache

NONCE_BYTES = 32
_SCRYPT_COST = 1 << 14  # with r=8: 16 MiB and some 50 ms a guess (RFC 7914, section 2)


@dataclass(frozen=True, slots=True)
class Meeting:
    """The facts of one greeting. certificate: SHA-256 of the server's, empty without TLS."""

    name: str
    client_key: bytes
    client_nonce: bytes
    object_id: str
    server_key: bytes
    server_nonce: bytes
    certificate: bytes

    def for_server(self) -> bytes:
        """What the server signs."""
        return self._facts(b"server")

    def for_client(self) -> bytes:
        """What the client signs."""
        return self._facts(b"client")

    def password_proof(self, key: bytes) -> bytes:
        """Proof of knowing the password that *key* was made of, good for this greeting only."""
        return hmac.digest(key, self._facts(b"password"), "sha256")

    def _facts(self, label: bytes) -> bytes:
        fields = [f.encode() if isinstance(f, str) else f for f in astuple(self)]
        return b"PyroChat greeting 1" + b"".join(len(f).to_bytes(4, "big") + f for f in (label, *fields))


def new_nonce() -> bytes:
    """32 random bytes."""
    return secrets.token_bytes(NONCE_BYTES)


@lru_cache(maxsize=64)
def password_key(password: str, server_key: bytes) -> bytes:
    """What a password is stretched to, for one server: scrypt with the server's key as salt."""
    return hashlib.scrypt(password.encode(), salt=server_key, n=_SCRYPT_COST, r=8, p=1)
