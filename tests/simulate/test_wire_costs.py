"""What `python -m lab simulate costs --real` counts, and that it counts all of it."""

from __future__ import annotations

import pytest

from lab.simulate.wire_costs import AGREEMENT, BESIDE, EVENTS, MARKS, SUMMARIES, kinds_of, wire_costs
from pyrochat.core.graph.lamport import Mark
from pyrochat.core.graph.messages import Events, Join, Marks, Message
from pyrochat.core.graph.packing import pack_message


def pushed(*messages: Message, rows: object = ()) -> list[str]:
    """The kinds of a push of a totally ordered room."""
    return kinds_of("push", ["root", "who", [[1, True, True, pack_message(message)] for message in messages], rows])


def test_each_message_of_a_call_is_told_by_its_kind() -> None:
    mark = Mark("ana", 1, 0, 0, 0)
    assert pushed(Events(()), Marks((mark,))) == [EVENTS, MARKS]
    assert pushed(Join(1)) == [AGREEMENT]
    assert pushed(rows=[["room", "a", 1, ""]]) == [BESIDE]
    assert pushed() == [SUMMARIES]
    assert kinds_of("push", ["root", "who", [["event"]]]) == [EVENTS]
    assert kinds_of("exchange", ["root", "who", [], []]) == [SUMMARIES]


def test_a_message_in_pieces_is_one() -> None:
    first, last = [1, True, False, '["events",'], [1, False, True, "[]]"]
    assert kinds_of("push", ["root", "who", [first, last], []]) == [EVENTS]


@pytest.mark.parametrize("order", ["causal", "lamport"])
def test_calls_of_real_sites_are_counted_and_those_of_quiet_ones_apart(order: str) -> None:
    cost = wire_costs(order, 3, texts=10, rate=10.0, idle_seconds=1.5)
    assert cost.idle[SUMMARIES] > 0
    assert cost.idle[EVENTS] == cost.idle[MARKS] == 0
    assert cost.calls[EVENTS] > 0
    assert (cost.calls[MARKS] > 0) == (order == "lamport")
    assert sum(cost.calls.values()) <= cost.messages
    assert 0 < cost.p50_ms <= cost.p99_ms
