"""Many messages off the wire at once: all of them checked, or none taken."""

from __future__ import annotations

import pytest

from pyrochat.core.digests import DIGEST_BYTES, digest_after, first_digest
from pyrochat.values.errors import InvalidArgument
from pyrochat.values.message import Message, message_of, messages_from_wire
from tests.support import chat_message, joined_message, left_message

STRETCH = [chat_message(5, "olá", key="k"), joined_message(6, "Zoë"), left_message(7, "Zoë")]


def test_they_are_what_they_are_one_by_one() -> None:
    rows = [message.to_wire() for message in STRETCH]
    assert messages_from_wire(rows) == [Message.from_wire(row) for row in rows] == STRETCH
    assert all(type(message) is Message for message in messages_from_wire(rows))
    assert messages_from_wire([]) == []


def test_names_are_shared() -> None:
    rows = [[number, "".join(["lob", "by"]), "".join(["An", "a"]), "x", 1, "chat", *[None] * 5] for number in (1, 2)]
    first, second = messages_from_wire(rows)
    assert first.sender is second.sender
    assert first.room is second.room


@pytest.mark.parametrize(
    ("place", "value"),
    [(0, 9), (0, "5"), (0, 5.0), (0, True), (1, 5), (2, None), (2, ["Ana"]), (3, b"x"), (3, 5), (4, "now"), (4, 1.5),
     (4, 1 << 63), (4, -(1 << 63) - 1), (5, None), (5, []), (6, 5), (6, b"k"), (7, "6"), (7, True), (8, 5), (9, 5), (10, 5), (10, b"s")],
)  # fmt: skip
def test_one_that_is_none_refuses_all(place: int, value: object) -> None:
    rows = [message.to_wire() for message in STRETCH]
    rows[1][place] = value
    with pytest.raises(InvalidArgument):
        messages_from_wire(rows)


@pytest.mark.parametrize(
    "rows",
    [
        [[1, "lobby"]],
        [[]],
        [5],
        [None],
        ["abcdefg"],
        [{"id": 1}],
        [dict.fromkeys(range(11))],
        [dict.fromkeys(range(12))],
    ],
)
def test_what_is_no_list_of_eleven_is_refused(rows: list[list[object]]) -> None:
    with pytest.raises(InvalidArgument):
        messages_from_wire(rows)


def test_a_message_of_its_fields() -> None:
    assert message_of([*STRETCH[0].to_wire(), None]) == STRETCH[0]


@pytest.mark.parametrize(
    "odd",
    [
        [6, "lobby", "Ana", "hi", -1, "chat", None],
        [6, "lobby", "Ana", "hi", 10**18, "chat", None],
        [6, "lobby", "Ana", "hi", -(1 << 63), "chat", None],
        [6, "lobby", "Ana", "hi", 5, "poll", "k"],
        [6, "lobby", "Ana", "hi", 5, "", None],
        [6, "lobby", "Ana", "", 5, "chat", None],
        [6, "lobby", " a name \n of an older time", "\x00\u202e", 5, "chat", "é"],
        [6, "lobby", "Ana", "hi", 5, "chat", None, 3, None, "erick.7", None],
        [6, "lobby", "Ana", "", 5, "redacted", None, 3, None, None, "5a" * 32],
        [6, "lobby", "Ana", "hi", 5, "chat", None, None, None, None, "a-salt-of-1", "of a later version", None, 1.5],
    ],
)
def test_found_14_whatever_a_log_can_hold_is_taken(odd: list[object]) -> None:
    rows = [message.to_wire() for message in STRETCH]
    odd = [*odd, *[None] * (11 - len(odd))]
    rows[1] = odd
    taken = messages_from_wire(rows)
    assert taken[0::2] == STRETCH[0::2]
    assert taken[1].to_wire() == odd
    assert Message.from_wire(odd) == taken[1]
    assert 1970 <= taken[1].time.year <= 9000
    assert str(taken[1]).startswith("#6 ")
    assert len(digest_after(first_digest("a log"), taken[1])) == DIGEST_BYTES
