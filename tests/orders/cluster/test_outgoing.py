"""No message is larger than what a broker takes, and whoever waits is told what becomes of theirs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pyrochat.core.commands import command_to_wire
from pyrochat.core.order import Applied, Follower, Submission
from pyrochat.orders.replicated.entries import MAX_BYTES, read
from pyrochat.orders.replicated.outgoing import Outgoing
from pyrochat.orders.replicated.stream import Fate
from pyrochat.values.errors import BatchTooLarge, LogUnavailable
from pyrochat.values.rules import MAX_BATCH_BYTES, MAX_BATCH_TEXTS, MAX_KEY_CHARACTERS
from tests.core.modelling import post
from tests.orders.streams import IDENTITY, MemoryNetwork, cluster_in


class Idle(Follower):
    """Nothing comes to it."""

    entry = 0

    def apply(self, entries: Any) -> Applied:
        raise AssertionError

    def due_seconds(self) -> None:
        raise AssertionError

    def heard(self, marks: Any) -> None:
        raise AssertionError


class Taking:
    """A stream's way in; *published* is what was put there."""

    def __init__(self, **more: int) -> None:
        self.published: list[bytes] = []
        self.outgoing = Outgoing("home", self._publish, lambda count, fate: None, 1.0, 2000, command_to_wire, **more)

    def _publish(self, data: bytes, id: str, then: Callable[[Fate], None]) -> None:
        self.published.append(data)

    def publish_all(self, *submissions: Submission) -> list[int]:
        """Each entry is given up, so that the next is published; how many commands each had."""
        for submission in submissions:
            self.outgoing.hand_in(submission, 0.0)
        now = 0.0
        while self.outgoing.is_busy:
            self.outgoing.publish_due(Idle(), now)
            under_way = self.outgoing._under_way
            if under_way is not None:
                now = under_way.until
                waiting, self.outgoing._waiting = self.outgoing._waiting, type(self.outgoing._waiting)()
                self.outgoing.give_up(now, None, False)
                self.outgoing._waiting = waiting
        return [len(json.loads(data)["entry"][3]) for data in self.published]


def handed_in(*texts: str, list_key: str | None = None) -> Submission:
    keys = None if list_key is None else [f"{list_key}/{number}" for number in range(len(texts))]
    return Submission((post("Erick", texts, keys, list_key),))


@pytest.mark.parametrize("text", ["a", "\N{ROCKET}", "\x01", '"', "\n"])
def test_what_gathers_fits_into_a_message_whatever_it_becomes_there(text: str) -> None:
    """Bytes are counted, with what JSON makes of them, and not characters."""
    taking = Taking()
    long = text * (MAX_BATCH_BYTES // len(text.encode()))
    assert sum(taking.publish_all(*(handed_in(long) for _ in range(5)))) == 5
    assert max(map(len, taking.published)) <= MAX_BYTES


def test_lists_of_many_short_texts_fit_too() -> None:
    """Their keys and salts are more than they."""
    taking = Taking()
    key = "\x01" * MAX_KEY_CHARACTERS
    lists = [handed_in(*["x"] * MAX_BATCH_TEXTS, list_key=key) for _ in range(4)]
    assert sum(taking.publish_all(*lists)) == 4
    assert max(map(len, taking.published)) <= MAX_BYTES


def test_what_is_put_off_keeps_its_place() -> None:
    taking = Taking(most_bytes=700)
    taking.publish_all(*(handed_in(f"{number}" * 50) for number in range(10)))
    texts = [post[3] for data in taking.published for post in read(data).fields[3]]  # type: ignore[union-attr]
    assert texts == [[f"{number}" * 50] for number in range(10)]
    assert len(taking.published) > 1


def test_what_can_never_be_published_is_refused_and_the_rest_goes_on() -> None:
    taking = Taking(most_bytes=1000)
    before, large, after = handed_in("before"), handed_in("x" * 1000), handed_in("after")
    assert taking.publish_all(before, large, after) == [1, 1]
    assert isinstance(large.error, BatchTooLarge)
    assert "1,000 are the most: send them in parts" in str(large.error)
    assert isinstance(before.error, LogUnavailable)
    assert isinstance(after.error, LogUnavailable)


def test_a_copy_has_no_larger_messages_however_long_the_texts_are() -> None:
    network = MemoryNetwork()
    cluster = cluster_in(network, "a", 1)
    rows = [[number, "\x01" * 16_000] for number in range(300)]
    sessions = [[f"{number}", "ana"] for number in range(300)]
    cluster.make_anew("lobby", IDENTITY, 0, {}, [("messages", rows), ("sessions", sessions)])
    found = next(
        [arrival.data for arrival in broker.messages] for broker in network.brokers.values() if broker.messages
    )
    cluster.close()
    network.close()
    assert max(map(len, found)) <= MAX_BYTES
    parts = [read(data) for data in found[1:-1]]
    assert [row for part in parts if part.kind == "messages" for row in part.rows] == rows  # type: ignore[union-attr]
    assert [part.rows for part in parts if part.kind == "sessions"] == [sessions]  # type: ignore[union-attr]
