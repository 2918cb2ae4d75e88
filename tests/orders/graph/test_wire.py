"""What crosses between sites is what it was, and nothing else is taken."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pyrochat.core.digests import commitment
from pyrochat.core.graph.anti_entropy import Summary
from pyrochat.core.graph.bodies import Body, Said, encode_body
from pyrochat.core.graph.record import Text, Told
from pyrochat.orders.graph.vectors import Vectors
from pyrochat.orders.graph.wire import summary_from_wire, summary_to_wire, told_from_wire, told_to_wire
from pyrochat.values.errors import InvalidArgument
from tests.support import SALT

ROOT = b"root" * 8


def told(*texts: Text) -> Told:
    """An event that says *texts*."""
    said = tuple(Said("Zoë", commitment(SALT, text[0] if text else "gone").hex(), 5, "chat") for text in texts)
    return Told(ROOT, "site", 2, 7, (b"p" * 32, b"q" * 32), encode_body(Body(1, said)), b"signature", texts)


def test_an_event_is_what_it_was_with_its_texts() -> None:
    event = told(("olá ⏎ 👍", SALT), None, ("", SALT))
    row = json.loads(json.dumps(told_to_wire(event)))
    taken = told_from_wire(ROOT, row)
    assert (taken.id, taken.texts, taken.signature) == (event.id, event.texts, event.signature)
    assert told_from_wire(b"another" * 4, row).id != event.id


def test_a_text_that_is_too_long_for_any_room_is_as_one_that_is_gone() -> None:
    assert told_from_wire(ROOT, told_to_wire(told(("x" * 16_385, SALT)))).texts == (None,)
    assert told_from_wire(ROOT, told_to_wire(told(("x" * 16_384, SALT)))).texts != (None,)


@pytest.mark.parametrize(
    ("place", "value"),
    [(0, 5), (1, "2"), (2, None), (3, "ab"), (3, 5), (4, 5), (4, "no body"), (5, "zz"), (6, "[]"), (6, "x"), (6, '[["y", 5]]'),
     (6, json.dumps([["another", SALT]])), (6, json.dumps([["x", "short"]]))],
)  # fmt: skip
def test_what_is_no_event_is_refused(place: int, value: Any) -> None:
    row = told_to_wire(told(("x", SALT)))
    told_from_wire(ROOT, row)
    row[place] = value
    with pytest.raises(InvalidArgument):
        told_from_wire(ROOT, row)


def test_a_summary_is_what_it_was() -> None:
    summary = Summary({"a": 3, "b": 0}, (b"h" * 32,), (b"w" * 32, b"v" * 32))
    assert summary_from_wire(json.loads(json.dumps(summary_to_wire(summary)))) == summary


@pytest.mark.parametrize(
    "fields", [None, [], [[], []], [["a"], [], []], [["a", "b"], [], []], [[], ["zz"], []], [[], [5], []], "abc"]
)
def test_what_is_no_summary_is_refused(fields: Any) -> None:
    with pytest.raises(InvalidArgument):
        summary_from_wire(fields)


def test_what_was_heard_of_marks_only_grows_and_is_passed_on() -> None:
    vectors = Vectors()
    vectors.hear([["ana", {"a": 5, "b": 1}, {"a": 2}], ["ana", {"a": 3}, {"a": 4}], [5, {}, {}], ["igor", [], {}]])
    assert vectors.heard() == [["ana", {"a": 5, "b": 1}, {"a": 4}]]
    assert vectors.readers(("a", 4), 9, ["ana", "nobody"]) == [(9, 9), (0, 0)]
    assert vectors.readers(("a", 5), 9, ["ana"]) == [(9, 0)]
    assert vectors.readers(None, 9, ["ana"]) == [(0, 0)]
