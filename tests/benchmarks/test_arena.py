"""The suite in the small, in real processes."""

from __future__ import annotations

import os

import pytest

from lab.benchmarks.arena import Arena


@pytest.mark.parametrize("peer", ["pyrochat", "course", "floor"])
def test_every_text_reaches_every_member(peer: str) -> None:
    with Arena(peer, 3) as arena:
        found = arena.burst(40)
        assert (found.arrived, found.loss) == (120, 0)
        assert found.server_seconds > 0
        latencies = arena.paced(100.0, 0.1)
        assert len(latencies.to_last) == len(latencies.to_acknowledged) == 10
        assert min(latencies.to_last) > 0
        pids, folder = [arena.server_pid, arena.member_pid], arena.folder
    assert not folder.exists()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_posts_and_empty_calls_go_to_one_server() -> None:
    with Arena("empty-method") as arena:
        assert arena.posts(2, 0.2, "pyrochat").posts > 0
        assert arena.posts(2, 0.2).posts > 0
