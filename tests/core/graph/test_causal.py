"""The graph: whatever the network does, causes come before effects, and who has met has the same."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrochat.core.graph.anti_entropy import WANTED, Summary, has_lost_tail, missing, summary
from pyrochat.core.graph.causal import PARENTS, Fork, Graph, Refusal
from pyrochat.core.graph.event import Event
from tests.core.graph.sites import ROOT, SMALL_SHARE, Site, assert_causes_first, meet_all

NAMES = ["a", "b", "c", "d"]
which = st.integers(0, len(NAMES) - 1)
steps = st.lists(
    st.tuples(st.just("say"), which, which)
    | st.tuples(st.just("meet"), which, which)
    | st.tuples(st.just("arrive"), which, st.integers(0, 1 << 16)),
    max_size=60,
)


def play(sites: list[Site], steps: list[tuple[str, int, int]]) -> list[Event]:
    """What is said goes to all, and arrives in any order, twice, or never; returns what was said."""
    said: list[Event] = []
    for step, one, other in steps:
        site = sites[one]
        if step == "say":
            said.append(site.say(f"{len(said)}".encode()))
        elif step == "meet":
            site.meet(sites[other])
        elif said:
            event = said[other % len(said)]
            site.receive(event.site, event)
    return said


@given(steps)
def test_who_has_met_has_the_same_and_causes_come_first(steps: list[tuple[str, int, int]]) -> None:
    sites = [Site(name) for name in NAMES]
    said = play(sites, steps)
    meet_all(sites)
    for site in sites:
        assert set(site.events) == {event.id for event in said}
        assert_causes_first(site)
        assert not site.graph.forks
        assert len(site.graph.waiting) == site.graph.waiting.size == 0
        assert site.graph.heads.keys() == sites[0].graph.heads.keys()


@given(steps)
def test_a_site_that_starts_again_from_its_disk_is_the_same(steps: list[tuple[str, int, int]]) -> None:
    sites = [Site(name) for name in NAMES]
    play(sites, steps)
    for site in sites:
        again = Site(site.name)
        again.receive(site.name, *site.events.values())
        assert list(again.events) == list(site.events)
        assert again.graph.make(b"next") == site.graph.make(b"next")


@given(steps, st.lists(st.tuples(which, which), max_size=20))
def test_of_two_stories_all_learn_both_and_the_proof(
    steps: list[tuple[str, int, int]], meetings: list[tuple[int, int]]
) -> None:
    """A liar goes on from one state in two ways, and tells each half of the room another one."""
    sites = [Site(name) for name in NAMES]
    play(sites, steps)
    before = list(sites[0].events.values())
    twins = [Site("liar"), Site("liar")]
    for number, twin in enumerate(twins):
        twin.receive("a", *before)
        for story in range(3):
            event = twin.say(f"{number} {story}".encode())
            for site in sites[number::2]:
                site.receive("liar", event)
    for one, other in meetings:
        sites[one].meet(sites[other])
    meet_all(sites)
    everything = {id for twin in twins for id in twin.events}
    for site in sites:
        assert_causes_first(site)
        assert everything <= set(site.events) == set(sites[0].events)
        fork = site.graph.forks["liar"]
        first, second = site.events[fork.first], site.events[fork.second]
        assert (first.site, first.n) == (second.site, second.n)
        assert first.id != second.id


def test_a_fork_is_told_once() -> None:
    site, twins = Site("a"), [Site("liar"), Site("liar")]
    stories = [[twin.say(body), twin.say(body)] for twin, body in zip(twins, (b"yes", b"no"), strict=True)]
    assert site.receive("b", *stories[0]).forks == []
    assert site.receive("b", *stories[1]).forks == [Fork("liar", stories[0][0].id, stories[1][0].id)]
    assert site.receive("b", *stories[0], *stories[1]) == ([], [], [])


def test_what_was_received_again_changes_nothing() -> None:
    ana, igor = Site("ana"), Site("igor")
    said = [ana.say(b"%d" % number) for number in range(5)]
    igor.receive("ana", *said)
    assert igor.receive("ana", *said) == ([], [], [])
    assert igor.bodies() == [b"0", b"1", b"2", b"3", b"4"]
    late = ana.say(), ana.say()
    igor.receive("ana", late[1])
    size = igor.graph.waiting.size
    igor.receive("ana", late[1])
    assert (len(igor.graph.waiting), igor.graph.waiting.size) == (1, size)
    assert igor.receive("ana", late[0]).delivered == list(late)
    assert igor.graph.waiting.size == 0


class TestRefused:
    """Nothing of it is delivered, nor what comes after it; and the caller is told why."""

    def setup_method(self) -> None:
        self.ana, self.igor = Site("ana", ["ana", "igor"]), Site("igor")
        self.first = self.ana.say(b"first")
        self.igor.receive("ana", self.first)
        self.second = self.igor.say(b"second")

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"lamport": 1000}, Refusal.UNSOUND),
            ({"lamport": 1}, Refusal.UNSOUND),
            ({"n": 2}, Refusal.UNSOUND),
            ({"n": 0}, Refusal.UNSOUND),
            ({"parents": (), "lamport": 2}, Refusal.UNSOUND),
            ({"root": b"other" * 6}, Refusal.OTHER_ROOT),
            ({"site": "eve"}, Refusal.NOT_A_MEMBER),
        ],
    )
    def test_alone_and_with_what_follows(self, changes: dict[str, object], why: Refusal) -> None:
        wrong = replace(self.second, **changes)  # type: ignore[arg-type]
        child = Event(ROOT, "igor", 1, wrong.lamport + 1, (wrong.id,), b"")
        grandchild = Event(ROOT, "igor", 2, child.lamport + 1, (child.id,), b"")
        assert self.ana.receive("igor", wrong) == ([], [(wrong, why)], [])
        assert self.ana.receive("igor", grandchild, child) == ([], [], [])
        refused = self.ana.receive("igor", wrong).refused
        if why is Refusal.OTHER_ROOT:
            assert refused == [(wrong, why)]
        else:
            after = Refusal.AFTER_REFUSED
            assert refused == [(wrong, why), (child, after), (grandchild, after)]
            assert len(self.ana.graph.waiting) == 0
        assert self.ana.bodies() == [b"first"]

    def test_a_number_of_the_own_chain_can_not_be_left_out(self) -> None:
        third = self.igor.say(b"third")
        self.ana.receive("igor", self.second)
        wrong = replace(third, n=3)
        assert self.ana.receive("igor", wrong).refused == [(wrong, Refusal.UNSOUND)]
        assert self.ana.receive("igor", third).delivered == [third]

    def test_more_parents_than_a_room_can_have_heads(self) -> None:
        many = tuple(number.to_bytes(32, "big") for number in range(PARENTS + 1))
        wrong = Event(ROOT, "igor", 1, 2, many, b"")
        assert self.ana.receive("igor", wrong).refused == [(wrong, Refusal.UNSOUND)]
        assert len(self.ana.graph.waiting) == 0

    def test_who_may_write_is_asked_when_the_causes_are_here(self) -> None:
        """So that an event may say it: here the first of a site that another one has named before."""
        named: set[str] = {"ana"}
        graph = Graph("igor", ROOT, lambda event: event.site in named)
        ana, new = Site("ana"), Site("new")
        naming = ana.say(b"new")
        new.receive("ana", naming)
        first = new.say()
        assert graph.receive([first], "new").delivered == []
        named.add("new")
        assert graph.receive([naming], "ana").delivered == [naming, first]


class TestWaiting:
    """Parents that don't exist cost a bounded share of the memory, and the share of who has handed them over."""

    def flood(self, site: Site, events: int, giver: str = "liar") -> list[Event]:
        made = [Event(ROOT, "liar", n, n, (n.to_bytes(32, "big"),), b"x" * 50) for n in range(1, events + 1)]
        crowded_out = []
        for event in made:
            crowded_out += site.receive(giver, event).refused
            assert site.graph.waiting.size <= 3 * SMALL_SHARE
        assert {why for _, why in crowded_out} <= {Refusal.CROWDED_OUT}
        assert [event for event, _ in crowded_out] == made[: len(crowded_out)]
        return made[len(crowded_out) :]

    def test_the_newest_of_a_flood_stay(self) -> None:
        site = Site("a", share_bytes=SMALL_SHARE)
        kept = self.flood(site, 20_000)
        assert 10 < len(kept) == len(site.graph.waiting) < 40
        assert SMALL_SHARE / 2 < site.graph.waiting.size <= SMALL_SHARE

    def test_nobody_is_crowded_out_by_another(self) -> None:
        ana, site = Site("ana"), Site("a", share_bytes=SMALL_SHARE)
        first, second = ana.say(), ana.say()
        kept = self.flood(site, 2_000)
        site.receive("ana", second)
        assert len(site.graph.waiting) == len(kept) + 1
        self.flood(site, 2_000, "another liar")
        assert second.id in site.graph.waiting
        assert first.id in summary(site.graph).wanted
        assert site.receive("ana", first).delivered == [first, second]

    def test_nor_is_what_it_asks_for(self) -> None:
        ana, site = Site("ana"), Site("a")
        first, second, third = ana.say(), ana.say(), ana.say()
        for liar in "xyz":
            made = (Event(ROOT, liar, n, n, (liar.encode() + n.to_bytes(31, "big"),), b"") for n in range(WANTED))
            site.receive(liar, *made)
        site.receive("ana", third, second)
        wanted = summary(site.graph).wanted
        assert first.id in wanted
        assert second.id not in wanted
        assert len(wanted) <= WANTED

    def test_a_long_chain_that_waits_asks_for_what_its_first_event_lacks(self) -> None:
        """Of a forked site: there counts don't help."""
        ana, site = Site("ana"), Site("a")
        said = [ana.say(b"%d" % number) for number in range(2 * WANTED)]
        site.receive("liar", Event(ROOT, "ana", 1, 1, (), b"another story"))
        for other in "bcd":
            site.receive(other, Event(ROOT, "liar", 2, 2, (other.encode() * 32,), b""))
        site.receive("ana", *said[1:])
        assert said[0].id in summary(site.graph).wanted

    def test_what_was_crowded_out_comes_again(self) -> None:
        ana, site = Site("ana"), Site("a", share_bytes=SMALL_SHARE)
        said = [ana.say(b"x" * 100) for _ in range(200)]
        random.Random(1).shuffle(said)
        refused = [refusal for event in said for refusal in site.receive("ana", event).refused]
        assert len(refused) > 100
        meet_all([ana, site])
        assert list(site.events) == list(ana.events)
        assert site.graph.waiting.size == 0

    def test_an_event_that_fits_in_no_share_waits_for_nothing(self) -> None:
        site = Site("a", share_bytes=SMALL_SHARE)
        huge = Event(ROOT, "b", 2, 2, (b"p" * 32,), b"x" * SMALL_SHARE)
        assert site.receive("b", huge).refused == [(huge, Refusal.CROWDED_OUT)]
        assert site.graph.waiting.size == 0


