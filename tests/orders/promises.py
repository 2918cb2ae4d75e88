"""What each order promises: docs/orders.md has the same table for people. It chooses the tests of the contract."""

from __future__ import annotations

import enum

import pytest


class Promise(enum.Enum):
    """The values are the beginnings of the rows in docs/orders.md."""

    DURABLE = "durable before acknowledged"
    CAUSES_FIRST = "causes before effects"
    ONE_ORDER = "the same ids, and one order, for all"
    EQUAL_SETS = "equal sets of messages"
    ONCE = "once"
    AUTHORS = "only the author edits and deletes"
    SENDERS = "a sender can't be forged"
    MINORITY_WAITS = "in a split: the minority waits"
    ALL_GO_ON = "in a split: all go on, in each part"


COMMON = {
    Promise.DURABLE, Promise.CAUSES_FIRST, Promise.EQUAL_SETS, Promise.ONCE, Promise.AUTHORS, Promise.SENDERS,
}  # fmt: skip
PROMISES: dict[str, set[Promise]] = {
    "local": COMMON | {Promise.ONE_ORDER},  # who can't reach the only server waits in its client: tests/client
    "cluster": COMMON | {Promise.ONE_ORDER, Promise.MINORITY_WAITS},
    "lamport": COMMON | {Promise.ONE_ORDER, Promise.MINORITY_WAITS},
    "causal": COMMON | {Promise.ALL_GO_ON},
}


def choose(metafunc: pytest.Metafunc, fixture: str, kinds: dict[str, str]) -> None:
    """Collect a test that uses *fixture* for those of *kinds* (name: its order) whose order promises what it is marked with."""
    if fixture not in metafunc.fixturenames:
        return
    wanted = {mark.args[0] for mark in metafunc.definition.iter_markers("promise")}
    names = [name for name, order in sorted(kinds.items()) if wanted <= PROMISES[order]]
    assert names, f"no order promises what {metafunc.definition.name} is about"
    metafunc.parametrize(fixture, names, indirect=True)
