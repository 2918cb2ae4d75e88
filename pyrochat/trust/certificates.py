"""Certificates: making one that a server can show, and reading what one says."""

import datetime
import hashlib
import ipaddress
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pyrochat.values.errors import InvalidArgument
from pyrochat.values.rules import decoded_hex

if TYPE_CHECKING:
    from cryptography import x509

_VALID_DAYS = 3650
_FINGERPRINT_BYTES = 32


def make_certificate(hosts: Sequence[str]) -> bytes:
    """A self-signed certificate for *hosts* and its key (P-256), as PEM, valid for ten years."""
    from cryptography import x509  # only who uses TLS waits for it to load, here and below
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "PyroChat")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # clocks differ
        .not_valid_after(now + datetime.timedelta(days=_VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


def _general_name(host: str) -> "x509.GeneralName":
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host.encode("idna").decode())  # RFC 5280, section 7.2


def certificate_in_pem(pem: bytes, where: object) -> bytes:
    """The first certificate in *pem*, as DER; *where* it stands, for the error. Raises InvalidArgument."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)
    except ValueError:
        raise InvalidArgument(f"{where} holds no certificate in PEM") from None


def fingerprint(certificate: bytes) -> bytes:
    """SHA-256 of a certificate in DER, 32 bytes."""
    return hashlib.sha256(certificate).digest()


def checked_fingerprint(text: str) -> bytes:
    """A fingerprint as it is printed: 64 hexadecimal digits, colons or not. Raises InvalidArgument."""
    found = decoded_hex(text.replace(":", ""), _FINGERPRINT_BYTES) if isinstance(text, str) else None
    if found is None:
        raise InvalidArgument(f"a fingerprint has 64 hexadecimal digits (SHA-256), not {text!r}")
    return found


def expired_at(certificate: bytes) -> datetime.datetime | None:
    """When the certificate (DER) expired, or begins to be valid; None where it is valid now."""
    from cryptography import x509

    found = x509.load_der_x509_certificate(certificate)
    now = datetime.datetime.now(datetime.UTC)
    if now > found.not_valid_after_utc:
        return found.not_valid_after_utc
    return found.not_valid_before_utc if now < found.not_valid_before_utc else None
