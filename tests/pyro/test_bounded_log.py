"""What is said of others is bounded, in all and for each; what was left out is counted."""

from __future__ import annotations

import logging

import pytest

from pyrochat.pyro.bounded_log import BoundedLog

log = logging.getLogger("pyrochat.test")


def test_found_31_each_is_told_so_often_and_all_so_often_and_the_rest_is_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = [0.0]
    bounded = BoundedLog(log, most_each=2, most=5, seconds=60, clock=lambda: now[0])
    with caplog.at_level(logging.INFO):
        for _ in range(100):
            bounded.tell("joins", "ana", "%s joined", "Ana")
        for number in range(100):
            bounded.tell("joins", f"bot{number}", "%s joined", f"bot{number}")
        bounded.tell("leaves", "ana", "%s left", "Ana")
        said = ["Ana joined", "Ana joined", "bot0 joined", "bot1 joined", "bot2 joined", "Ana left"]
        assert caplog.messages == said
        now[0] = 60.0
        bounded.tell("leaves", "ana", "%s left", "Ana")
        assert caplog.messages == [*said, "joins: 195 more were not told one by one", "Ana left"]


def test_found_31_what_a_stranger_sends_makes_no_second_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        BoundedLog(log).tell("refusals", "peer", "refused %s", "a\nb\x1b[2J\udcff")
    assert caplog.messages == [
        "refused a\N{REPLACEMENT CHARACTER}b" + "\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}"
    ]
