"""A site of a totally ordered room: numbers, ends of views, restarts, what is carried over."""

from __future__ import annotations

import pytest

from lab.simulate.variants import HastyMember
from pyrochat.core.graph.closed_log import ClosedLog
from pyrochat.core.graph.lamport import View
from pyrochat.core.graph.member import Member
from pyrochat.core.graph.messages import Accept, Decided, Events, Join, LogPart, Message, Prepare, Said, Text, Tick
from tests.core.graph.members import ROOM, Group


def test_all_have_one_order() -> None:
    group = Group("abc")
    for key in ("1", "2", "3"):
        for name in "cab":
            group.say(name, name + key)
    group.run(3)
    assert group.log("a") == group.log("b") == group.log("c")
    assert sorted(group.log("a")[1:]) == sorted(name + key for name in "abc" for key in "123")


def test_a_text_is_written_down_before_it_is_sent_and_counts_once() -> None:
    group = Group("ab")
    group.say("a", "x")
    group.say("a", "x")
    group.run(3)
    group.say("a", "x")
    group.run(3)
    assert group.log("b") == ["ab", "x"]
    assert len(group.members["b"].ordering.events) == 1
    assert [record for record in group.disks["a"] if isinstance(record, Said)] == [Said(Text("x", b"x"))]


def test_of_two_events_of_a_text_the_first_counts() -> None:
    member = Member("a", ROOM, ClosedLog([View(1, ("a",))]))
    for _ in range(2):
        member.open.publish(member.open.make(Text("x", b"")), b"")
        member.tick((), False)
        member.take()
    assert len(member.ordering.final) == 2
    assert member.open.numbered == [Text("x", b"")]


def test_the_signature_is_of_the_events_id() -> None:
    member = Member("a", ROOM, ClosedLog([View(1, ("a", "b"))]), sign=lambda id: b"signed " + id)
    member.say(Text("x", b""))
    [(_, _, message)] = member.take()[1]
    assert isinstance(message, Events)
    assert message.events[0].signature == b"signed " + message.events[0].id


@pytest.mark.parametrize("body", [b"", b"\0", b"\0\0\0\xff", b"\0\0\0\1\xff", b"\xff" * 9])
def test_any_body_is_a_text(body: bytes) -> None:
    assert isinstance(Text.unpack(body).key, str)
    assert Text.unpack(Text("ola ü", body).pack()) == Text("ola ü", body)


