"""What people type into a search, taken apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrochat import InvalidArgument
from pyrochat.core.query import MAX_QUERY_CHARACTERS, MAX_QUERY_TERMS, Query, Term, parse_query

ANYTHING = st.text(st.characters(exclude_categories=())) | st.text('abé"*:-()^+{} \t\0\ud800👍ANDORfrom')


@pytest.mark.parametrize(
    ("words", "terms"),
    [
        ("hello", [Term("hello")]),
        ("  hello   world\t", [Term("hello"), Term("world")]),
        ('"hello world"', [Term("hello world")]),
        ('say "hello world" now', [Term("say"), Term("hello world"), Term("now")]),
        ('say"hello world"now', [Term("say"), Term("hello world"), Term("now")]),
        ('"not closed', [Term("not closed")]),
        ("hel*", [Term("hel", is_prefix=True)]),
        ("hel**", [Term("hel", is_prefix=True)]),
        ('"hello wor"*', [Term("hello wor", is_prefix=True)]),
        ("h*l", [Term("h*l")]),
        ("a OR b AND NOT c", [Term("a"), Term("OR"), Term("b"), Term("AND"), Term("NOT"), Term("c")]),
        ("-hello NEAR(a)", [Term("-hello"), Term("NEAR(a)")]),
        ("hello 👍 - !", [Term("hello")]),
        ('"" hello "!"', [Term("hello")]),
        ("日本*", [Term("日本", is_prefix=True)]),
        ("a\0b", [Term("a"), Term("b")]),
        ('"from:Ana"', [Term("from:Ana")]),
    ],
)
def test_words_phrases_and_prefixes(words: str, terms: list[Term]) -> None:
    assert parse_query(words) == Query(tuple(terms))


def test_a_sender_is_meant_as_names_are_compared() -> None:
    assert parse_query("from:ANA") == parse_query("FROM:ana") == Query((), ("ana",))
    assert parse_query("from:Zoe\u0308 hi").senders == parse_query("hi from:ZOË").senders == ("zoë",)
    assert parse_query("from:Ana from:Igor").senders == ("ana", "igor")


@pytest.mark.parametrize("words", ["", " ", "👍", '"', '""', "*", "!? -", "\u0301"])
def test_nothing_to_search_for_is_said(words: str) -> None:
    with pytest.raises(InvalidArgument, match="give a word with a letter or a digit"):
        parse_query(words)


@pytest.mark.parametrize("words", ["from:", "hello from:a*", "from:a,b", f"from:{'x' * 33}"])
def test_a_sender_that_can_be_nobody_is_said(words: str) -> None:
    with pytest.raises(InvalidArgument, match="from: has to be followed by a member's name"):
        parse_query(words)


@pytest.mark.parametrize("words", [None, 5, ["hello"], b"hello"])
def test_what_is_no_text_is_refused(words: object) -> None:
    with pytest.raises(InvalidArgument, match="has to be text"):
        parse_query(words)


def test_a_query_has_an_end() -> None:
    longest = "x" * MAX_QUERY_CHARACTERS
    assert parse_query(longest) == Query((Term(longest),))
    with pytest.raises(InvalidArgument, match="give it up to 200"):
        parse_query(longest + "x")
    most = ["x"] * (MAX_QUERY_TERMS - 1) + ["from:Ana"]
    assert len(parse_query(" ".join(most)).terms) == MAX_QUERY_TERMS - 1
    with pytest.raises(InvalidArgument, match="give it up to 10"):
        parse_query(" ".join([*most, "x"]))


@given(ANYTHING)
def test_whatever_is_typed_is_a_query_or_an_invalid_argument(words: str) -> None:
    try:
        query = parse_query(words)
    except InvalidArgument:
        return
    assert query.terms or query.senders
    assert all(any(character.isalnum() for character in term.text) for term in query.terms)
