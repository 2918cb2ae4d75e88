"""What peers make a server keep is bounded for all together, and who makes it keep the most pays."""

from __future__ import annotations

import logging

import pytest

from pyrochat.pyro.budget import MemoryBudget

KIB = 1024


class Peer:
    """A connection of *peer*; notes its end."""

    def __init__(self, peer: str = "192.0.2.1") -> None:
        self.peer = peer
        self.closed = False
        self.ended = False

    def abort(self) -> None:
        self.ended = True


def budget(kib: int) -> MemoryBudget:
    return MemoryBudget(kib * KIB, "things that nobody takes")


def test_found_3_within_the_budget_nobody_is_ended() -> None:
    kept, peers = budget(100), [Peer() for _ in range(10)]
    for since, peer in enumerate(peers):
        kept.keep(peer, 10 * KIB, since)
    assert kept.total == 100 * KIB
    assert not any(peer.ended for peer in peers)


def test_found_3_beyond_it_what_has_not_moved_for_longest_is_ended() -> None:
    kept, peers = budget(100), [Peer() for _ in range(12)]
    for since, peer in enumerate(peers):
        kept.keep(peer, 10 * KIB, since)
    assert [peer.ended for peer in peers] == [True] * 2 + [False] * 10
    kept.moved(peers[2], 100)
    kept.keep(Peer(), 10 * KIB, 101)
    assert [peer.ended for peer in peers[2:5]] == [False, True, False]
    assert kept.total == 100 * KIB


def test_found_3_the_peer_that_has_the_most_pays_and_not_the_one_that_has_waited_longest() -> None:
    kept, patient = budget(100), Peer("192.0.2.9")
    kept.keep(patient, 20 * KIB, 0)
    hostile = [Peer() for _ in range(10)]
    for since, peer in enumerate(hostile, 1):
        kept.keep(peer, 20 * KIB, since)
    assert not patient.ended
    assert [peer.ended for peer in hostile] == [True] * 6 + [False] * 4


def test_found_3_bytes_that_are_shared_are_kept_once() -> None:
    kept, peers = budget(100), [Peer() for _ in range(50)]
    for peer in peers:
        kept.keep(peer, 60 * KIB, 0, shared="a delivery")
    assert kept.total == 60 * KIB
    for peer in peers[1:]:
        kept.free(peer)
    assert kept.total == 60 * KIB
    kept.free(peers[0])
    assert kept.total == 0
    assert not any(peer.ended for peer in peers)


def test_found_3_whom_to_end_would_free_nothing_stays() -> None:
    kept, served, waiting = budget(100), Peer(), Peer()
    kept.keep(served, 90 * KIB, 0, may_end=False)
    kept.keep(waiting, 20 * KIB, 1)
    assert (served.ended, waiting.ended) == (False, True)
    kept.keep(served, 110 * KIB, 2, may_end=False)
    assert not served.ended


def test_found_3_what_was_kept_for_a_holder_is_replaced_and_little_does_not_count() -> None:
    kept, peer = budget(100), Peer()
    for size in (50, 80, 30):
        kept.keep(peer, size * KIB, 0)
        assert kept.total == size * KIB
    kept.keep(peer, 100, 0)
    assert kept.total == 0


def test_found_3_nothing_is_kept_for_who_is_closed_whoever_says_so_later() -> None:
    kept, peer = budget(100), Peer()
    kept.keep(peer, 50 * KIB, 0)
    peer.closed = True
    kept.forget(peer)
    kept.keep(peer, 50 * KIB, 0)
    assert kept.total == 0


def test_found_3_that_somebody_was_ended_is_said_but_not_a_thousand_times(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    kept = budget(100)
    for since in range(1000):
        kept.keep(Peer(), 20 * KIB, since)
    assert [record.getMessage() for record in caplog.records] == [
        "things that nobody takes: more than 0 MiB for all peers together, so those that keep the most are closed (1)"
    ]
