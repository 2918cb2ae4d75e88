"""The contract of an order, held by every implementation."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from pyrochat.core.commands import Entry, Open, Post, entry_from_wire, entry_to_wire
from pyrochat.core.memory_log import MemoryLog
from pyrochat.core.order import Applied, Order, Submission
from pyrochat.room.applier import Applier
from pyrochat.values.errors import LogUncertain, PyroChatError, RoomClosing
from tests.core.modelling import post
from tests.orders.conftest import Told
from tests.orders.promises import Promise
from tests.support import SALT, Running, eventually, together


def said(*texts: str) -> Post:
    return post("Erick", texts)


def texts(submission: Submission) -> list[str]:
    return [message.text for message in submission.wait()]


def together_in(follower: Told) -> list[int]:
    """How many commands were applied together, each time that there were some."""
    sizes = [sum(len(entry.commands) for entry in group) for group in follower.groups]
    return [size for size in sizes if size]


def test_everybody_gets_the_outcome_of_what_he_handed_in(order: Order, follower: Told) -> None:
    def hand_in(number: int) -> None:
        for turn in range(20):
            assert texts(order.submit(said(f"{number}.{turn}"))) == [f"{number}.{turn}"]

    together([partial(hand_in, number) for number in range(8)])
    applied = [entry for group in follower.groups for entry in group]
    assert sorted(command.texts[0] for entry in applied for command in entry.commands) == sorted(
        f"{number}.{turn}" for number in range(8) for turn in range(20)
    )
    assert len(follower.threads) == 1


def test_entries_are_numbered_and_their_commands_stay_together(order: Order, follower: Told) -> None:
    for number in range(10):
        order.submit(said(f"{number}"), said(f"{number} too")).wait()
    entries = [entry for group in follower.groups for entry in group]
    assert [entry.number for entry in entries] == sorted({entry.number for entry in entries})
    assert [[command.texts[0] for command in entry.commands] for entry in entries] == [
        [f"{number}", f"{number} too"] for number in range(10)
    ]
    assert all(entry.time_us > 0 for entry in entries)


def test_what_comes_while_a_group_is_applied_is_the_next_group(order: Order, follower: Told) -> None:
    follower.open.clear()
    submissions = [order.submit(said("0"))]
    assert follower.under_way.wait(20)
    submissions += [order.submit(said(str(number))) for number in range(1, 100)]
    follower.open.set()
    assert [texts(submission) for submission in submissions] == [[str(number)] for number in range(100)]
    assert together_in(follower) == [1, 99]


def test_a_group_has_a_bound(make: Callable[..., Order], follower: Told) -> None:
    order = make(most=10)
    order.start(follower)
    follower.open.clear()
    first = order.submit(said("first"))
    assert follower.under_way.wait(20)
    rest = [order.submit(said("x")) for _ in range(25)]
    follower.open.set()
    for submission in [first, *rest]:
        submission.wait()
    assert together_in(follower) == [1, 10, 10, 5]


def test_its_end_applies_what_was_handed_in_and_refuses_the_rest(order: Order, follower: Told) -> None:
    follower.open.clear()
    submissions = [order.submit(said(str(number))) for number in range(20)]
    closing = Running(order.close)

    def is_closing() -> bool:
        try:
            order.check_open()
        except RoomClosing:
            return True
        return False

    eventually(is_closing)
    with pytest.raises(RoomClosing):
        order.submit(said("too late"))
    assert not closing.is_done
    follower.open.set()
    closing.result()
    assert all(submission.done for submission in submissions)
    assert [texts(submission) for submission in submissions] == [[str(number)] for number in range(20)]


def test_who_wants_nothing_ordered_is_told_when_what_is_due_is_durable(order: Order, follower: Told) -> None:
    assert order.submit().wait() == []
    assert follower.flushes == 1


def test_marks_are_heard(order: Order, follower: Told) -> None:
    order.tell({"ana": (3, 2)})
    eventually(lambda: follower.marks == {"ana": (3, 2)})


def test_it_calls_when_something_is_due_and_asks_again_when_it_is_woken(
    make: Callable[..., Order], follower: Told
) -> None:
    follower.due.append(None)
    order = make()
    order.start(follower)
    eventually(lambda: not follower.due)
    follower.due.append(0.0)
    order.wake()
    eventually(lambda: follower.flushes)


class Stumbling(Told):
    """Stumbles over the group that has the text "trip"."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def apply(self, entries: Sequence[Entry]) -> Applied:
        if any("trip" in command.texts for entry in entries for command in entry.commands if isinstance(command, Post)):
            raise self.error
        return super().apply(entries)


@pytest.mark.parametrize("error", [KeyError("a defect"), SystemExit(1)])
def test_found_10_whatever_it_stumbles_over_it_goes_on_and_nobody_hangs(
    make: Callable[..., Order], error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    follower = Stumbling(error)
    order = make()
    order.start(follower)
    follower.open.clear()
    first = order.submit(said("first"))
    assert follower.under_way.wait(20)
    group = [order.submit(said("trip")), order.submit(said("with it"))]
    with caplog.at_level(logging.ERROR):
        follower.open.set()
        assert texts(first) == ["first"]
        for submission in group:
            with pytest.raises(LogUncertain, match="internal error"):
                submission.wait()
        assert texts(order.submit(said("after"))) == ["after"]
    assert any(record.exc_info for record in caplog.records)


def test_a_defect_where_an_outcome_is_taken_costs_nobody_else(
    order: Order, follower: Told, caplog: pytest.LogCaptureFixture
) -> None:
    follower.open.clear()
    order.submit(said("first"))
    assert follower.under_way.wait(20)
    bad, good = order.submit(said("bad")), order.submit(said("good"))
    bad.then(lambda: [][0])
    with caplog.at_level(logging.ERROR):
        follower.open.set()
        assert texts(good) == ["good"]
        assert texts(bad) == ["bad"]


@pytest.mark.promise(Promise.ONE_ORDER)
def test_two_rooms_that_are_told_the_same_are_the_same(make: Callable[..., Order]) -> None:
    """Whatever the order does with what several hand in: a follower elsewhere that reads the entries is equal."""
    entries: list[Entry] = []

    class Recorded(Applier):
        def apply(self, group: Sequence[Entry]) -> Applied:
            entries.extend(entry for entry in group if entry.number > (entries[-1].number if entries else 0))
            return super().apply(group)

    first = MemoryLog("lobby", "1b0a4b1e-0000-4000-8000-000000000000")
    room = Recorded(first, lambda members: 0.0, lambda transition: None)
    order = make()
    order.start(room)
    refused = threading.Event()

    def hand_in(number: int) -> None:
        order.submit(Open(f"s{number}", f"member {number % 3}", f"Member {number % 3}", SALT)).wait()
        for turn in range(15):
            try:
                order.submit(post(f"Member {number % 3}", [f"{number}"], [f"k{turn}"])).wait()
            except PyroChatError:
                refused.set()  # another session of the same member was quicker, with another text

    together([partial(hand_in, number) for number in range(6)])
    order.close()
    assert refused.is_set()
    second = MemoryLog("lobby", first.identity)
    other = Applier(second, lambda members: 0.0, lambda transition: None)
    for entry in json.loads(json.dumps([entry_to_wire(entry) for entry in entries])):
        other.apply([entry_from_wire(entry)])
    assert other.state == room.state
    assert second.tip == first.tip
    assert second.read(0, 1000) == first.read(0, 1000)
