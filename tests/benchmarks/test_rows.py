"""Every row of the table is made by some kind of work."""

from __future__ import annotations

import pytest

from benchmarks.__main__ import WORKS, chosen_works
from benchmarks.contestants import ALL, OTHERS, PEERS
from benchmarks.peers.interface import PROMISES
from benchmarks.report import BOUNDS


@pytest.mark.parametrize("row", BOUNDS)
def test_a_row_chooses_its_work(row: str) -> None:
    assert len(chosen_works([row], quick=True)) == 1


def test_two_rows_of_one_work_run_it_once() -> None:
    assert chosen_works(["singles", "fan-out", "idle-cpu"], quick=True) == ["fan-out", "idle"]


def test_a_quick_run_leaves_out_what_has_no_row_or_takes_long() -> None:
    assert set(WORKS) - set(chosen_works([], quick=True)) == {"memory", "searching"}
    assert chosen_works([], quick=False) == list(WORKS)


def test_the_peers_have_names_of_their_own_and_known_promises() -> None:
    assert len(PEERS) == len(ALL)
    assert set(OTHERS) < set(PEERS)
    assert all(set(peer.lacks) <= set(PROMISES) for peer in ALL)
