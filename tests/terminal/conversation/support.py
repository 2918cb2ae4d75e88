"""Conversations to be shown: messages of two members, and what is on a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count

from hypothesis import strategies as st

from pyrochat.terminal.conversation.markup import Line
from pyrochat.terminal.conversation.page import Page
from pyrochat.values.message import Message
from tests.support import chat_message, joined_message, left_message

HOSTILE = (
    "\x1b[2J\x1b]0;title\x07", "[bold red]markup[/]", "\u202efdp.exe", "a\u200bb", "\u200d", "\ufe0f", "\u0301\u0301",
    "\t", "\r\n", "\n", "\r", " ", "   ", "日本語", "👨\u200d👩\u200d👧", "👩🏽\u200d🚀", "1\ufe0f\u20e3", "#1\ufe0f\u20e3", "🇧🇷",
    "हिन्दी", "مرحبا", "@Ana", "@", "#12", "https://example.org/a_(b)?c=d#12", "http://", "x" * 60, "日" * 40, "\ufeff", "\U000e0041",
)  # fmt: skip


def hostile_texts(most: int = 12) -> st.SearchStrategy[str]:
    """Any text, with what strangers put into theirs."""
    piece = st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    return st.lists(piece, max_size=most).map("".join)


def conversation(kinds: str, after: int = 0) -> list[Message]:
    """The messages that *kinds* stands for: ``j`` and ``l`` join and leave, all else is a text of that member."""
    numbered = zip(count(after + 1), kinds, strict=False)
    return [
        joined_message(id, "Ana") if kind == "j" else left_message(id, "Ana") if kind == "l"
        else chat_message(id, f"text {id}", {"o": "Own", "a": "Ana"}[kind])
        for id, kind in numbered
    ]  # fmt: skip


def text_of(line: Line) -> str:
    """*line* as it is read."""
    return "".join(span.text for span in line)


def shown(page: Page) -> list[str]:
    """The page's lines as they are read, without the spaces around them."""
    return [text_of(row.line).strip() for row in page.rows()]


def roles(lines: Iterable[Line]) -> Sequence[tuple[str, str]]:
    """The pieces of *lines* that are no plain text."""
    return [(span.text, span.role) for line in lines for span in line if span.role != "text"]