class TestEndOfAView:
    def test_who_is_suspected_by_the_eldest_is_out_and_the_others_go_on(self) -> None:
        group = Group("abc")
        group.stop("c")
        group.say("b", "x")
        group.run(3)
        assert group.log("b") == ["abc"]
        group.run(3, suspected="c")
        assert group.log("a") == group.log("b") == ["abc", "x", "ab"]
        group.say("b", "y")
        group.run(3)
        assert group.log("a") == ["abc", "x", "ab", "y"]

    def test_a_minority_waits_and_is_not_frozen(self) -> None:
        group = Group("abc")
        group.stop("a")
        group.stop("b")
        group.say("c", "x")
        group.run(5, suspected="ab")
        assert group.log("c") == ["abc"]
        assert not group.members["c"].ordering.is_frozen

    def test_nobody_suspects_themselves(self) -> None:
        member = Group("abc").members["a"]
        member.tick("abc", True)
        assert not member.ordering.is_frozen

    def test_a_half_goes_on_with_the_eldest_only(self) -> None:
        group = Group("ab")
        eldest = group.members["a"]
        group.stop("a")
        group.say("b", "x")
        group.run(5, suspected="a")
        assert group.log("b") == ["ab"]
        group.members = {"a": eldest}
        group.run(5, suspected="b")
        assert group.log("a") == ["ab", "a"]

    def test_who_comes_back_is_let_in_with_what_it_had_said(self) -> None:
        group = Group("abc")
        away = group.members.pop("c")
        group.run(3, suspected="c")
        group.members["c"] = away
        group.say("c", "x")
        group.run(6)
        assert group.log("c") == group.log("a") == ["abc", "ab", "abc", "x"]

    def test_all_who_wait_come_in_at_once(self) -> None:
        group = Group("ab")
        group.say("a", "x")
        group.run(3)
        for name in "cde":
            group.start(name, [])
        group.run(6)
        for name in "abcde":
            assert group.log(name) == ["ab", "x", "abcde"]

    def test_the_events_of_the_cut_come_with_what_is_to_be_accepted(self) -> None:
        """They have come to one only, and its author is gone."""
        group = Group("abcde")
        group.alter = lambda sender, site, message: message if site == "d" or not isinstance(message, Events) else None
        group.say("e", "x")
        group.run(0)
        group.stop("e")
        group.run(1, suspected="e", turns=False)
        for name in "abcd":
            assert group.log(name) == ["abcde", "x", "abcd"]

    @pytest.mark.parametrize("names", ["abcde", "abcdefg"])
    def test_an_attempt_that_waits_for_a_silent_site_is_not_overtaken(self, names: str) -> None:
        """One is suspected, another silent and not suspected yet; at each tick it is everybody's turn."""
        group = Group(names)
        for name in names[-2:]:
            group.stop(name)
        group.run(2, suspected=names[-1])
        for name in names[:-2]:
            assert group.log(name) == [names, names[:-1]]

    def test_an_attempt_of_which_nothing_comes_any_more_is_followed_by_another(self) -> None:
        """What was to be accepted is lost, and is said once only."""
        group = Group("abcde")
        group.stop("e")
        group.alter = lambda sender, site, message: None if isinstance(message, Accept) else message
        group.run(2, suspected="e")
        group.alter = lambda sender, site, message: message
        group.run(3, suspected="e")
        for name in "abcd":
            assert group.log(name) == ["abcde", "abcd"]

    def test_a_part_of_the_log_that_does_not_follow_is_not_taken(self) -> None:
        group = Group("abc")
        group.members["a"].receive("b", 5, LogPart(7, (View(5, ("b",)),)))
        assert group.log("a") == ["abc"]

    def test_what_missed_the_cut_is_carried_over_by_who_holds_it_before_its_answer(self) -> None:
        """The author is gone, and its text came to two only, after they had promised."""
        group = Group("abcde")
        author = group.members.pop("e")
        author.say(Text("question", b""))
        [question] = {message for _, _, message in author.take()[1]}
        group.alter = lambda sender, site, message: None if isinstance(message, Decided | LogPart) else message
        group.run(1, suspected="e")
        for name in "cd":
            late = group.members[name]
            assert late.ordering.is_frozen
            assert late.view.number == 1
            late.receive("e", 1, question)
        late.say(Text("answer", b""))
        group.alter = lambda sender, site, message: message
        group.run(6)
        carried = [event for event in group.members["a"].ordering.events.values() if b"question" in event.body]
        assert {event.site for event in carried} == {"c", "d"}
        assert group.log("a") == ["abcde", "abcd", "question", "answer"]

    def test_who_starts_again_is_frozen_still(self) -> None:
        group = Group("abc")
        group.alter = lambda sender, site, message: None if isinstance(message, Accept) else message
        group.run(1, suspected="c")
        assert group.members["b"].ordering.is_frozen
        again = group.start("b")
        assert again.ordering.is_frozen
        group.say("b", "x")
        assert not again.ordering.events
        group.alter = lambda sender, site, message: message
        group.run(4, suspected="c")
        assert group.log("a") == group.log("b") == ["abc", "ab", "x"]

    def test_a_view_is_not_ended_without_its_events(self) -> None:
        group = Group("abc")
        group.alter = lambda sender, site, message: None if isinstance(message, Events) and site == "b" else message
        group.say("a", "x")
        group.alter = lambda sender, site, message: (
            None if site == "b" and not isinstance(message, Decided) else message
        )
        group.run(1, suspected="b")
        assert group.log("a") == ["abc", "x", "ac"]
        assert group.log("b") == ["abc"]

    @pytest.mark.parametrize("member_class", [Member, HastyMember])
    def test_a_view_is_not_accepted_without_its_cut(self, member_class: type[Member]) -> None:
        """The events of what is to be accepted are lost on the way. Who decides it, and has them, crashes; the others find
        what they have accepted, and end the view with what they have: another one. So nobody accepts it."""

        def lose(sender: str, site: str, message: Message) -> Message | None:
            if isinstance(message, Accept):
                return message._replace(events=())
            return None if isinstance(message, Events | Decided | LogPart) else message

        group = Group("abcde", member_class)
        author = group.members.pop("e")
        author.say(Text("x", b""))
        for _, number, message in author.take()[1][:1]:
            group.members["a"].receive("e", number, message)
        group.alter = lose
        for name in "abcd":
            group.members[name].tick({"e"}, name == "a")
        group.run(0)
        decided = group.log("a")
        group.stop("a")
        group.alter = lambda sender, site, message: message
        group.run(6, suspected="ae")
        end = len(decided)
        assert group.log("b") == group.log("c")
        if member_class is Member:
            assert decided == ["abcde"]
            assert group.log("b") == ["abcde", "bcd"]
        else:
            assert decided == ["abcde", "x", "abcd"]
            assert group.log("b")[:end] != decided, "the broken rule is found"


