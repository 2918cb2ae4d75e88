"""Code, emphasis, links and lists: what is marked in a text, and that nothing of it is lost."""

from __future__ import annotations

import pytest
from hypothesis import given

from pyrochat.terminal.conversation.layout import Look, lay_out
from pyrochat.terminal.conversation.markup import Block, blocks_of, coloured, links_in, marks_in
from tests.support import chat_message
from tests.terminal.conversation.support import hostile_texts, text_of


def test_code_between_fences_is_a_block_and_one_that_is_not_closed_is_none() -> None:
    assert list(blocks_of("a\n```py\nx = 1\n\ny\n```\nb")) == [
        Block(["a"]), Block(["x = 1", "", "y"], "py"), Block(["b"]),
    ]  # fmt: skip
    assert list(blocks_of("a\n```\nb")) == [Block(["a", "```", "b"])]
    assert list(blocks_of("```\n```")) == [Block([], "")]
    assert list(blocks_of("use ```inline``` code")) == [Block(["use ```inline``` code"])]


def test_code_is_coloured_and_stays_as_it_was_written() -> None:
    lines = coloured(Block(['def f():  # "why"', "    return 42", ""], "python"))
    assert ["".join(span.text for span in line) for line in lines] == ['def f():  # "why"', "    return 42", ""]
    roles = {span.text: span.role for line in lines for span in line}
    assert (roles["def"], roles["42"]) == ("code keyword", "code number")
    assert {span.role for line in coloured(Block(["a b"], "unheard-of")) for span in line} == {"code"}


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("this is *emphasis* and **strong**", [("*emphasis*", "emphasis"), ("**strong**", "strong")]),
        ("2 * 3 * 4, a*b*c, * item", []),
        ("run `make *all*` now", [("`make *all*`", "code")]),
        ("`@Ana` but @Ana", [("`@Ana`", "code"), ("@Ana", "mentioned")]),
        ("@all: see #12 at https://a.b/c?d=*e*", [("@all", "mentioned"), ("#12", "reference 12"), ("https://a.b/c?d=*e*", "link https://a.b/c?d=*e*")]),
    ],
)  # fmt: skip
def test_what_is_marked(text: str, marked: list[tuple[str, str]]) -> None:
    assert [(text[start:end], role) for start, end, role in marks_in(text, "Ana")] == marked


def test_the_lines_of_an_item_stand_under_its_words() -> None:
    lines = [text_of(line) for line in lay_out([chat_message(1, "- " + "word " * 20)], Look(50, "Ana"))]
    assert len(lines) > 2
    at = lines[0].index("word")
    assert all(line.index("word") == at for line in lines[1:])


@given(hostile_texts())
def test_no_mark_stands_over_another(text: str) -> None:
    end = 0
    for start, ended, _ in marks_in(text, "Ana"):
        assert end <= start < ended <= len(text)
        end = ended
    assert links_in(text) == [role[5:] for _, _, role in marks_in(text, "Zoë") if role.startswith("link")]
