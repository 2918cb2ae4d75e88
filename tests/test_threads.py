"""Threads that live long go on, and what they say of what went wrong is bounded."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from pyrochat.threads import Defects, go_on

log = logging.getLogger("pyrochat.test")


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def steps(*outcomes: bool | BaseException) -> Callable[[], bool]:
    """Returns and raises what it is told to, one at each call."""
    left = list(outcomes)

    def step() -> bool:
        outcome = left.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    return step


@pytest.mark.parametrize("error", [KeyError("a race"), SystemExit(1), RecursionError(), MemoryError()])
def test_found_10_whatever_a_step_raises_the_next_one_is_taken(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    step = steps(error, True, error, error, error, True, False)
    go_on(step, "counting", Defects(log))
    assert [record.getMessage() for record in caplog.records] == ["an unexpected error in counting"] * 4
    assert all(record.exc_info for record in caplog.records)


def test_found_10_what_stumbles_often_does_not_hide_what_stumbles_elsewhere(caplog: pytest.LogCaptureFixture) -> None:
    defects = Defects(log, most=3)
    for _ in range(1000):
        defects.tell("a race", KeyError())
    defects.tell("another", KeyError())
    for step in (steps(ValueError(), False), steps(False)):
        go_on(step, "a race", defects)
    assert len(caplog.records) == 5


def test_found_10_a_few_are_told_with_their_tracebacks_and_of_the_others_how_many(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    defects = Defects(log, most=3, seconds=60.0, clock=clock)
    for _ in range(1000):
        defects.tell("a race", KeyError())
    assert len(caplog.records) == 3
    clock.now = 60.0
    defects.tell("a race", KeyError())
    assert [record.getMessage() for record in caplog.records[3:]] == [
        "unexpected errors in a race: 997 more like the next one were not told one by one",
        "an unexpected error in a race",
    ]
