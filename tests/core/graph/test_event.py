"""An event's name covers all that it says, and nothing can flow from one field into the next."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from pyrochat.core.graph.event import Event
from pyrochat.values.errors import InvalidArgument

EVENT = Event(b"root", "ana", 3, 7, (b"p" * 32, b"q" * 32), b"ola")


@pytest.mark.parametrize(
    "changed",
    [
        replace(EVENT, root=b"boot"),
        replace(EVENT, site="anb"),
        replace(EVENT, n=4),
        replace(EVENT, lamport=8),
        replace(EVENT, parents=EVENT.parents[::-1]),
        replace(EVENT, parents=EVENT.parents[:1]),
        replace(EVENT, body=b"olb"),
        replace(EVENT, root=b"roo", site="tana"),
        replace(EVENT, parents=(b"p" * 32,), body=b"q" * 32 + b"ola"),
    ],
    ids=repr,
)
def test_every_field_is_covered(changed: Event) -> None:
    assert changed.id != EVENT.id
    assert changed != EVENT


def test_the_signature_is_made_of_the_name_and_not_part_of_it() -> None:
    signed = replace(EVENT, signature=b"signed")
    assert (signed.id, signed) == (EVENT.id, EVENT)


def test_the_canonical_form_is_what_is_documented() -> None:
    def field(value: bytes) -> bytes:
        return len(value).to_bytes(4, "big") + value

    numbers = b"".join(number.to_bytes(8, "big") for number in (3, 7, 2))
    form = field(b"root") + field(b"ana") + numbers + field(b"p" * 32) + field(b"q" * 32) + field(b"ola")
    assert EVENT.id == hashlib.sha256(b"PyroChat event 1" + form).digest()


@pytest.mark.parametrize(("n", "lamport"), [(-1, 1), (1, 1 << 64)])
def test_a_number_that_does_not_fit_makes_no_event(n: int, lamport: int) -> None:
    with pytest.raises(InvalidArgument, match="numbers are from 0"):
        Event(b"root", "ana", n, lamport, (), b"")


def test_a_parent_that_is_no_hash_makes_no_event() -> None:
    """It would take more memory than is counted."""
    with pytest.raises(InvalidArgument, match="hashes of 32 bytes"):
        replace(EVENT, parents=(b"p" * 33,))
