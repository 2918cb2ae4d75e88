"""The checker is silent on good histories, and finds each fault as exactly what it is."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lab.faults.checker import CHECKS, check
from lab.faults.events import OK, UNKNOWN
from lab.faults.history import SYSTEM, History
from tests.faults.good_histories import good_history
from tests.faults.injectors import INJECTORS, Injector
from tests.faults.scene import NoPlace, Scene

seeds = st.integers(min_value=0, max_value=1 << 32)


def told(history: History) -> list[str]:
    return [str(anomaly) for anomaly in check(history)]


@given(seeds)
@settings(max_examples=150)
def test_a_good_history_has_no_anomaly(seed: int) -> None:
    assert told(good_history(seed)) == []


@pytest.mark.parametrize(("kind", "inject"), INJECTORS, ids=lambda value: getattr(value, "__name__", value))
@given(seed=seeds)
@settings(max_examples=15)
def test_one_fault_is_found_as_exactly_its_kind(kind: str, inject: Injector, seed: int) -> None:
    history = good_history(seed)
    try:
        inject(Scene(history, seed))
    except NoPlace:
        assume(False)
    anomalies = check(history)
    assert {anomaly.kind for anomaly in anomalies} == {kind}, [str(anomaly) for anomaly in anomalies]
    assert all(anomaly.ids for anomaly in anomalies)


def test_every_kind_of_anomaly_has_an_injector() -> None:
    assert {kind for kind, _ in INJECTORS} == {check.kind for check in CHECKS}
    assert len({check.kind for check in CHECKS}) == len(CHECKS)


def test_good_histories_are_worth_their_name() -> None:
    """The generator makes what it says: else the silence above would mean nothing."""
    histories = [good_history(seed) for seed in range(20)]
    stored = {r.room + c.text for h in histories for r in h.replicas for c in r.contents}
    unknown = [s for h in histories for s in h.sends if s.outcome == UNKNOWN]
    assert any(s.room + s.text in stored for s in unknown)
    assert any(s.room + s.text not in stored for s in unknown)
    assert any(len(h.server_starts) > 2 for h in histories)
    assert any(len({r.room for r in h.replicas}) > 1 for h in histories)
    repeated = [h for h in histories if len({s.text for s in h.sends}) < len(h.sends)]
    assert repeated
    assert any(s.outcome == OK for h in repeated for s in h.sends)
    assert any(c.kind == SYSTEM and c.text.endswith("left") for h in histories for c in h.replicas[0].contents)
    assert any(answer.read_by for h in histories for answer in h.answers)


def test_nothing_counts_as_lost_where_no_replica_was_waited_for() -> None:
    history = good_history(3)
    scene = Scene(history, 3)
    scene.send("ana", "on its way", OK, scene.settled[0].end + 1)
    assert told(history)
    for replica in history.replicas:
        replica.complete = False
    assert told(history) == []
