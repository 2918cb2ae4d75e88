"""What events say: what is written is read, and nothing else is."""

from __future__ import annotations

import json

import pytest

from pyrochat.core.graph.bodies import Admission, Body, Said, decode_body, encode_body, root_of, site_id
from pyrochat.values.errors import InvalidArgument

KEY, NONCE = "ab" * 32, "cd" * 16
COMMITMENT = "5a" * 32
ADMISSION = Admission(site_id(KEY, NONCE), KEY, NONCE, "erick")
BODY = Body(
    7,
    (
        Said("Erick", COMMITMENT, 5, "chat", "k", "mark", ("site", 3)),
        Said("Zoë 👍", COMMITMENT, -5, "system", None, "", None, "joined"),
    ),
    (ADMISSION,),
)


def test_a_body_is_what_it_was_made_of() -> None:
    assert decode_body(encode_body(BODY)) == BODY
    assert decode_body(encode_body(Body(1))) == Body(1)


def test_the_root_says_who_has_founded_which_room() -> None:
    assert root_of("lobby", ADMISSION) != root_of("hall", ADMISSION)
    assert root_of("lobby", ADMISSION) != root_of("lobby", ADMISSION._replace(label="igor"))


def changed(**fields: object) -> bytes:
    message = dict(zip(("sender", "commitment", "time", "kind", "key", "mark", "about", "change"),
                       ["Erick", COMMITMENT, 5, "chat", None, "", None, None], strict=True))  # fmt: skip
    return json.dumps([1, 1, [[*(message | fields).values()]], []]).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\xff", b"{}", b"[1]", b"[2, 1, [], []]", b"[1, 0, [], []]", b"[1, true, [], []]", b"[1, 1, 5, []]", b"[" * 5000,
        changed(sender=""), changed(sender=5), changed(sender="x" * 301), changed(sender="\ud800"), changed(commitment="5A" * 32),
        changed(commitment="5a"), changed(time=1.5), changed(time=1 << 60), changed(kind=None), changed(key=5), changed(mark=None),
        changed(about=["site"]), changed(about=[5, 5]), changed(about=["site", "5"]), changed(change=5),
        json.dumps([1, 1, [], [list(ADMISSION._replace(id="0" * 32))]]).encode(),
        json.dumps([1, 1, [], [list(ADMISSION._replace(key="no"))]]).encode(),
        json.dumps([1, 1, [[]] * 1001, []]).encode(),
    ],
)  # fmt: skip
def test_what_is_not_of_this_shape_is_no_body(data: bytes) -> None:
    with pytest.raises(InvalidArgument):
        decode_body(data)


def test_the_shape_can_be_met() -> None:
    assert decode_body(changed()).messages[0].sender == "Erick"
