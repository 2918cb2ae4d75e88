"""The short form of the faults on three machines: on loopback, with fewer members."""

from __future__ import annotations

import time

from lab.faults.machines import crashes
from lab.faults.machines.bench import play
from lab.faults.machines.round import UP_SECONDS, Fault, Round
from lab.faults.machines.trio import Trio


def kill_one_and_all(round: Round) -> None:
    crashes.kill_server(round, away_seconds=1)
    round.trio.wait_until_back(time.monotonic_ns(), UP_SECONDS)
    crashes.kill_all(round)


def test_nothing_is_lost_on_three_machines() -> None:
    fault = Fault("deaths", "kill -9 a room server, and then everything", 60, kill_one_and_all)
    verdict = play(fault, 1, 7, lambda what: None, is_quick=True, senders=3, listeners=1)
    problems = [problem for problem in verdict.problems if "the bound is" not in problem]  # times are for the bench
    assert not problems
    assert not any(verdict.counts.values())
    assert verdict.same
    assert verdict.acknowledged > 0


def test_a_deleted_stream_is_made_anew() -> None:
    with Trio(in_namespaces=False) as trio:
        trio.start_machines()
        first, other, third = trio.machines
        assert "id" in trio.try_to_post(first)
        trio.wait_until_same()
        trio.administer("delete")
        assert trio.try_to_post(other)["code"] in ("log-unavailable", "log-uncertain")
        code, said = trio.operate(third, "rebuild", "lobby")
        assert (code, "made anew" in said) == (0, True), said
        assert "id" in trio.try_to_post(first)
        trio.wait_until_same()
        for machine in trio.machines:
            assert machine.end() == 0
