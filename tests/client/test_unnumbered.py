"""Texts that have no number yet, as the room tells a client's callback: beside the replica, and never in it."""

from __future__ import annotations

import pytest

from pyrochat.client.callback import Callback
from pyrochat.client.reading import Reading
from pyrochat.client.replica import Replica
from pyrochat.client.unnumbered import Unnumbered
from tests.support import chat_message


class Client:
    def __init__(self) -> None:
        self.replica = Replica("lobby")
        self.told: list[tuple[list[str], int]] = []
        self.held_up: list[str] = []
        self.unnumbered = Unnumbered(self.replica, lambda messages, after: self.told.append((texts(messages), after)))
        self.callback = Callback(
            self.replica, Reading(self.replica, "Ana"), "a log", bytes(32), print, print, print, self.unnumbered,
            self.held_up.append,
        )  # fmt: skip


def texts(messages: object) -> list[str]:
    return [message.text for message in messages]  # type: ignore[attr-defined]


def pending(text: str, key: str | None = None, time_us: int = 5) -> list[object]:
    return [None, "lobby", "Igor", text, time_us, "chat", key, None, None, None, None]


def numbered(id: int, text: str, key: str | None = None, time_us: int = 5) -> list[object]:
    return list(chat_message(id, text, "Igor", key)._replace(time_us=time_us))


def test_they_are_replaced_whole_and_are_in_no_replica() -> None:
    client = Client()
    client.callback.pending([pending("one", "1"), pending("two", "2")])
    client.callback.pending([pending("two", "2")])
    client.callback.pending([])
    assert client.told == [(["one", "two"], 0), (["two"], 0), ([], 0)]
    assert client.replica.end == 0


@pytest.mark.parametrize("key", ["1", None])
def test_one_that_gets_its_number_is_one_no_more_before_the_room_says_so(key: str | None) -> None:
    client = Client()
    client.callback.pending([pending("one", key), pending("two", "2")])
    assert {message.id for message in client.unnumbered.messages} == {0}
    client.callback.deliver_oneway([numbered(1, "one", key)], [])
    assert client.told[-1] == (["two"], 1)


def test_what_the_room_said_before_it_had_a_number_is_not_shown_again_where_it_comes_late() -> None:
    client = Client()
    client.callback.deliver([numbered(1, "one", "1")], [])
    client.callback.pending([pending("one", "1")])
    assert client.told == []


@pytest.mark.parametrize(
    "odd", [None, 5, [5], [[]], [[1, *pending("one")[1:]]], [[None]], [[None, "lobby", 5, "text", 5, "chat"]]]
)
def test_what_makes_no_sense_is_passed_over_and_costs_no_delivery(odd: object) -> None:
    client = Client()
    client.callback.pending([pending("one", "1")])
    client.callback.pending(odd)
    assert client.told == [(["one"], 0)]
    assert client.callback.deliver([numbered(1, "else")], []) == [1, 0]


def test_what_holds_the_room_up_is_one_line() -> None:
    client = Client()
    client.callback.held_up("the room waits for\nzoe\x1b[31m")
    client.callback.held_up("")
    [said, nothing] = client.held_up
    assert said.startswith("the room waits for")
    assert said.isprintable()
    assert nothing == ""
