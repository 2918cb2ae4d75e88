"""The secret of a cluster: whoever has it is one of its machines. All that they share is derived from it, so nothing has to be
handed out but the one file: the room servers' key and certificate, the brokers' authority and passwords.

Derivation: HKDF with SHA-256 (RFC 5869), a label for each purpose.
"""

import datetime
import ipaddress
import secrets
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pyrochat.trust.files import keep, read_private
from pyrochat.trust.keys import Key
from pyrochat.values.errors import InvalidArgument, Unavailable

if TYPE_CHECKING:
    from cryptography import x509

_FEWEST_BYTES = 16
_MADE_BYTES = 32
_BEGINNING = datetime.datetime(
    2026, 1, 1, tzinfo=datetime.UTC
)  # fixed, so that each machine makes the same certificate
_END = datetime.datetime(2126, 1, 1, tzinfo=datetime.UTC)
_AUTHORITY = "PyroChat cluster"


class Identified(NamedTuple):
    """A certificate with its private key, both PEM."""

    certificate: bytes
    key: bytes


class ClusterSecret:
    """secret: at least 16 bytes that nobody guesses. Raises InvalidArgument for fewer."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < _FEWEST_BYTES:
            raise InvalidArgument(
                f"a cluster's secret has {_FEWEST_BYTES} characters at least, better {2 * _MADE_BYTES} that were drawn by lot "
                f"(openssl rand -hex {_MADE_BYTES})"
            )
        self._secret = secret

    @classmethod
    def read_from(cls, path: Path) -> Self:
        """The secret in the file *path*, without white space at its ends. Raises InvalidArgument, Unavailable."""
        try:
            return cls._in(path, read_private(path))
        except OSError as error:
            raise Unavailable(
                f"can't read the cluster's secret in {path} ({error.strerror}): copy the file from another machine"
            ) from None

    @classmethod
    def kept_at(cls, path: Path) -> Self:
        """The same, made there on first use. Raises InvalidArgument, Unavailable."""
        return cls._in(path, keep(path, lambda: secrets.token_hex(_MADE_BYTES).encode() + b"\n"))

    @classmethod
    def _in(cls, path: Path, content: bytes) -> Self:
        try:
            return cls(content.strip())
        except InvalidArgument as error:
            raise InvalidArgument(f"{path}: {error}") from None

    def derived(self, purpose: str, length: int = 32) -> bytes:
        """*length* bytes for *purpose*."""
        return HKDF(hashes.SHA256(), length, b"PyroChat cluster 1", purpose.encode()).derive(self._secret)

    def password(self, purpose: str) -> str:
        """A password for *purpose*: 48 hexadecimal digits."""
        return self.derived(f"password {purpose}", 24).hex()

    @property
    def space(self) -> str:
        """What the names of the cluster's streams begin with, so that several clusters may share a broker."""
        return f"pyrochat-{self.derived('space', 5).hex()}"

    @property
    def server_key(self) -> Key:
        """The key that all room servers show to clients."""
        return Key(self._private("room servers"))

    @property
    def shown(self) -> Identified:
        """The certificate that all room servers show to clients over TLS, the same on each: clients know it by its fingerprint."""
        key = self._private("room servers' certificate")
        return self._signed("PyroChat", key, key, "PyroChat", ["localhost"], is_authority=False)

    @cached_property
    def authority(self) -> bytes:
        """The certificate of the cluster's authority, PEM: brokers and room servers trust each other by it."""
        key = self._private("authority")
        return self._signed(_AUTHORITY, key, key, _AUTHORITY, [], is_authority=True).certificate

    def issued(self, name: str, hosts: Sequence[str]) -> Identified:
        """A certificate for the machine *name*, reached as *hosts*, by the cluster's authority; a new key each time."""
        return self._signed(
            name, Ed25519PrivateKey.generate(), self._private("authority"), _AUTHORITY, hosts, is_authority=False
        )

    def _private(self, purpose: str) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.derived(f"key of {purpose}"))

    def _signed(
        self, name: str, key: Ed25519PrivateKey, signer: Ed25519PrivateKey, issuer: str, hosts: Sequence[str], is_authority: bool
    ) -> Identified:  # fmt: skip
        from cryptography import x509  # only who uses TLS waits for it to load
        from cryptography.x509.oid import NameOID

        serial = (
            x509.random_serial_number()
            if signer is not key
            else int.from_bytes(self.derived(f"serial {name}", 16)) >> 1
        )
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(serial)
            .not_valid_before(_BEGINNING)
            .not_valid_after(_END)
            .add_extension(
                x509.BasicConstraints(ca=is_authority, path_length=0 if is_authority else None), critical=True
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
            .add_extension(_usage(is_authority), critical=True)
        )
        if hosts:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False
            )
        certificate = builder.sign(signer, None).public_bytes(serialization.Encoding.PEM)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return Identified(certificate, private)


def _usage(is_authority: bool) -> "x509.KeyUsage":
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=is_authority, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _general_name(host: str) -> "x509.GeneralName":
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host.encode("idna").decode())
