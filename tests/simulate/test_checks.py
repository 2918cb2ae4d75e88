"""The checkers can tell: a run that went well, in which something is changed afterwards, is none any more."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.simulate import causal, lamport
from lab.simulate.causal import CausalRun, Site
from lab.simulate.lamport import LamportRun
from lab.simulate.simulation import Anomaly
from pyrochat.core.graph.causal import Fork, Receipt
from pyrochat.core.graph.event import Event
from pyrochat.core.graph.lamport import View
from pyrochat.core.graph.messages import Text


def forget_an_event(run: CausalRun) -> None:
    site = run.sites[run.names[1]]
    del site.events[site.disk.pop().id]


def forget_it_everywhere(run: CausalRun) -> None:
    event = next(event for event in reversed(run.sites[run.names[0]].disk) if event.id in run.required)
    for site in run.sites.values():
        site.disk.remove(event)
        del site.events[event.id]


def swap_on_disk(run: CausalRun) -> None:
    disk = run.sites[run.names[0]].disk
    disk[-1], disk[-2] = disk[-2], disk[-1]


def lose_the_proof(run: CausalRun) -> None:
    run.sites[run.names[0]].graph.forks.clear()


def prove_it_with_one_story(run: CausalRun) -> None:
    forks = run.sites[run.names[0]].graph.forks
    [fork] = forks.values()
    forks[fork.site] = Fork(fork.site, fork.first, fork.first)


def fork_an_honest_chain(run: CausalRun) -> None:
    for site in run.sites.values():
        event = next(event for event in run.sites[run.names[0]].disk if event.site != causal.LIAR)
        twin = Event(event.root, event.site, event.n, event.lamport, event.parents, b"another")
        site.disk += site.take_in([twin], event.site)


def wait_for_ever(run: CausalRun) -> None:
    graph = run.sites[run.names[0]].graph
    for number in range(20):
        giver = f"{number}"
        body = b"x" * (causal.SHARE_BYTES - 2_000)
        graph.receive([Event(causal.ROOM, giver, 2, 2, (giver.encode().rjust(32),), body)], giver)


@pytest.fixture(scope="module")
def liars_seed() -> int:
    return next(seed for seed in range(100) if CausalRun(seed).has_liar)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (forget_an_event, "sets differ"),
        (forget_it_everywhere, "lost"),
        (swap_on_disk, "retracted"),
        (lose_the_proof, "fork not proved"),
        (prove_it_with_one_story, "fork not proved"),
        (fork_an_honest_chain, "honest site forked"),
        (wait_for_ever, "waiting"),
    ],
)
def test_a_change_in_a_causal_room_is_seen(change: Callable[[CausalRun], None], kind: str, liars_seed: int) -> None:
    run = CausalRun(liars_seed)
    run.play()
    run.check()
    change(run)
    with pytest.raises(Anomaly) as raised:
        run.check()
    assert raised.value.kind == kind
    assert kind in causal.ANOMALIES


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"site": causal.STRANGER, "n": 1}, "no member"),
        ({"lamport": 1_000}, "inflated clock"),
        ({"parents": (b"p" * 32,)}, "effect before cause"),
    ],
)
def test_what_a_graph_must_not_deliver_is_seen(changes: dict[str, object], kind: str) -> None:
    site = Site("a")
    fields = {"root": causal.ROOM, "site": "b", "n": 1, "lamport": 1, "parents": (), "body": b"", **changes}
    event = Event(**fields)  # type: ignore[arg-type]
    site.graph.receive = lambda events, giver: Receipt(list(events), [], [])  # type: ignore[method-assign]
    with pytest.raises(Anomaly) as raised:
        site.take_in([event], "b")
    assert raised.value.kind == kind


@pytest.fixture
def good_run() -> LamportRun:
    run = LamportRun(1)
    run.play()
    assert not run.is_stuck
    run.check_order()
    return run


def texts_of(run: LamportRun) -> list[str]:
    return [entry.key for entry in run.order if isinstance(entry, Text)]


def lose(run: LamportRun) -> None:
    run.required["s0-9999"] = "s0"


def turn_round(run: LamportRun) -> None:
    run.seen = dict(reversed(run.seen.items()))


def say_too_early(run: LamportRun) -> None:
    run.seen[texts_of(run)[0]] = len(run.order)


def answer_too_early(run: LamportRun) -> None:
    first, *_, last = texts_of(run)
    run.pending[first] = (last,)


def skip_a_view(run: LamportRun) -> None:
    place = next(place for place, entry in enumerate(run.order) if isinstance(entry, View) and entry.number == 2)
    run.order[place] = View(9, ())


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lose, "lost"),
        (turn_round, "not in its author's order"),
        (say_too_early, "before what its author had seen"),
        (answer_too_early, "before what its author had seen"),
        (skip_a_view, "views not consecutive"),
    ],
)
def test_a_change_in_an_order_is_seen(good_run: LamportRun, change: Callable[[LamportRun], None], kind: str) -> None:
    change(good_run)
    with pytest.raises(Anomaly) as raised:
        good_run.check_order()
    assert raised.value.kind == kind
    assert kind in lamport.ANOMALIES


def test_what_a_site_shows_otherwise_or_no_more_or_twice_is_seen(good_run: LamportRun) -> None:
    name = good_run.names[0]
    member = good_run.members[name]
    for site in member.view.members:
        good_run.disks[site].held |= {"new", "another"}
    member.open.numbered.append(Text("new", b""))
    good_run.look(name)
    member.open.numbered.append(Text("new", b""))
    with pytest.raises(Anomaly, match=r"^twice: new"):
        good_run.look(name)
    del member.open.numbered[-2:]
    with pytest.raises(Anomaly, match=r"^retracted: "):
        good_run.look(name)
    other = good_run.names[1]
    good_run.members[other].open.numbered.append(Text("another", b""))
    with pytest.raises(Anomaly, match=r"^orders differ: "):
        good_run.look(other)


def test_a_number_without_a_quorum_is_seen(good_run: LamportRun) -> None:
    name = good_run.names[0]
    good_run.disks[name].held.add("new")
    good_run.members[name].open.numbered.append(Text("new", b""))
    with pytest.raises(Anomaly, match=r"^no quorum has it: new"):
        good_run.look(name)


def test_texts_that_get_no_numbers_are_no_progress(good_run: LamportRun) -> None:
    good_run.network.drop = 1.0
    good_run.say(good_run.names[0])
    with pytest.raises(Anomaly, match=r"^no progress: "):
        good_run.settle()
