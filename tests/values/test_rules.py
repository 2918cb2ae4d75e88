"""The limits of the contract, and the form in which names are compared."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrochat import BatchTooLarge, InvalidArgument, InvalidName, InvalidRoomName, InvalidText
from pyrochat.values import rules


@pytest.mark.parametrize(
    "name",
    [
        "E",
        "x" * 32,
        "Erick",
        "ana-2_b.c",
        "名前",
        "Zoë",
        "नमस्ते",
        "\u05d0\u05d1-2",
        "\u0628\u0629_7",
        "a\u0335\u0336\u0337",
        "ก็้",
    ],
)
def test_a_name_has_1_to_32_letters_digits_and_marks(name: str) -> None:
    assert rules.checked_name(name) == name
    assert rules.checked_room_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x" * 33,
        "two words",
        "a/b",
        "a\nb",
        "a\x00",
        "a\u202eb",
        "a\u200bb",
        "...",
        "-",
        "😀",
        "#1",
        "a:b",
        "@x",
        "\u3164",
        "a\u115f",
        "\u1160b",
        "\uffa0",
        "a\ufe0f",
        "a\u034f",
        "a\u180b",
        "\u17b4a",
        "a\U000e0100",
        "\u2800",
        "\u05d0b",
        "a\u0628",
        "\u0301a",
        "_\u0301\u0301\u0301\u0301",
        "a" + "\u0335" * 4,
        "a\u2066b",
        "\ud800",
    ],
)
def test_a_name_with_anything_else_is_refused(name: str) -> None:
    with pytest.raises(InvalidName):
        rules.checked_name(name)
    with pytest.raises(InvalidRoomName):
        rules.checked_room_name(name)


@pytest.mark.parametrize("name", [None, 5, b"Erick", ["Erick"], True])
def test_a_name_is_text(name: object) -> None:
    with pytest.raises(InvalidName, match="has to be text"):
        rules.checked_name(name)


def test_a_name_is_kept_in_its_composed_form_and_counted_in_it() -> None:
    assert rules.checked_name("Zoe\u0308") == "Zo\u00eb"
    assert rules.checked_name("e\u0301" * 32) == "\u00e9" * 32


@pytest.mark.parametrize(
    ("one", "other"),
    [("Erick", "eRICK"), ("Zoe\u0308", "ZO\u00cb"), ("Straße", "STRASSE"), ("Σίσυφος", "ΣΊΣΥΦΟΣ")],
)
def test_names_are_compared_after_composition_and_case_folding(one: str, other: str) -> None:
    assert rules.fold(one) == rules.fold(other)
    assert rules.fold(rules.fold(one)) == rules.fold(one)


def test_different_names_stay_different() -> None:
    assert rules.fold("Zoe") != rules.fold("Zoë")


@pytest.mark.parametrize("text", ["a", "x" * 16_384, "é" * 8_192, "line\nline", "\x1b[31m", " "])
def test_a_text_of_up_to_16384_bytes_is_taken_unchanged(text: str) -> None:
    assert rules.checked_text(text) == text


@pytest.mark.parametrize("text", ["", "x" * 16_385, "é" * 8_193, "\ud800", None, 7, b"bytes", ["x"]])
def test_any_other_text_is_refused(text: object) -> None:
    with pytest.raises(InvalidText):
        rules.checked_text(text)


def test_one_call_takes_10000_texts_and_900000_bytes() -> None:
    assert len(rules.checked_texts(["x"] * 10_000)) == 10_000
    with pytest.raises(BatchTooLarge):
        rules.checked_texts(["x"] * 10_001)
    assert rules.checked_texts(["x" * 9_000] * 100)
    with pytest.raises(BatchTooLarge):
        rules.checked_texts(["x" * 9_000] * 99 + ["é" * 4_501])


@pytest.mark.parametrize("value", ["one text", {"a": 1}, 5, None, iter(["a"])])
def test_several_texts_are_a_list(value: object) -> None:
    with pytest.raises(InvalidArgument, match="list of texts"):
        rules.checked_texts(value)


def test_one_bad_text_refuses_the_batch() -> None:
    with pytest.raises(InvalidText):
        rules.checked_texts(["good", ""])


@pytest.mark.parametrize("key", [None, "k", "x" * 64, "a key, with ~ and space"])
def test_a_key_is_up_to_64_printable_ascii_characters_or_none(key: str | None) -> None:
    assert rules.checked_key(key) == key


@pytest.mark.parametrize("key", ["", "x" * 65, "é", "a\n", 5, b"k"])
def test_any_other_key_is_refused(key: object) -> None:
    with pytest.raises(InvalidArgument):
        rules.checked_key(key)


@pytest.mark.parametrize("value", [0, 11, True, 5.0, "5", None])
def test_a_number_out_of_range_or_of_another_type_is_refused(value: object) -> None:
    with pytest.raises(InvalidArgument, match="the limit has to be a whole number from 1 to 10"):
        rules.checked_integer(value, "the limit", 1, 10)


def test_a_number_may_be_either_end_of_its_range() -> None:
    assert [rules.checked_integer(value, "it", 1, 10) for value in (1, 10)] == [1, 10]


@pytest.mark.parametrize(
    ("one", "other"),
    [("Ｅrick", "Erick"), ("ﬁsh", "fish"), ("①", "1"), ("ｴﾘｯｸ", "エリック"), ("Ⅷ", "viii"), ("ſam", "Sam"), ("K", "k")],
)
def test_names_are_compared_after_compatibility_composition(one: str, other: str) -> None:
    assert rules.fold(one) == rules.fold(other)
    assert rules.fold(rules.fold(one)) == rules.fold(one)
    assert rules.checked_name(one) == unicodedata.normalize("NFC", one), "it is shown as it is spelled"


@pytest.mark.parametrize("name", ["℀", "½", "ﷺ" * 2, "⒜", "ᆭ\u3164", "ﬁ" * 17, "a㎏/"])
def test_the_rules_hold_for_what_a_name_is_compared_as(name: str) -> None:
    with pytest.raises(InvalidName):
        rules.checked_name(name)


@given(st.text(max_size=40))
def test_what_is_folded_stays_as_it_is(text: str) -> None:
    assert rules.fold(rules.fold(text)) == rules.fold(text)
