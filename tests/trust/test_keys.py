"""Keys: kept in a file, made on first use, read from nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x25519

from pyrochat.trust.keys import PUBLIC_KEY_BYTES, Key, shown, verifies
from pyrochat.values.errors import InvalidArgument, Unavailable


def test_a_key_signs_and_nobody_else_does() -> None:
    key, other = Key.made(), Key.made()
    signature = key.sign(b"data")
    assert verifies(key.public, signature, b"data")
    assert not verifies(key.public, signature, b"other data")
    assert not verifies(other.public, signature, b"data")
    assert not verifies(key.public, other.sign(b"data"), b"data")
    assert not verifies(key.public, bytes([signature[0] ^ 1, *signature[1:]]), b"data")


@pytest.mark.parametrize("signature", [b"", b"\0" * 64, b"\xff" * 64, b"x" * 63, b"x" * 65])
@pytest.mark.parametrize("public", [None, b"", b"x" * 31, b"x" * 33, b"\xff" * 32])
def test_what_is_no_signature_or_no_key_verifies_nothing(public: bytes | None, signature: bytes) -> None:
    assert not verifies(Key.made().public if public is None else public, signature, b"data")


def test_a_key_is_kept_with_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "key.pem"
    key = Key.kept_at(path)
    assert len(key.public) == PUBLIC_KEY_BYTES
    assert Key.kept_at(path).public == key.public
    assert path.stat().st_mode & 0o777 == 0o600
    assert Key.from_pem(path.read_bytes(), path).public == key.public


def pem_of(key: object, encryption: serialization.KeySerializationEncryption | None = None) -> bytes:
    return key.private_bytes(  # type: ignore[attr-defined, no-any-return]
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption or serialization.NoEncryption()
    )


OTHERS = {
    "nothing": b"",
    "nonsense": b"no key",
    "an empty frame": b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
    "RSA": pem_of(rsa.generate_private_key(65537, 2048)),
    "P-256": pem_of(ec.generate_private_key(ec.SECP256R1())),
    "X25519": pem_of(x25519.X25519PrivateKey.generate()),
    "Ed448": pem_of(ed448.Ed448PrivateKey.generate()),
    "encrypted": pem_of(ed25519.Ed25519PrivateKey.generate(), serialization.BestAvailableEncryption(b"x")),
    "a public key": ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ),
}  # fmt: skip


@pytest.mark.parametrize("pem", OTHERS.values(), ids=list(OTHERS))
def test_what_is_no_key_of_ours_is_said_with_its_place(pem: bytes) -> None:
    with pytest.raises(InvalidArgument, match="/the/file holds no key of PyroChat's"):
        Key.from_pem(pem, "/the/file")


def test_a_damaged_file_is_not_replaced_by_another_key(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(b"damaged")
    with pytest.raises(Unavailable):
        Key.kept_at(path)
    assert path.read_bytes() == b"damaged"


def test_a_key_is_shown_so_that_people_can_compare_it() -> None:
    one, other = Key.made().public, Key.made().public
    assert shown(one) != shown(other)
    assert [len(group) for group in shown(one).split()] == [8] * 5
    int(shown(one).replace(" ", ""), 16)


def test_the_private_half_is_in_no_repr() -> None:
    key = Key.made()
    assert key.to_pem().decode().split("\n")[1] not in repr(vars(key)) + repr(key)
