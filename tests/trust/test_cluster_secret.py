"""What the machines of a cluster derive from its secret is the same on each, and on nobody else's."""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from pyrochat.trust.certificates import certificate_in_pem, expired_at
from pyrochat.trust.cluster_secret import ClusterSecret
from pyrochat.values.errors import InvalidArgument, Unavailable

SECRET, OTHER = ClusterSecret(b"0123456789abcdef"), ClusterSecret(b"0123456789abcdeg")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_what_is_derived_is_the_same_with_every_version() -> None:
    """A server that is upgraded shows clients the key and the certificate that they know, and is let in by the others."""
    assert SECRET.space == "pyrochat-357175f632"
    assert SECRET.password("rooms") == "4c275788c3eb80dbd23f3b17f560607aaa99df20cc68bbb5"
    assert SECRET.server_key.public.hex() == "3e7dbbb344ce3687a73572d21472b5ce21fc68ba4c1369a2336a2782bdd26bf9"
    assert sha256(SECRET.shown.certificate) == "73a5f1f428cece4051c8c67fa1891f78881244015fa0e699f55b58d0fa378ae3"
    assert sha256(SECRET.authority) == "7a647b06838b1115be249e4bb2d80420758bc28dc9fb39901884f79fcbda98be"


def test_another_secret_derives_other_things() -> None:
    assert SECRET.space != OTHER.space
    assert SECRET.password("rooms") != OTHER.password("rooms")
    assert SECRET.server_key.public != OTHER.server_key.public
    assert SECRET.shown != OTHER.shown
    assert SECRET.authority != OTHER.authority


def test_each_purpose_has_a_password_of_its_own() -> None:
    assert len({SECRET.password(purpose) for purpose in ("rooms", "routes", "system")}) == 3


def test_the_certificate_that_clients_see_is_valid_and_fits_its_key(tmp_path: Path) -> None:
    shown = SECRET.shown
    assert expired_at(certificate_in_pem(shown.certificate, "it")) is None
    path = tmp_path / "shown.pem"
    path.write_bytes(shown.key + shown.certificate)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path)


def test_a_machine_s_certificate_is_by_the_authority_and_names_its_hosts() -> None:
    issued = SECRET.issued("a", ["a.example", "192.0.2.1", "::1"])
    certificate = x509.load_pem_x509_certificate(issued.certificate)
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(SECRET.authority))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.example"]
    assert names.get_values_for_type(x509.IPAddress) == [
        ipaddress.ip_address("192.0.2.1"), ipaddress.ip_address("::1"),
    ]  # fmt: skip
    with pytest.raises(InvalidSignature):
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(OTHER.authority))


def test_a_new_secret_is_private_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    made = ClusterSecret.kept_at(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(bytes.fromhex(path.read_text())) == 32
    assert ClusterSecret.kept_at(path).space == ClusterSecret.read_from(path).space == made.space


def test_white_space_around_a_secret_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b" 0123456789abcdef\r\n")
    assert ClusterSecret.read_from(path).space == SECRET.space


@pytest.mark.parametrize("content", [b"", b"\n", b"0123456789abcde\n"])
def test_a_short_secret_is_refused_with_its_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    for read in (ClusterSecret.read_from, ClusterSecret.kept_at):
        with pytest.raises(InvalidArgument, match=r"secret: a cluster's secret has 16 characters at least"):
            read(path)


def test_a_secret_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"can't read .*nowhere.*: copy the file from another machine"):
        ClusterSecret.read_from(tmp_path / "nowhere")


def test_a_secret_that_was_open_to_others_is_closed_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"0123456789abcdef")
    path.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        ClusterSecret.read_from(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert "was open to others" in caplog.text
