"""Every row of the table is made by some kind of work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lab.benchmarks.__main__ import WORKS, chosen_works
from lab.benchmarks.contestants import ALL, OTHERS, PEERS
from lab.benchmarks.logs import write_log, write_remarks
from lab.benchmarks.peers.interface import PROMISES
from lab.benchmarks.peers.pyrochat_peer import ROOM
from lab.benchmarks.plan import QUICK
from lab.benchmarks.report import BOUNDS, Report
from lab.benchmarks.work import hosting, remarks
from pyrochat.storage.log_file import log_path
from pyrochat.storage.verifying import verify_file


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


@pytest.mark.parametrize("write", [write_log, write_remarks])
def test_the_logs_that_are_measured_are_whole(write: Callable[[Path, int], None], tmp_path: Path) -> None:
    write(tmp_path, 50)
    _, verdict = verify_file(log_path(tmp_path / "data", ROOM), lambda done, total: None)
    assert verdict.damage is None
    assert verdict.whole_up_to >= 50


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
