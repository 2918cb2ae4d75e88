"""Deliveries as they come off the wire: checked, and shared by the members of this process.

A room sends the same bytes to all members that are at the same place. Where several of them live in one
process (bots, notebooks, tests), `pyro.callbacks` reads the bytes once and gives the same lists to all;
here they become messages once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pyrochat.values.errors import InvalidArgument
from pyrochat.values.message import SYSTEM, Message, messages_from_wire
from pyrochat.values.rules import fold

__all__ = ["Delivery", "read_delivery"]

Marks = Mapping[str, tuple[int, int]]
"""By folded name: delivered, read."""


class Delivery(NamedTuple):
    """messages: in order, without a gap. changes: those of them that tell of joins and leaves. marks: that have moved."""

    messages: list[Message]
    changes: list[Message]
    marks: Marks


_recent: deque[tuple[object, object, Delivery]] = deque(maxlen=4)  # for the one thread that serves callbacks


def read_delivery(rows: Sequence[Sequence[object]], marks: Sequence[Sequence[object]]) -> Delivery:
    """The delivery that *rows* and *marks* are; raises InvalidArgument."""
    for known_rows, known_marks, delivery in _recent:
        if known_rows is rows and known_marks is marks:
            return delivery
    messages = messages_from_wire(rows)
    if not isinstance(marks, list | tuple):
        raise InvalidArgument("not a list of marks")
    moved: dict[str, tuple[int, int]] = {}
    for mark in marks:
        match mark:
            case [str(name), int(delivered), int(read)]:
                moved[fold(name)] = (delivered, read)
            case _:
                raise InvalidArgument("not a mark: expected [name, delivered, read]")
    delivery = Delivery(messages, [message for message in messages if message.kind == SYSTEM], moved)
    _recent.appendleft((rows, marks, delivery))
    return delivery
