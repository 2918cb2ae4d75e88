"""What stands beside the streams: it counts when a quorum has it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pyrochat.core.graph.disk import Row
from pyrochat.core.graph.lamport import View
from pyrochat.orders.lamport.board import PATIENCE_SECONDS, Board
from pyrochat.storage.member_disk import SqliteMemberDisk

VIEW = View(1, ("ana", "igor", "zoe"))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SqliteMemberDisk]:
    made = SqliteMemberDisk(tmp_path / "sites.sqlite3", "lobby")
    yield made
    made.close()


@pytest.fixture
def board(disk: SqliteMemberDisk) -> Board:
    return Board("igor", disk, VIEW.is_quorum)


def test_it_counts_when_a_quorum_has_answered(board: Board) -> None:
    counted: list[bool] = []
    answered = board.count(counted.append, 0.0)
    board.look(0.0)
    answered("somebody else")
    board.look(1.0)
    assert counted == []
    answered("zoe")
    board.look(1.0)
    board.look(9.0)
    assert counted == [True]


def test_who_waits_too_long_is_told_that_nobody_can_say(board: Board) -> None:
    counted: list[bool] = []
    board.count(counted.append, 1.0)
    assert board.due == 1.0 + PATIENCE_SECONDS
    board.look(board.due)
    assert counted == [False]
    assert board.due == float("inf")


def test_what_is_put_is_newer_than_what_stood_there_whatever_the_clock_says(
    board: Board, disk: SqliteMemberDisk
) -> None:
    assert board.keep([Row("room", "ana.recent", 50, b"first")])
    again = board.row("room", "ana.recent", b"second", time_us=7)
    assert board.keep([again]) == [again]
    assert not board.keep([Row("room", "ana.recent", 50, b"first")])
    assert Board("igor", disk, VIEW.is_quorum).rows["room", "ana.recent"].data == b"second"
