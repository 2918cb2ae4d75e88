"""Whatever a server answers becomes what was asked for, or a ServerFault. `security/test_fuzz.py` has the same in whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrochat.client import answers
from pyrochat.client.answers import (
    QUESTIONS,
    SUSPECTED,
    Question,
    read_delivered,
    read_marks,
    read_notice,
    read_pending,
    read_seal,
)
from pyrochat.core.digests import digest_after
from pyrochat.values.errors import ServerFault
from tests.support import chat_message

ROW = chat_message(1, key="key-1").to_wire()
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(), max_size=20), st.binary(max_size=5),
    st.sampled_from(["00" * 32, "lobby", 2**62, 2**64]),
)  # fmt: skip
MESSAGES = st.lists(st.one_of(SCALARS, st.sampled_from(ROW)), min_size=6, max_size=8)
VALUES = st.recursive(
    st.one_of(SCALARS, MESSAGES),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=20,
)
READERS: dict[str, Callable[[Any], Any]] = {
    "delivered": read_delivered, "marks": read_marks, "notice": read_notice, "seal": lambda value: read_seal(value, value),
    "pending": read_pending,
}  # fmt: skip


def assert_only_faults(read: Callable[[Any], Any]) -> None:
    """Whatever *read* is given."""

    @given(VALUES)
    def check(value: object) -> None:
        said = ""
        try:
            read(value)
        except ServerFault as error:
            said = str(error)
        assert len(said) < 500

    check()


def without(row: list[object], place: int, value: object) -> list[object]:
    return [*row[:place], value, *row[place + 1 :]]


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.method)
def test_found_12c_an_odd_answer_is_a_fault_of_the_server_or_what_was_asked_for(question: Question[Any]) -> None:
    assert_only_faults(question.read)


@pytest.mark.parametrize("name", READERS)
def test_found_12c_so_is_an_odd_call(name: str) -> None:
    assert_only_faults(READERS[name])


@given(st.lists(st.builds(lambda place, value: without(ROW, place, value), st.integers(0, 6), SCALARS), max_size=1))
def test_found_12c_what_is_taken_as_a_message_has_a_digest_and_can_be_shown(rows: list[list[object]]) -> None:
    try:
        messages = [*answers.POST_MANY.read(rows), *read_delivered(rows)]
    except ServerFault:
        return
    for message in messages:
        assert str(message)
        assert repr(message)
        digest_after(bytes(32), message)


@pytest.mark.parametrize(
    "row",
    [
        ROW[:6], without(ROW, 0, 0), without(ROW, 0, True), without(ROW, 0, 1.0), without(ROW, 0, 2**63),
        without(ROW, 1, "r" * 200), without(ROW, 2, "s" * 70_000), without(ROW, 2, None), without(ROW, 3, "\ud800"),
        without(ROW, 3, b"bytes"), without(ROW, 4, 2**63), without(ROW, 4, float("nan")), without(ROW, 6, "k" * 70_000),
        without(ROW, 5, None),
    ],
)  # fmt: skip
def test_found_12c_what_no_log_can_hold_is_no_message(row: list[object]) -> None:
    for read in (answers.POST.read, read_delivered):
        with pytest.raises(ServerFault):
            read([row] if read is read_delivered else row)  # type: ignore[operator]


def test_a_message_is_read() -> None:
    assert answers.POST.read(ROW) == [chat_message(1, key="key-1")]
    assert answers.POST_MANY.read([]) == read_delivered([]) == []
    assert read_delivered([ROW]) == [chat_message(1, key="key-1")]


def test_lists_may_grow_at_their_end() -> None:
    assert answers.JOIN.read(["session", "log", 3, 2, [], "more"]) == ("session", "log", 3, 2, ())
    assert answers.CONFIRMATIONS.read([["Ana"], [], ["Ana"], ["Zoë"], ["more"]]) == (["Ana"], [], ["Ana"], ["Zoë"])
    assert answers.STANDING.read([1, 2, "00" * 32, 5]) == (2, bytes(32))
    assert answers.SEARCH.read([[ROW], 5, 6, None]) == ([chat_message(1, key="key-1")], 5, 6)
    assert read_marks([["Ana", 2, 1, "more"]]) == [("Ana", 2, 1)]


@pytest.mark.parametrize("back", ["\ud800", "a\x00b", "x" * 200, "two\nlines"])
def test_what_is_sent_back_to_a_server_can_be_sent(back: str) -> None:
    for question, answer in (
        (answers.JOIN, [back, "log", 1]), (answers.DIRECT, ["Ana+Igor", back]), (answers.CLOSED_ROOMS, [["plans", back]]),
    ):  # fmt: skip
        with pytest.raises(ServerFault):
            question.read(answer)


@pytest.mark.parametrize(
    "said", ["\x1b[2J\x1b]0;title\x07", "two\nlines", "\u202ebackwards", "x" * 10**6, "\ud800", "tab\there", "\x9b31m"]
)
def test_found_12c_what_is_said_beside_the_log_is_one_short_harmless_line(said: str) -> None:
    for shown in (read_notice(said), SUSPECTED.read([said])[0]):
        assert shown.isprintable()
        assert len(shown) <= 500
    assert read_notice("room 'olá' has lost messages") == "room 'olá' has lost messages"


def test_a_log_is_named_by_letters_and_digits() -> None:
    for log_id in ("", "../../etc", "a b", "x" * 500, 5):
        with pytest.raises(ServerFault):
            answers.JOIN.read(["session", log_id, 1])


@pytest.mark.parametrize(
    ("answer", "sessions"),
    [(["s", "log", 5], 1), (["s", "log", 5, 2], 2), (["s", "log", 5, 3, [], "what a newer one says"], 3)],
)
def test_found_33_a_join_may_say_less_or_more(answer: list[object], sessions: int) -> None:
    assert answers.JOIN.read(answer) == ("s", "log", 5, sessions, ())


def test_a_join_says_where_the_room_is_too() -> None:
    joined = answers.JOIN.read(["s", "log", 5, 1, ["a.example:5679", "[::1]:80"]])
    assert joined.servers == (("a.example", 5679), ("::1", 80))


@pytest.mark.parametrize("servers", ["a:1", ["a"], ["a:1"] * 17, ["@:1"], [["a", 1]] * 17, {}])
def test_servers_that_make_no_sense_are_the_servers_fault(servers: object) -> None:
    with pytest.raises(ServerFault):
        answers.JOIN.read(["s", "log", 5, 1, servers])
