"""Two people with one name."""

from __future__ import annotations

from pyrochat.core.namesakes import Namesakes
from pyrochat.values.message import Message


def joined(id: int, name: str, key: str | None, ref: str | None) -> Message:
    return Message(id, "lobby", name, f"{name} joined", id, "system", key, change="joined", ref=ref)


def text(id: int, name: str, ref: str | None) -> Message:
    return Message(id, "lobby", name, "hi", id, ref=ref)


def test_a_name_that_one_has_is_shown_as_it_is_wherever_that_one_is() -> None:
    namesakes = Namesakes()
    namesakes.take([joined(1, "Bob", "aa" * 32, "here.1"), joined(2, "bob", "aa" * 32, "there.1")])
    assert namesakes.shown(text(3, "Bob", "here.2")) == "Bob"
    assert namesakes.shown(text(4, "bob", "there.2")) == "bob"


def test_a_name_that_two_have_shows_whose_it_is() -> None:
    namesakes = Namesakes()
    namesakes.take([joined(1, "Bob", "aa" * 32, "here.1"), joined(2, "bob", "bb" * 32, "there.1")])
    assert namesakes.shown(text(3, "Bob", "here.2")) == "Bob·aaaa"
    assert namesakes.shown(text(4, "bob", "there.2")) == "bob·bbbb"
    assert namesakes.shown(text(5, "Bob", "elsewhere.1")) == "Bob"


def test_where_ids_are_everybodys_nobody_shares_a_name() -> None:
    namesakes = Namesakes()
    namesakes.take([joined(1, "Bob", "aa" * 32, None), joined(2, "Bob", "bb" * 32, None)])
    assert namesakes.shown(text(3, "Bob", None)) == "Bob"
