"""The agreement on the next view: Paxos, with a cut."""

from __future__ import annotations

import pytest

from pyrochat.core.graph.agreement import Acceptor, Coordinator, Promise, Proposal
from pyrochat.core.graph.lamport import Ordering, View

VIEW = View(4, ("a", "b", "c", "d", "e"))
NEXT = Proposal(("a", "b", "c"), {"a": 1})
LOW, HIGH = (1, "b"), (2, "a")


@pytest.fixture
def ordering() -> Ordering:
    return Ordering("a", VIEW, b"room")


def say(ordering: Ordering) -> None:
    ordering.receive([ordering.graph.make(b"")], "a")


class TestAcceptor:
    def test_a_promise_says_what_is_here_and_freezes(self, ordering: Ordering) -> None:
        acceptor = Acceptor(ordering)
        say(ordering)
        assert not ordering.is_frozen
        assert acceptor.prepare(LOW) == Promise(LOW, None, {"a": 1})
        assert ordering.is_frozen

    def test_nothing_is_promised_or_accepted_under_a_lower_ballot(self, ordering: Ordering) -> None:
        say(ordering)
        acceptor = Acceptor(ordering)
        acceptor.prepare(HIGH)
        assert acceptor.prepare(LOW) is None
        assert not acceptor.accept(LOW, NEXT)
        assert (acceptor.promised, acceptor.accepted) == (HIGH, None)

    def test_what_was_accepted_is_told_to_who_asks_next(self, ordering: Ordering) -> None:
        say(ordering)
        acceptor = Acceptor(ordering)
        assert acceptor.accept(LOW, NEXT)
        assert ordering.is_frozen
        promise = acceptor.prepare(HIGH)
        assert promise is not None
        assert promise.accepted == (LOW, NEXT)

    def test_nothing_is_accepted_without_every_event_of_its_cut(self, ordering: Ordering) -> None:
        acceptor = Acceptor(ordering)
        assert not acceptor.accept(LOW, NEXT)
        assert acceptor.accepted is None
        say(ordering)
        assert acceptor.accept(LOW, NEXT)

    def test_who_starts_again_is_still_frozen_and_bound(self, ordering: Ordering) -> None:
        acceptor = Acceptor(ordering)
        acceptor.restore(HIGH, (LOW, NEXT))
        assert ordering.is_frozen
        assert acceptor.prepare(LOW) is None
        promise = acceptor.prepare((3, "c"))
        assert promise is not None
        assert promise.accepted == (LOW, NEXT)


class TestCoordinator:
    def promised(self, *promises: tuple[str, Promise]) -> Coordinator:
        coordinator = Coordinator(VIEW, HIGH, ("a", "b", "c", "f"))
        for site, promise in promises:
            coordinator.promised(site, promise)
        return coordinator

    def test_a_quorum_is_needed_and_those_who_are_expected(self) -> None:
        promise = Promise(HIGH, None, {})
        two = self.promised(("a", promise), ("b", promise))
        assert two.propose(()) is None
        three = self.promised(("a", promise), ("b", promise), ("c", promise))
        assert three.propose(("a", "d")) is None
        assert three.propose(("a",)) is not None

    def test_the_cut_has_all_that_anybody_has_who_promised(self) -> None:
        counts = [{"a": 3, "b": 1}, {"a": 1, "b": 4}, {"e": 2}]
        coordinator = self.promised(*zip("abc", (Promise(HIGH, None, its) for its in counts), strict=True))
        cut = {"a": 3, "b": 4, "c": 0, "d": 0, "e": 2}
        assert coordinator.propose(()) == Proposal(("a", "b", "c", "f"), cut)
        assert coordinator.propose(()) is None

    def test_what_may_be_decided_already_is_proposed_again(self) -> None:
        old, newer = Proposal(("a",), {}), Proposal(("b",), {})
        coordinator = self.promised(
            ("a", Promise(HIGH, ((1, "c"), old), {})),
            ("b", Promise(HIGH, ((1, "d"), newer), {})),
            ("c", Promise(HIGH, None, {})),
        )
        assert coordinator.propose(()) == newer

    def test_answers_to_other_ballots_do_not_count(self) -> None:
        good, other = Promise(HIGH, None, {}), Promise(LOW, None, {})
        coordinator = self.promised(("a", good), ("b", good), ("c", other))
        assert coordinator.propose(()) is None
        coordinator.promised("c", good)
        assert coordinator.propose(()) is not None
        assert [coordinator.accepted(site, LOW) for site in "abc"] == [False, False, False]

    def test_it_is_decided_once_by_a_quorum(self) -> None:
        good = Promise(HIGH, None, {})
        coordinator = self.promised(("a", good), ("b", good), ("c", good))
        coordinator.propose(())
        assert [coordinator.accepted(site, HIGH) for site in "aabcd"] == [False, False, False, True, False]
