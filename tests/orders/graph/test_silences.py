"""What people are told of sites that fall silent together, and come back."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable

import pytest

from pyrochat.clock import monotonic
from pyrochat.orders.graph.silences import Silences

TICK_SECONDS = 1.0


class Timer(threading.Timer):
    """Goes off when a test says so."""

    is_set = False

    def start(self) -> None:
        self.is_set = True

    def cancel(self) -> None:
        self.is_set = False


class Told:
    """Silences, and what they have said; counts: the messages of each site."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._timers: list[Timer] = []
        self.counts = Counter[str]()
        self.silences = Silences(self._lines.append, self.counts.__getitem__, TICK_SECONDS, self._timer)

    def _timer(self, seconds: float, then: Callable[[], None]) -> Timer:
        timer = Timer(seconds, then)
        self._timers.append(timer)
        return timer

    def begin(self, *sites: str) -> None:
        for site in sites:
            self.silences.begin(site, site.title(), monotonic() - 30)

    def end(self, *sites: str) -> None:
        for site in sites:
            self.silences.end(site)

    def wait(self, ticks: int) -> None:
        """So many ticks pass."""
        due, self._timers = self._timers, []
        for timer in due:
            if timer.is_set and timer.interval <= ticks * TICK_SECONDS:
                timer.function()
            elif timer.is_set:
                self._timers.append(timer)

    @property
    def lines(self) -> list[str]:
        """What was said since this was asked last, without how long something was."""
        lines, self._lines[:] = [re.sub(r"after \d+ s", "after a while", line) for line in self._lines], []
        return lines


@pytest.fixture
def told() -> Told:
    return Told()


def test_of_a_split_one_line_says_who_is_away_and_one_that_they_are_back(told: Told) -> None:
    told.counts["igor"] = 7
    told.begin("zoe", "igor", "zoe")
    assert told.lines == []
    told.wait(1)
    assert told.lines == ["the sites Igor, Zoe are not heard of: what is said there comes when they are"]
    told.counts.update({"igor": 2, "zoe": 1})
    told.end("igor")
    assert told.lines == []
    told.end("zoe")
    assert told.lines == ["the sites Igor, Zoe are back after a while: 3 messages were written there meanwhile"]


def test_who_is_alone_away_is_said_to_be_back_at_once(told: Told) -> None:
    told.begin("zoe")
    told.wait(1)
    assert told.lines == ["the site Zoe is not heard of: what is said there comes when it is"]
    told.counts["zoe"] += 1
    told.end("zoe", "zoe")
    assert told.lines == ["the site Zoe is back after a while: 1 message was written there meanwhile"]


def test_one_who_stays_away_does_not_hold_up_what_is_said_of_the_others(told: Told) -> None:
    told.begin("igor", "zoe", "mia")
    told.wait(1)
    assert len(told.lines) == 1
    told.end("igor", "zoe")
    told.wait(4)
    assert told.lines == []
    told.wait(5)
    assert told.lines == ["the sites Igor, Zoe are back after a while: nothing was written there meanwhile"]


def test_who_was_back_for_a_moment_was_away_all_the_time(told: Told) -> None:
    told.begin("igor", "zoe")
    told.wait(1)
    assert len(told.lines) == 1
    told.counts["igor"] += 1
    told.end("igor")
    told.begin("igor")
    told.counts["igor"] += 1
    told.end("zoe", "igor")
    assert told.lines == ["the sites Igor, Zoe are back after a while: 2 messages were written there meanwhile"]


def test_nobody_is_told_of_a_silence_that_has_ended_by_then_or_at_the_end(told: Told) -> None:
    told.begin("zoe")
    told.end("zoe")
    told.wait(1)
    assert told.lines == []
    told.begin("mia")
    told.silences.close()
    told.wait(5)
    assert told.lines == []
