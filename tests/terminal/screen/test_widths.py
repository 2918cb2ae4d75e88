"""Whatever width a terminal gives an emoji, the column beside it stays: pyte counts each character by itself."""

from __future__ import annotations

import pyte
import pytest

from pyrochat.terminal.screen.widths import held_in_place

EMOJI = ["👩‍👩‍👧‍👦", "❤️", "🇧🇷", "👍🏽", "1️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "👩‍💻", "🧑🏿‍🚀", "🏳️‍🌈"]


@pytest.mark.parametrize("emoji", EMOJI)
def test_what_stands_behind_an_emoji_is_in_its_column(emoji: str) -> None:
    for before in ("", "x" * 20):
        screen = pyte.Screen(40, 2)
        pyte.Stream(screen).feed(f"{before}\r" + held_in_place(f"a{emoji}b{emoji}{emoji}|"))
        assert screen.buffer[0][3].data == "b"
        assert screen.buffer[0][8].data == "|"
        assert all("x" not in screen.buffer[0][column].data for column in range(9))


def test_the_test_can_fail() -> None:
    screen = pyte.Screen(40, 2)
    pyte.Stream(screen).feed("a👩‍👩‍👧‍👦b")
    assert screen.buffer[0][3].data != "b"


def test_what_is_not_drawn_and_what_is_plain_stays() -> None:
    for text in ("plain ✓ 日本語 \x1b[31mred", "\x1b]0;❤️ title\x07", "\x1b]8;;https://example.org/❤️\x1b\\"):
        assert held_in_place(text) == text
