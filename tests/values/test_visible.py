"""What strangers write, made visible: nothing hidden, nothing that a terminal would obey."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrochat.values.rules import MAX_TEXT_BYTES
from pyrochat.values.visible import visible


@pytest.mark.parametrize(
    "text",
    ["Olá", "naïve café", "日本語", "שלום", "مرحبا", "e\u0301", "👍", "👍🏽", "❤️", "🇧🇷", "1️⃣", "a  b", ""],
)
def test_a_plain_text_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\nlines", "two⏎lines"),
        ("from\r\nWindows", "from⏎Windows"),
        ("over\rwritten", "over␍written"),
        ("a\u2028b\u2029c\x85d", "a⏎b⏎c⏎d"),
        ("tab\there", "tab␉here"),
        ("nul\x00", "nul␀"),
        ("bell\a", "bell␇"),
        ("back\b\b\bspace", "back␈␈␈space"),
        ("delete\x7f", "delete␡"),
    ],
)
def test_controls_show_as_their_pictures_on_one_line(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2Jgone", "␛[2Jgone"),
        ("\x1b]0;title\a", "␛]0;title␇"),
        ("\x1b]52;c;cm0gLXJm\x1b\\", "␛]52;c;cm0gLXJm␛\\"),
        ("\x9b31mred", "\\u009b31mred"),
        ("\x90sixel\x9c", "\\u0090sixel\\u009c"),
    ],
)
def test_an_escape_sequence_is_seen_and_not_obeyed(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize("code", [0x202A, 0x202B, 0x202D, 0x202E, 0x2066, 0x2067, 0x2068, 0x2069, 0x200E, 0x200F])
def test_a_change_of_direction_is_seen_and_not_obeyed(code: int) -> None:
    assert visible(f"invoice{chr(code)}fdp.exe") == f"invoice\\u{code:04x}fdp.exe"


@pytest.mark.parametrize("code", [0x00AD, 0x200B, 0x2060, 0xFEFF, 0x180E, 0xE0041])
def test_what_has_no_width_is_seen(code: int) -> None:
    stand_in = f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
    assert visible(f"pay{chr(code)}pal") == f"pay{stand_in}pal"


@pytest.mark.parametrize("text", ["Er\u200dick", "\u200d", "\u200d👍", "👍\u200d", "a\u200d👍"])
def test_a_joiner_that_joins_no_emoji_is_seen(text: str) -> None:
    assert visible(text) == text.replace("\u200d", "\\u200d")


@pytest.mark.parametrize(
    "emoji",
    [
        "👨\u200d👩\u200d👧",
        "👩🏽\u200d🚀",
        "❤️\u200d🔥",
        "🏳️\u200d🌈",
        "🧑🏿\u200d🤝\u200d🧑🏻",
        "🐻\u200d❄️",
        "🏃\u200d♀️\u200d➡️",
    ],
)
def test_a_joined_emoji_stays_whole(emoji: str) -> None:
    assert visible(emoji) == emoji
    assert visible(f"{emoji}\n{emoji}") == f"{emoji}⏎{emoji}"


@pytest.mark.parametrize("text", ["\ud800", "a\udcffb"])
def test_a_lone_surrogate_is_seen(text: str) -> None:
    assert visible(text).isprintable()
    visible(text).encode()


@pytest.mark.parametrize("space", ["\u00a0", "\u2003", "\u3000", "\u202f"])
def test_an_unusual_space_is_a_space(space: str) -> None:
    assert visible(f"a{space}b") == "a b"


def test_the_longest_text_stays_whole() -> None:
    assert visible("x" * MAX_TEXT_BYTES) == "x" * MAX_TEXT_BYTES
    assert visible("\x1b" * MAX_TEXT_BYTES) == "␛" * MAX_TEXT_BYTES
    assert visible("\n" * MAX_TEXT_BYTES) == "⏎" * MAX_TEXT_BYTES
    assert visible("\u202e" * (MAX_TEXT_BYTES // 3)) == "\\u202e" * (MAX_TEXT_BYTES // 3)
    assert visible("\u200d" * (MAX_TEXT_BYTES // 3)) == "\\u200d" * (MAX_TEXT_BYTES // 3)


@given(st.text(st.characters(exclude_categories=())))
def test_whatever_is_written_is_one_line_without_control(text: str) -> None:
    shown = visible(text)
    assert len(shown.splitlines()) <= 1
    assert not {unicodedata.category(c) for c in shown if c != "\u200d"} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@given(st.text(st.characters(exclude_categories=())))
def test_what_is_visible_stays_as_it_is(text: str) -> None:
    assert visible(visible(text)) == visible(text)
