"""Every role has a style, on a dark and on a light ground; links and references do something."""

from __future__ import annotations

import pytest
from rich.color import Color
from textual.theme import BUILTIN_THEMES

from pyrochat.terminal.conversation.layout import NAME_COLOURS, Look, lay_out, separator
from pyrochat.terminal.conversation.markup import Span
from pyrochat.terminal.screen.colours import Palette
from tests.support import chat_message, joined_message

PALETTES = [Palette(BUILTIN_THEMES[name]) for name in ("textual-dark", "textual-light")]


def luminance(colour: Color) -> float:
    """The relative luminance (WCAG 2)."""
    parts = [part / 255 for part in colour.get_truecolor()]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("palette", PALETTES, ids=["dark", "light"])
def test_whatever_is_laid_out_has_a_style(palette: Palette) -> None:
    look = Look(80, "Own", with_ids=True)
    text = "see https://a.org, #12 @Own @Ana #" + "9" * 4000
    lines = [*lay_out([chat_message(1, text, "Own")], look), *lay_out([joined_message(2, "Ana")], look)]
    for span in [span for line in [*lines, separator("new", 80, "new"), separator("day", 80, "day")] for span in line]:
        palette.style(span)
    assert {palette.style(Span("x", role)).bold for role in ("state", "outgoing", "selected", "text")} <= {None, False}


@pytest.mark.parametrize("palette", PALETTES, ids=["dark", "light"])
def test_names_differ_and_can_be_read(palette: Palette) -> None:
    colours = [palette.name(number).color for number in range(NAME_COLOURS)]
    assert len(set(colours)) == NAME_COLOURS
    ground = 0.0 if palette is PALETTES[0] else 1.0
    for colour in colours:
        assert colour is not None
        dark, light = sorted([luminance(colour), ground])
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_a_click_is_given_what_was_clicked_on_and_nothing_to_be_run() -> None:
    hostile = "https://a.org/'),screen.quit_chat(['"
    assert PALETTES[0].style(Span("x", f"link {hostile}")).meta["@click"] == ("screen.open_link", (hostile,))
    assert PALETTES[0].style(Span("#12", "reference 12")).meta["@click"] == ("screen.jump", (12,))
    assert PALETTES[0].style(Span("#١٢", "reference ١٢")).meta["@click"] == ("screen.jump", (12,))
