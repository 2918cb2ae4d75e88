"""What a search shows of a message: a line around what was looked for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyrochat.terminal.conversation.snippets import snippet
from tests.terminal.conversation.support import hostile_texts, text_of

LONG = " ".join(f"word{number}" for number in range(500))


def marked(text: str, query: str, most: int = 60) -> list[str]:
    return [span.text for span in snippet(text, query, most) if span.role == "match"]


def test_the_part_around_the_match_is_shown_however_long_the_text_is() -> None:
    line = snippet(f"{LONG}\nthe needle is here\n{LONG}", "needle", 60)
    assert len(text_of(line)) <= 61
    assert "the needle is here" in text_of(line)
    assert text_of(line).startswith("…")


def test_words_are_marked_as_they_are_written() -> None:
    assert marked("Olá OLÁ olá!", "olá") == ["Olá", "OLÁ", "olá"]
    assert marked("the red car is red", '"red car" from:Ana is') == ["red car", "is"]
    assert marked("indexing the index", "ind*") == ["ind", "ind"]
    assert marked("Ｆｕｌｌ ﬁnal", "full final") == ["Ｆｕｌｌ", "ﬁnal"]
    assert marked("nothing", "from:Ana") == []


@given(hostile_texts(), st.text(max_size=20), st.integers(1, 80))
def test_any_text_is_one_line_that_is_short(text: str, query: str, most: int) -> None:
    shown = text_of(snippet(text, query, most))
    assert len(shown) <= most + 1
    assert "\n" not in shown
    assert "\x1b" not in shown
