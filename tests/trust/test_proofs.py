"""What is signed at a greeting: every fact, in one reading only."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrochat.trust.proofs import NONCE_BYTES, Meeting, new_nonce, password_key

MEETING = Meeting("Ana", b"c" * 32, b"n" * 32, "pyrochat.lobby", b"s" * 32, b"m" * 32, b"f" * 32)
NAMES = [field.name for field in fields(Meeting)]


@pytest.mark.parametrize("name", NAMES)
def test_every_fact_counts(name: str) -> None:
    value: Any = getattr(MEETING, name)
    for other in (value[:-1], value + value[:1], value[:0]):
        changed = replace(MEETING, **{name: other})
        assert changed.for_client() != MEETING.for_client()
        assert changed.for_server() != MEETING.for_server()
        assert changed.password_proof(b"k") != MEETING.password_proof(b"k")


def test_client_server_and_password_say_different_things() -> None:
    assert MEETING.for_client() != MEETING.for_server()
    assert MEETING.password_proof(b"k") != MEETING.password_proof(b"l")
    assert MEETING.for_client() == replace(MEETING).for_client()


MEETINGS = st.builds(
    Meeting, st.text(max_size=3), st.binary(max_size=3), st.binary(max_size=3), st.text(max_size=3),
    st.binary(max_size=3), st.binary(max_size=3), st.binary(max_size=3),
)  # fmt: skip


@given(MEETINGS, MEETINGS)
def test_no_two_greetings_are_signed_alike(one: Meeting, other: Meeting) -> None:
    """Nothing can be moved from one fact into its neighbour."""
    assert (one.for_client() == other.for_client()) == (one == other)
    assert one.for_client() != other.for_server()


def test_what_is_signed_for_a_fixed_greeting() -> None:
    """Both sides have to agree on each byte: a change here needs another version of the protocol."""
    expected = b"PyroChat greeting 1" + b"".join(
        len(part).to_bytes(4, "big") + part
        for part in (b"client", b"Ana", b"c" * 32, b"n" * 32, b"pyrochat.lobby", b"s" * 32, b"m" * 32, b"f" * 32)
    )
    assert MEETING.for_client() == expected


def test_nonces_are_new() -> None:
    assert len({new_nonce() for _ in range(100)}) == 100
    assert {len(new_nonce()) for _ in range(10)} == {NONCE_BYTES}


def test_a_password_is_stretched_for_one_server() -> None:
    key = password_key("secret", b"s" * 32)
    assert key == password_key("secret", b"s" * 32)
    assert key != password_key("secret", b"t" * 32)
    assert key != password_key("Secret", b"s" * 32)
    assert len(key) >= 32
