"""What Tab makes of what is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrochat.terminal.writing.completion import Completion, Words, complete
from pyrochat.values.rules import fold

WORDS = Words(["/join", "/jump", "/help"], ["Ana", "Igor", "anabel", "Zoë"], ["lobby", "coffee"], ["120", "12", "7"])
NAMES = st.text(st.characters(categories=["L", "M", "N"]), min_size=1, max_size=8)
SOME_WORDS = st.builds(
    Words,
    st.lists(NAMES.map("/".__add__), max_size=4),
    st.lists(NAMES, max_size=4),
    st.lists(NAMES, max_size=4),
    st.lists(st.integers(1, 1 << 40).map(str), max_size=4),
)


@st.composite
def begun(draw: st.DrawFn) -> tuple[str, Words]:
    """A text that ends, more often than not, with the beginning of something that it can become."""
    words = draw(SOME_WORDS)
    known = [*words.commands, *words.names, *(f"@{name}" for name in words.names), *words.rooms]
    known += [f"#{id}" for id in words.ids]
    before = draw(st.sampled_from(["", " ", "hi ", "/join ", "/leave  ", "a\n"]) | st.text(max_size=10))
    word = draw(st.sampled_from([*known, "", "@", "#", "/"]) | st.text(max_size=10))
    return before + draw(st.sampled_from([str, str.upper, str.casefold]))(word[: draw(st.integers(0, 10))]), words


@given(begun())
def test_a_choice_begins_with_what_was_typed(given_words: tuple[str, Words]) -> None:
    text, words = given_words
    found = complete(text, words)
    typed = text[found.start :]
    assert 0 <= found.start <= len(text)
    assert not any(character.isspace() for character in typed)
    assert found.start == 0 or text[found.start - 1].isspace()
    for choice in found.choices:
        assert fold(choice).startswith((fold(typed), fold("@" + typed)))


@given(begun())
def test_a_choice_is_something_that_there_is(given_words: tuple[str, Words]) -> None:
    text, words = given_words
    known = {*words.commands, *words.names, *words.rooms, *(f"@{name}" for name in words.names)}
    known |= {f"#{id}" for id in words.ids}
    assert {choice.strip().removesuffix(":") for choice in complete(text, words).choices} <= known


@pytest.mark.parametrize(
    ("text", "start", "choices"),
    [
        ("/j", 0, ["/join ", "/jump "]),
        ("/JO", 0, ["/join "]),
        ("say /j", 4, []),
        ("a", 0, ["Ana: ", "anabel: "]),
        ("hi a", 3, ["@Ana ", "@anabel "]),
        ("hi @A", 3, ["@Ana ", "@anabel "]),
        ("@", 0, ["@Ana ", "@Igor ", "@anabel ", "@Zoë "]),
        ("@ZOË", 0, ["@Zoë "]),
        ("see #1", 4, ["#120 ", "#12 "]),
        ("#", 0, ["#120 ", "#12 ", "#7 "]),
        ("#x", 0, []),
        ("/join c", 6, ["coffee"]),
        ("/leave ", 7, ["lobby", "coffee"]),
        ("line\na", 5, ["@Ana ", "@anabel "]),
        ("hi ", 3, []),
        ("", 0, []),
        ("x", 0, []),
    ],
)
def test_what_a_text_can_become(text: str, start: int, choices: list[str]) -> None:
    assert complete(text, WORDS) == Completion(start, tuple(choices))


def test_a_pasted_file_is_completed_at_once() -> None:
    assert complete("x" * 1_000_000 + " ", WORDS) == Completion(1_000_001, ())
    assert complete("x " * 500_000 + "@a", WORDS).choices == ("@Ana ", "@anabel ")