class TestRestart:
    def test_the_numbers_are_there_again_at_once(self) -> None:
        group = Group("abc")
        for key in ("x", "y"):
            group.say("a", key)
        group.run(3)
        before = group.log("b")
        assert len(before) == 3
        group.start("b")
        assert group.log("b") == before

    def test_what_had_no_number_yet_gets_one(self) -> None:
        group = Group("abc")
        group.alter = lambda sender, site, message: None
        group.say("a", "x")
        group.run(2)
        group.alter = lambda sender, site, message: message
        group.start("a")
        group.run(3)
        assert group.log("b") == ["abc", "x"]

    def test_after_a_view_has_ended_only_what_follows_is_needed(self) -> None:
        group = Group("abc")
        group.say("a", "x")
        group.run(3)
        group.run(3, suspected="c")
        group.say("a", "y")
        group.run(3, suspected="c")
        before = group.log("a")
        group.start("a")
        assert group.log("a") == before == ["abc", "x", "ab", "y"]

    @pytest.mark.parametrize("message", [Tick, Prepare])
    def test_who_has_lost_what_it_had_said_takes_part_in_nothing_any_more(self, message: type[Message]) -> None:
        group = Group("abc")
        group.say("c", "x")
        group.run(1)
        group.disks["c"].clear()
        again = group.start("c")
        kinds = (message, Prepare, Accept)
        group.alter = lambda sender, site, heard: None if site == "c" and not isinstance(heard, kinds) else heard
        if message is Prepare:
            group.members["a"].joining.add("d")
            group.members["a"].tick((), False)
        group.run(0 if message is Prepare else 1)
        assert again.has_lost_tail
        assert not again.ordering.is_frozen
        group.alter = lambda sender, site, heard: heard
        group.say("c", "y")
        group.run(3)
        assert again.take() == ([], [])
        assert not again.ordering.events
        group.run(3, suspected="c")
        assert group.log("a") == group.log("b")
        assert group.log("a")[:3] == ["abc", "x", "abcd" if message is Prepare else "ab"]

    def test_who_has_lost_what_it_had_said_says_nothing_else_in_its_place(self) -> None:
        group = Group("abc")
        group.say("c", "x")
        group.run(1)
        group.disks["c"].clear()
        group.asks_first = True
        again = group.start("c")
        group.alter = lambda sender, site, heard: None if site == "c" else heard
        group.say("c", "y")
        group.run(2)
        assert not again.ordering.events
        group.alter = lambda sender, site, heard: heard if isinstance(heard, Tick) else None
        group.run(1)
        assert again.has_lost_tail
        assert not again.ordering.events
        assert not group.members["a"].ordering.graph.forks

    def test_who_is_told_of_an_event_of_its_own_has_lost_it(self) -> None:
        """It has said something else in its place: how many there are shows nothing."""
        group = Group("abc")
        group.say("c", "x")
        group.run(1)
        group.disks["c"].clear()
        again = group.start("c")
        group.say("c", "y")
        assert len(again.ordering.events) == 1
        group.members["a"].tick((), False)
        again.receive("a", 1, Events(tuple(group.members["a"].ordering.events.values())))
        assert again.has_lost_tail

    def test_a_whole_group_comes_back(self) -> None:
        group = Group("abc")
        group.say("a", "x")
        group.run(1)
        group.asks_first = True
        for name in "abc":
            group.start(name)
        group.run(3)
        assert [group.log(name) for name in "abc"] == [["abc", "x"]] * 3


def test_whoever_leaves_is_in_no_further_view_and_the_other_needs_it_no_more() -> None:
    group = Group("ab")
    group.alter = lambda sender, site, message: None if isinstance(message, Join) else message
    group.run(2)
    for name in "ab":
        group.members[name].tick((), True, (), ["a"])
    group.run(2)
    assert group.members["b"].view.members == ("b",)
    group.stop("a")
    group.say("b", "alone")
    group.run(2, suspected="a")
    assert group.log("b")[-1] == "alone"


def test_the_last_one_stays_in_the_view_when_it_leaves() -> None:
    group = Group("a")
    group.members["a"].tick((), True, (), ["a"])
    group.run(2)
    assert group.members["a"].view.number == 1


def test_a_member_of_whose_view_nobody_is_there_any_more_hears_of_the_next_from_others() -> None:
    group = Group("ab")
    group.run(2)
    away = group.members.pop("b")
    group.run(6, suspected="b")
    group.start("c", [])
    group.run(6, suspected="b")
    assert group.members["c"].view.members == ("a", "c")
    group.members["c"].tick((), True, (), ["a"])
    group.members["a"].tick((), True, (), ["a"])
    group.run(4, suspected="ab")
    group.stop("a")
    group.run(4, suspected="ab")
    group.members["b"] = away
    group.run(8, suspected="a")
    assert set(away.view.members) == {"b", "c"}


class Brief(Member):
    """Views of three events."""

    most_events = 3


def test_a_view_that_has_become_long_is_followed_by_the_next_with_the_same_members() -> None:
    group = Group("abc", Brief)
    for number in range(9):
        group.say("abc"[number % 3], f"{number}")
        group.run(4)
    assert {member.view.members for member in group.members.values()} == {("a", "b", "c")}
    assert group.members["a"].view.number > 3
    assert group.log("a") == group.log("b") == group.log("c")
    assert [key for key in group.log("a") if key != "abc"] == [f"{number}" for number in range(9)]
    assert all(len(member.ordering.events) <= 3 for member in group.members.values())
