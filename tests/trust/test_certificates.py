"""Certificates that a server makes, and what is read from them."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from pyrochat.trust.certificates import (
    certificate_in_pem,
    checked_fingerprint,
    expired_at,
    fingerprint,
    make_certificate,
)
from pyrochat.values.errors import InvalidArgument
from tests.security.support import Authority


def test_a_made_certificate_is_good_for_its_hosts_and_for_years() -> None:
    der = certificate_in_pem(make_certificate(["localhost", "127.0.0.2", "::1"]), "here")
    certificate = x509.load_der_x509_certificate(der)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert sorted(map(str, names.get_values_for_type(x509.IPAddress))) == ["127.0.0.2", "::1"]
    assert expired_at(der) is None
    assert certificate.not_valid_after_utc > datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=3_000)
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_made_certificate_can_be_served(tmp_path: Path) -> None:
    path = tmp_path / "tls.pem"
    path.write_bytes(make_certificate(["localhost"]))
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(path)


def test_no_two_are_the_same() -> None:
    one, other = (certificate_in_pem(make_certificate(["localhost"]), "here") for _ in range(2))
    assert fingerprint(one) != fingerprint(other)


@pytest.mark.parametrize("pem", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_said_with_its_place(pem: bytes) -> None:
    with pytest.raises(InvalidArgument, match="/the/file holds no certificate in PEM"):
        certificate_in_pem(pem, "/the/file")


@given(st.binary(min_size=32, max_size=32))
def test_a_fingerprint_is_read_with_colons_and_without_in_any_case(digest: bytes) -> None:
    for text in (digest.hex(), digest.hex().upper(), digest.hex(":"), digest.hex(":").upper()):
        assert checked_fingerprint(text) == digest


@pytest.mark.parametrize("text", ["", "ab", "ab" * 31, "ab" * 33, "g" * 64, "ab" * 32 + "!", "é" * 64, ":" * 64])
def test_what_is_no_fingerprint_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="64 hexadecimal digits"):
        checked_fingerprint(text)


@pytest.mark.parametrize(("days", "is_valid"), [((-2, -1), False), ((1, 2), False), ((-1, 1), True)])
def test_the_time_of_a_certificate(tmp_path: Path, days: tuple[int, int], is_valid: bool) -> None:
    pem = Authority(tmp_path).issue("server", days=days)
    limit = expired_at(certificate_in_pem(pem.read_bytes(), pem))
    assert (limit is None) == is_valid
    if limit is not None:
        assert abs((limit - datetime.datetime.now(datetime.UTC)).total_seconds()) < 86_500
