"""Confirmations: four sets of names."""

from __future__ import annotations

from pyrochat import Confirmations


def test_confirmations_are_made_of_any_iterables_of_names() -> None:
    state = Confirmations.of(3, iter(["Igor", "Ana"]), ["Ana"], ("Igor",), {"Zoë"})
    assert state.id == 3
    assert state.delivered_to == {"Igor", "Ana"}
    assert state.read_by == {"Ana"}
    assert state.waiting_for == {"Igor"}
    assert state.away == {"Zoë"}


def test_on_the_wire_they_are_four_sorted_lists() -> None:
    assert Confirmations.of(3, {"Igor", "Ana"}, set(), {"Igor", "Ana"}, {"Zoë", "Erick"}).to_wire() == [
        ["Ana", "Igor"],
        [],
        ["Ana", "Igor"],
        ["Erick", "Zoë"],
    ]


def test_they_say_in_words_who_is_waited_for() -> None:
    text = repr(Confirmations.of(3, ["Igor", "Ana"], [], ["Igor"], ["Zoë"]))
    assert text == "<Confirmations of #3: delivered to Ana, Igor; read by nobody; waiting for Igor; away Zoë>"
