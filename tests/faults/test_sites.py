"""Faults on rooms without a server: what the checker finds, what is planned, and the short form of the proof."""

from __future__ import annotations

import pytest

from lab.faults.sites.bench import Bench, Settings
from lab.faults.sites.plan import Deaf, Kill, Split, Step, Stop, parted, plan
from lab.faults.sites.report import reported
from lab.faults.sites.sender import Sent
from lab.faults.sites.verdict import Episode, alone, anomalies, durations, gaps, late

ANA = ["ana-1 after nothing", "ana-2 after igor-1"]
IGOR = ["igor-1 after ana-1"]
LOG = [ANA[0], IGOR[0], ANA[1]]


def ok(text: str, begun: float = 0.0, ended: float = 0.1) -> Sent:
    return Sent(text, begun, ended, "ok")


SENT = [ok(text) for text in LOG]


def test_what_was_promised_is_no_anomaly() -> None:
    assert anomalies([LOG, LOG], SENT) == []
    meanwhile = ok("zoe-1 after nothing")
    assert anomalies([[*LOG, meanwhile.text], [meanwhile.text, *LOG]], [*SENT, meanwhile]) == []


def test_what_was_not_acknowledged_may_be_missing_but_not_come_twice() -> None:
    maybe = Sent("zoe-1 after nothing", 0, 1, "unknown")
    assert anomalies([LOG], [*SENT, maybe]) == []
    assert "1 twice" in anomalies([[*LOG, maybe.text, maybe.text]], [*SENT, maybe])[0]


@pytest.mark.parametrize(
    ("log", "found"),
    [
        (LOG[:2], "1 lost: ana-2"),
        ([*LOG, LOG[1]], "1 twice: igor-1"),
        ([*LOG, "eve-1 after nothing"], "1 from nowhere: eve-1"),
        ([LOG[1], LOG[0], LOG[2]], "1 before what it answers: igor-1"),
        ([*LOG, "zoe-2 after nothing", "zoe-1 after nothing"], "1 before what its sender said before: zoe-1"),
    ],
)
def test_an_anomaly_at_one_site_is_found(log: list[str], found: str) -> None:
    sent = SENT + [ok(text) for text in log if text.startswith("zoe")]
    said = anomalies([log], sent)
    assert any(found in one for one in said), said


def test_sites_with_different_texts_are_found() -> None:
    assert anomalies([LOG, LOG[:2]], [*SENT[:2], Sent(LOG[2], 0, 1, "unknown")]) == ["the sites have different texts"]


def episode(has_quorum: bool = True, of: tuple[int, ...] = ()) -> Episode:
    return Episode("split", ("split",), 10.0, 11.0, 15.0, 16.0, 18.0, has_quorum, frozenset(of))


def test_how_long_nothing_got_a_number_counts_from_the_last_fault_on_where_there_is_a_quorum() -> None:
    sent = [ok("a", 0, ended) for ended in (10.5, 13.0, 17.0)]
    assert [seconds for seconds, _ in gaps([episode()], sent)] == [4.0]
    assert gaps([episode(has_quorum=False)], sent) == []
    assert [seconds for seconds, _ in gaps([episode()], [])] == [7.0]


def test_what_got_a_number_without_a_quorum_is_found() -> None:
    split = episode(of=(3,))
    inside, before, after = ok("ana-1 x", 12, 13), ok("ana-2 x", 10, 12), ok("ana-3 x", 14, 17)
    assert len(alone([split], [(3, inside)])) == 1
    assert alone([split], [(3, before), (3, after), (2, inside)]) == []


def test_late_is_what_was_said_before_the_healing_and_shown_after_it() -> None:
    sent = [ok("a", 12, 13), ok("b", 16.5, 17)]
    shown = [{"a": 13.1, "b": 17.1}, {"a": 17.5, "b": 40.0}]
    assert late([episode()], sent, shown) == [1.5]
    assert late([episode()], sent, [{"b": 17.1}]) == [float("inf")]


def test_sends_at_a_site_that_was_away_meanwhile_are_not_timed() -> None:
    sent = [(0, ok("a", 1, 2)), (0, ok("b", 5, 7)), (1, ok("c", 5, 8))]
    assert durations(sent, [(0, 4, 6)]) == [1, 3]


def test_a_plan_is_its_seeds_and_has_as_many_faults_as_were_asked_for() -> None:
    assert list(plan(5, 200)) == list(plan(5, 200)) != list(plan(6, 200))
    assert sum(map(len, plan(5, 200))) == 200
    kinds = {type(step.fault) for episode in plan(5, 200) for step in episode}
    assert kinds == {Kill, Stop, Split, Deaf}
    assert {type(step.fault) for episode in plan(5, 50, 3, cuts=False) for step in episode} == {Kill, Stop}


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ([Kill(0), Stop(1)], (True, set())),
        ([Split((0, 1))], (True, {0, 1})),
        ([Split((0, 1)), Kill(0)], (True, {1})),
        ([Deaf(2, (0, 1, 3, 4))], (True, {2})),
        ([Deaf(0, (1,)), Deaf(1, (2,))], (True, set())),
        ([Kill(0), Kill(1), Kill(2)], (False, {3, 4})),
        ([Split((0, 3)), Split((1, 4))], (False, {0, 1, 2, 3, 4})),
        ([Split((0, 3)), Kill(1)], (False, {0, 2, 3, 4})),
    ],
)
def test_who_has_a_quorum_is_known(faults: list[Kill | Stop | Split | Deaf], expected: tuple[bool, set[int]]) -> None:
    assert parted([Step(fault, 1) for fault in faults], 5) == expected


def test_a_plan_has_times_when_no_part_has_a_quorum() -> None:
    splits = [[step.fault for step in steps] for steps in plan(5, 200)]
    parts = [faults for faults in splits if len(faults) == 2 and all(isinstance(fault, Split) for fault in faults)]
    assert parts
    for one, other in parts:
        assert isinstance(one, Split)
        assert isinstance(other, Split)
        assert len({*one.part, *other.part}) == 4


@pytest.mark.parametrize("order", ["causal", "lamport"])
def test_nothing_is_lost_by_sites_that_are_killed_and_stopped(order: str) -> None:
    settings = Settings(order, seed=11, faults=2, sites=3, senders=4, in_namespaces=False)
    with Bench(settings) as bench:
        result = bench.run(lambda done, what: None)
    report = reported(settings, result)
    assert not report.troubles
    figures = {
        what: is_kept for what, _, _, is_kept in report.figures if "send" not in what and "no number" not in what
    }
    assert all(figures.values()), report.figures  # times are for the command
    assert len(result.sent) > 0
