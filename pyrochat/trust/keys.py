"""Ed25519 keys of clients and servers, and the files that they are kept in."""

import hashlib
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pyrochat.trust.files import keep
from pyrochat.values.errors import InvalidArgument, Unavailable

PUBLIC_KEY_BYTES = 32


class Key:
    """A private key. public: its public half, 32 bytes."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        )  # fmt: skip

    @classmethod
    def made(cls) -> Self:
        """A new one."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_pem(cls, pem: bytes, where: object) -> Self:
        """The key in *pem* (PKCS #8, not encrypted); *where* it stands, for the error. Raises InvalidArgument."""
        try:
            private = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError):
            private = None
        if not isinstance(private, Ed25519PrivateKey):
            raise InvalidArgument(f"{where} holds no key of PyroChat's: it has to be an Ed25519 key in PEM")
        return cls(private)

    @classmethod
    def kept_at(cls, path: Path) -> Self:
        """The key in the file *path*, made there on first use. Raises Unavailable."""
        try:
            return cls.from_pem(keep(path, lambda: cls.made().to_pem()), path)
        except InvalidArgument as error:
            raise Unavailable(f"{error}; restore it from a backup, or move it away, and a new one is made") from None

    def to_pem(self) -> bytes:
        """The private key as text (PKCS #8): whoever has it is its owner."""
        return self._private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def sign(self, data: bytes) -> bytes:
        """64 bytes that only this key makes."""
        return self._private.sign(data)


def verifies(public: bytes, signature: bytes, data: bytes) -> bool:
    """Whether *signature* on *data* was made with the private half of *public*."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def shown(public: bytes) -> str:
    """A public key as people compare it: the first 20 bytes of its SHA-256, in groups."""
    digest = hashlib.sha256(public).hexdigest()[:40]
    return " ".join(digest[start : start + 8] for start in range(0, 40, 8))
