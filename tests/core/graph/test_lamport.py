"""Lamport's order inside one view: what is known, what is final, and on what others may rely."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrochat.core.graph.event import Event
from pyrochat.core.graph.lamport import Mark, Ordering, View

ROOM = b"room"
VIEW = View(1, ("a", "b", "c"))


def orderings(view: View = VIEW) -> dict[str, Ordering]:
    return {name: Ordering(name, view, ROOM) for name in view.members}


def say(ordering: Ordering, body: bytes = b"") -> Event:
    event = ordering.graph.make(body)
    ordering.receive([event], ordering.me)
    return event


def bodies(ordering: Ordering) -> list[bytes]:
    return [event.body for event in ordering.final]


class TestView:
    @pytest.mark.parametrize("size", range(1, 8))
    def test_any_two_quorums_meet_and_of_two_halves_one_is_a_quorum(self, size: int) -> None:
        view = View(1, tuple("abcdefg"[:size]))
        groups = [set(group) for n in range(size + 1) for group in itertools.combinations(view.members, n)]
        quorums = [group for group in groups if view.is_quorum(group)]
        assert all(one & other for one in quorums for other in quorums)
        assert all(view.is_quorum(group) != view.is_quorum(set(view.members) - group) for group in groups)

    def test_strangers_make_no_quorum_and_nobody_is_one_of_no_view(self) -> None:
        assert not VIEW.is_quorum(["a", "x", "y"])
        assert VIEW.is_quorum(["a", "b", "b"])
        assert not VIEW.is_quorum(["b", "b"])
        assert not View(0, ()).is_quorum(["a"])

    def test_no_two_views_have_one_root(self) -> None:
        views = [View(1, ("a", "bc")), View(1, ("ab", "c")), View(1, ("bc", "a")), View(2, ("a", "bc"))]
        roots = {view.root(room) for view in views for room in (ROOM, b"other")}
        assert len(roots) == 8

    def test_an_event_of_another_view_and_one_of_no_member_do_not_enter(self) -> None:
        old = say(Ordering("b", View(2, VIEW.members), ROOM))
        stranger = Event(VIEW.root(ROOM), "x", 1, 1, (), b"")
        ordering = Ordering("a", VIEW, ROOM)
        assert ordering.receive([old, stranger], "b").delivered == []


class TestOrder:
    def test_nothing_is_final_that_no_quorum_has(self) -> None:
        a, b, c = orderings().values()
        event = say(a, b"x")
        b.receive([event], "a")
        c.receive([event], "a")
        assert [a.frontier, b.frontier, c.frontier] == [0, 0, 0]
        marks = [ordering.mark() for ordering in (a, b, c)]
        assert marks == [Mark("a", 1, 1, 1, 0), Mark("b", 1, 0, 1, 0), Mark("c", 1, 0, 1, 0)]
        for ordering, mark in itertools.product((a, b, c), marks):
            ordering.heard(mark)
        assert (a.frontier, a.commit) == (1, 0)
        assert b.mark() == Mark("b", 1, 0, 1, 1)
        a.heard(b.mark())
        assert (a.commit, bodies(a)) == (0, []), "that is one of three"
        a.mark()
        assert bodies(a) == [b"x"]

    def test_the_order_is_that_of_clocks_then_sites(self) -> None:
        sites = orderings()
        events = [say(sites["c"], b"c1"), say(sites["c"], b"c2"), say(sites["a"], b"a1"), say(sites["b"], b"b1")]
        for ordering in sites.values():
            ordering.receive(events, "c")
        for _ in range(3):
            for one, other in itertools.permutations(sites.values(), 2):
                one.heard(other.mark())
        for ordering in sites.values():
            assert bodies(ordering) == [b"a1", b"b1", b"c1", b"c2"]

    def test_a_clock_counts_when_all_events_are_here_that_its_site_had_sent(self) -> None:
        a, b, _ = orderings().values()
        event = say(b)
        a.heard(Mark("c", 1, 0, 9, 0))
        a.heard(Mark("b", 1, 1, 7, 0))
        say(a)
        assert a.frontier == 0
        a.receive([event], "b")
        say(a)
        assert a.frontier == 2
        for _ in range(9):
            say(a)
        assert a.frontier == 7

    def test_a_newer_mark_whose_events_are_missing_does_not_replace_what_an_older_one_proved(self) -> None:
        a = Ordering("a", VIEW, ROOM)
        for _ in range(9):
            say(a)
        a.heard(Mark("c", 1, 0, 9, 5))
        a.heard(Mark("b", 1, 0, 6, 5))
        assert a.frontier == 6
        a.heard(Mark("b", 1, 3, 8, 6))
        assert a.frontier == 6
        a.heard(Mark("b", 1, 0, 5, 2))
        a.mark()
        assert a.commit == 6

    def test_nothing_is_final_beyond_the_own_frontier(self) -> None:
        a = Ordering("a", VIEW, ROOM)
        say(a, b"x")
        say(a, b"y")
        a.heard(Mark("b", 1, 0, 2, 2))
        a.heard(Mark("c", 1, 0, 1, 2))
        assert a.commit == 1
        assert bodies(a) == [b"x"]

    @pytest.mark.parametrize("mark", [Mark("b", 2, 0, 9, 9), Mark("x", 1, 0, 9, 9), Mark("a", 1, 0, 9, 9)], ids=repr)
    def test_marks_of_other_views_of_strangers_and_ones_own_are_not_heard(self, mark: Mark) -> None:
        a = Ordering("a", VIEW, ROOM)
        say(a)
        a.heard(Mark("c", 1, 0, 9, 9))
        a.heard(mark)
        assert (a.frontier, a.commit, list(a.marks)) == (0, 0, ["c"])

    @given(st.permutations([(clock, frontier) for clock, frontier in zip(range(1, 6), range(5), strict=True)]))
    def test_marks_may_come_in_any_order(self, marks: list[tuple[int, int]]) -> None:
        a = Ordering("a", VIEW, ROOM)
        for _ in range(9):
            say(a)
        commits = []
        for clock, frontier in marks:
            a.heard(Mark("b", 1, 0, clock, frontier))
            a.heard(Mark("c", 1, 0, clock, frontier))
            commits.append(a.commit)
        assert commits == sorted(commits)
        assert (a.frontier, a.commit, a.marks["b"]) == (5, 4, Mark("b", 1, 0, 5, 4))

    def test_who_is_frozen_announces_no_further_frontier(self) -> None:
        a = Ordering("a", VIEW, ROOM)
        say(a)
        a.heard(Mark("b", 1, 0, 1, 0))
        a.heard(Mark("c", 1, 0, 1, 0))
        a.is_frozen = True
        assert a.mark().frontier == 0
        a.is_frozen = False
        assert a.mark().frontier == 1

    def test_what_was_final_before_a_restart_is_final_after_it(self) -> None:
        a = Ordering("a", VIEW, ROOM)
        again = Ordering("a", VIEW, ROOM)
        events = [say(a, b"x"), say(a, b"y")]
        again.receive(events, "a")
        again.advance(1)
        assert bodies(again) == [b"x"]

    def test_a_cut_says_what_belongs_to_the_view(self) -> None:
        a, b, _ = orderings().values()
        events = [say(b, b"b1"), say(b, b"b2")]
        a.receive(events, "b")
        say(a, b"a1")
        assert a.has({"a": 1, "b": 2, "c": 0})
        assert not a.has({"b": 3})
        assert not a.has({"c": 1})
        assert [event.body for event in a.up_to({"a": 1, "b": 1})] == [b"b1", b"a1"]
