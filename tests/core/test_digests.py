"""The chain of digests: what it covers, and that nothing can be changed without its showing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrochat.core.digests import DIGEST_BYTES, digest_after, extend_chain, first_digest
from pyrochat.values.message import SYSTEM, Message

ORIGIN = first_digest("a log")
MESSAGE = Message(7, "lobby", "Ana", "olá", 1_700_000_000_000_000, key="k1")


@pytest.mark.parametrize(
    "changed",
    [
        MESSAGE._replace(id=8),
        MESSAGE._replace(sender="Anb"),
        MESSAGE._replace(text="olà"),
        MESSAGE._replace(time_us=MESSAGE.time_us + 1),
        MESSAGE._replace(kind=SYSTEM),
        MESSAGE._replace(key="k2"),
        MESSAGE._replace(key=None),
        MESSAGE._replace(key=""),
    ],
    ids=lambda message: repr(message),
)
def test_every_field_is_covered(changed: Message) -> None:
    assert digest_after(ORIGIN, changed) != digest_after(ORIGIN, MESSAGE)


def test_the_predecessor_is_covered() -> None:
    assert digest_after(first_digest("another log"), MESSAGE) != digest_after(ORIGIN, MESSAGE)
    assert len(digest_after(ORIGIN, MESSAGE)) == DIGEST_BYTES


def test_a_sender_and_a_key_can_not_flow_into_each_other() -> None:
    one, other = MESSAGE._replace(sender="An", key="ak"), MESSAGE._replace(sender="Ana", key="k")
    assert digest_after(ORIGIN, one) != digest_after(ORIGIN, other)


@given(st.lists(st.tuples(st.text(min_size=1, max_size=5), st.text(max_size=20), st.none() | st.just("k"))))
def test_a_chain_is_the_same_however_it_is_cut(rows: list[tuple[str, str, str | None]]) -> None:
    messages = [Message(id, "r", sender, text, id, key=key) for id, (sender, text, key) in enumerate(rows, 1)]
    whole = extend_chain(ORIGIN, messages)
    half = len(messages) // 2
    first = extend_chain(ORIGIN, messages[:half])
    assert first + extend_chain(first[-1] if first else ORIGIN, messages[half:]) == whole