class TestAntiEntropy:
    def test_what_is_missing_comes_in_causal_order_and_in_parts(self) -> None:
        sites = [Site(name) for name in NAMES]
        draw = random.Random(7)
        for _ in range(300):
            site = draw.choice(sites)
            site.say()
            site.meet(draw.choice(sites))
        meet_all(sites)
        new = Site("new")
        parts = 0
        while part := missing(sites[0].graph, summary(new.graph), most=50):
            assert len(part) <= 50
            receipt = new.receive("a", *(sites[0].events[id] for id in part))
            assert [event.id for event in receipt.delivered] == part
            parts += 1
        assert parts == 300 / 50
        assert set(new.events) == set(sites[0].events)

    @pytest.mark.parametrize(("count", "lacking"), [(-1, 2), (1 << 70, 0)])
    def test_impossible_counts_are_no_counts(self, count: int, lacking: int) -> None:
        ana = Site("ana")
        said = [ana.say().id, ana.say().id]
        assert missing(ana.graph, Summary({"ana": count, "nobody": 3}, ())) == said[:lacking]

    def test_heads_of_others_are_asked_for_by_their_hash(self) -> None:
        ana = Site("ana")
        theirs = Summary({}, (b"h" * 32,))
        assert summary(ana.graph).wanted == ()
        assert summary(ana.graph, theirs).wanted == (b"h" * 32,)

    def test_a_lost_tail_is_noticed_by_what_others_know(self) -> None:
        ana, igor = Site("ana"), Site("igor")
        first = ana.say()
        rebuilt = Site("ana")
        rebuilt.receive("ana", first)
        ana.say()
        igor.receive("ana", *ana.events.values())
        assert has_lost_tail(rebuilt.graph, summary(igor.graph))
        assert not has_lost_tail(ana.graph, summary(igor.graph))
        rebuilt.meet(igor)
        assert list(rebuilt.events) == list(ana.events)

    def test_who_makes_many_heads_stops_nobody(self) -> None:
        """A liar's chain begins many times; an event names as many heads as it may, and the next one goes on."""
        site, other = Site("a"), Site("b")
        site.receive("liar", *(Event(ROOT, "liar", 1, 1, (), b"%d" % number) for number in range(3 * PARENTS)))
        assert len(site.say().parents) == PARENTS
        assert len(site.graph.heads) == 2 * PARENTS + 1
        site.say()
        site.say()
        assert len(site.graph.heads) == 3
        meet_all([site, other])
        assert set(other.events) == set(site.events)
