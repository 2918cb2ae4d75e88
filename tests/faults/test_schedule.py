"""A schedule depends on its seed, and on nothing else."""

from __future__ import annotations

import itertools

from lab.faults.schedule import EVERYBODY, KINDS, rounds


def test_a_seed_gives_the_same_schedule_again() -> None:
    def first(seed: int) -> list[object]:
        return list(itertools.islice(rounds(seed, 8), 50))

    assert first(1) == first(1)
    assert first(1) != first(2)


def test_every_kind_of_fault_comes_up_within_its_bounds() -> None:
    kinds = {kind.name: kind for kind in KINDS}
    faults = [fault for round in itertools.islice(rounds(3, 8), 500) for fault in round.faults]
    assert {fault.kind for fault in faults} == set(kinds)
    for fault in faults:
        kind = kinds[fault.kind]
        assert kind.least <= fault.seconds <= kind.most
        assert fault.target in range(8) or (fault.target == EVERYBODY and kind.can_target_all)


def test_faults_of_a_round_differ_and_overlap() -> None:
    several = [round for round in itertools.islice(rounds(4, 8), 200) if len(round.faults) > 1]
    assert several
    assert all(len({fault.kind for fault in round.faults}) == len(round.faults) for round in several)


def test_faults_that_take_the_server_never_overlap() -> None:
    takes_server = {kind.name for kind in KINDS if kind.takes_server}
    for round in itertools.islice(rounds(5, 8), 500):
        assert sum(fault.kind in takes_server for fault in round.faults) <= 1
