"""Every row of the table is made by some kind of work."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.benchmarks.__main__ import WORKS, chosen_works
from lab.benchmarks.contestants import ALL, OTHERS, PEERS
from lab.benchmarks.peers.interface import PROMISES
from lab.benchmarks.plan import QUICK
from lab.benchmarks.report import BOUNDS, Report
from lab.benchmarks.work import hosting, remarks


@pytest.mark.parametrize("row", BOUNDS)
def test_a_row_chooses_its_work(row: str) -> None:
    assert len(chosen_works([row], quick=True)) == 1


def test_two_rows_of_one_work_run_it_once() -> None:
    assert chosen_works(["singles", "fan-out", "idle-cpu"], quick=True) == ["fan-out", "idle"]


def test_a_quick_run_leaves_out_what_has_no_row_or_takes_long() -> None:
    assert set(WORKS) - set(chosen_works([], quick=True)) == {"memory", "searching", "hosting"}
    assert chosen_works([], quick=False) == list(WORKS)


def test_the_peers_have_names_of_their_own_and_known_promises() -> None:
    assert len(PEERS) == len(ALL)
    assert set(OTHERS) < set(PEERS)
    assert all(set(peer.lacks) <= set(PROMISES) for peer in ALL)


def test_what_remarks_cost_is_measured() -> None:
    """The short form: that what is measured is what is said."""
    report = Report()
    remarks.run(replace(QUICK, rounds=1), report, lambda what: None, texts=500)
    [work] = report.samples
    assert work == "500 texts with 100 edits and reactions"
    for key in ("remarks-joining", "remarks-history", "remarks-current"):
        [value] = report.rows[key].values
        assert value > 0


def test_what_hosting_costs_is_measured() -> None:
    """The short form: that what is measured is what is said."""
    report = Report()
    hosting.run(replace(QUICK, rounds=2), report, lambda what: None, messages=50, rooms=3)
    [work] = report.samples
    assert work == "a server's start: 50 messages, 3 rooms"
    for key in ("start-log", "start-rooms", "rooms-memory"):
        assert len(report.rows[key].values) == 2
