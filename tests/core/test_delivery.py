"""Delivery as one table: who gets what next, and when, told without sockets, threads or clocks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyrochat.core.cursors import WINDOW_BYTES
from pyrochat.core.delivery import Close, Deliver, Group, Receiver, Request, Say, Stretch
from pyrochat.values.protocol import TAKES, TAKES_ONEWAY, Timing

TIMING = Timing(beat_seconds=2.0, silent_seconds=6.0)
INTERVAL = 1.0


class Served:
    """A group with one receiver, whose time and log the test has in its hands. got: what has reached it."""

    def __init__(self, understands: bool = True, takes: str | None = TAKES) -> None:
        self.now = 100.0
        self.end = 0
        self.marks_version = 0
        self.seal = (0, "")
        self.group: Group[Receiver] = Group(TIMING, 0, 1, lambda members: INTERVAL, lambda newest: self.seal)
        self.receiver = Receiver("1", "ana", 0, understands)
        self.got: list[int] = []
        self.told: list[Request] = []
        self.asked = False  # it has to answer
        self.carry_out(self.group.admit(self.receiver, self.now))
        if understands:
            self.answer(takes)

    def carry_out(self, request: Request | None, stuck: bool = False) -> None:
        """As the multicaster does."""
        while request is not None:
            self.told.append(request)
            if isinstance(request, Close):
                self.group.remove(self.receiver)
                return
            frame: bytes | None = b"said"
            if isinstance(request, Deliver):
                cursor = self.receiver.cursor
                new = range(cursor.sent + 1, self.end + 1)
                size = 100 * len(new) + 20
                unasking = b"u" * size if self.receiver.oneway and size <= WINDOW_BYTES else None
                stretch = Stretch(b"a" * size, unasking, self.end, self.group.marks_told)
                frame = self.group.send(self.receiver, stretch, self.now, request.beat)
                if frame is not None:
                    self.got += new
                    self.asked = self.asked or frame.startswith(b"a")
            elif isinstance(request, Say):
                assert not self.asked, "one thing at a time"
                self.asked = request.asks
            goes_on = frame is not None and self.group.sent(self.receiver, stuck)
            request = self.group.next(self.receiver, self.now) if goes_on else None

    def grow(self, count: int = 1) -> None:
        self.end += count
        self.look()

    def look(self) -> None:
        if self.group.look(self.end, self.marks_version, 1, self.now):
            for receiver in self.group.ready():
                self.carry_out(self.group.next(receiver, self.now))
        for receiver in self.group.unasked(self.now):
            self.carry_out(self.group.next(receiver, self.now, beat=True))

    def answer(self, value: object = None) -> object:
        assert self.receiver.owes
        self.asked = False
        mark = self.group.answered(self.receiver, value)
        self.carry_out(self.group.heard(self.receiver, self.now))
        return mark

    def tick(self) -> None:
        self.carry_out(self.group.overdue(self.receiver, self.now))


def test_our_own_client_is_welcomed_first_and_a_plain_one_is_not() -> None:
    assert Served().told == [Say("welcome", ("1",))]
    assert Served(understands=False).told == []


@pytest.mark.parametrize(("share", "asks"), [(0.4, False), (0.6, True)])
def test_found_45_who_has_answered_is_asked_again_after_half_an_interval_of_marks(share: float, asks: bool) -> None:
    served = Served()
    served.grow()
    assert served.asked
    assert served.answer([1, 0]) == (1, 0)
    served.now += share * INTERVAL
    served.grow()
    assert served.asked is asks
    assert served.got == [1, 2]


def test_what_was_not_asked_for_is_asked_for_within_an_interval() -> None:
    served = Served()
    served.grow()
    served.answer([1, 0])
    served.grow()
    assert not served.asked
    assert served.group.next_due(0) == served.now + INTERVAL
    served.now += INTERVAL
    served.look()
    assert served.told[-1] == Deliver(beat=True)
    assert served.answer([2, 1]) == (2, 1)
    assert served.group.next_due(0) == float("inf")


def test_who_is_silent_is_lost_and_who_reads_slowly_is_not() -> None:
    served = Served()
    served.end = 1
    served.group.look(1, 0, 1, served.now)
    served.carry_out(Deliver(beat=False), stuck=True)
    served.now += TIMING.silent_seconds - 0.1
    served.group.moved(served.receiver, stuck=True, now=served.now)
    served.now += TIMING.silent_seconds - 0.1
    served.tick()
    assert served.group.has(served.receiver)
    served.now += 0.2
    served.tick()
    assert served.told[-1] == Close("no answer for 6 s")
    assert not served.group.has(served.receiver)


def test_who_has_heard_nothing_for_a_while_gets_a_beat() -> None:
    served = Served()
    served.now += TIMING.beat_seconds - 0.1
    served.tick()
    assert served.told == [Say("welcome", ("1",))]
    served.now += 0.2
    served.tick()
    assert served.told[-1] == Deliver(beat=True)


def test_a_seal_comes_once_and_only_on_what_the_receiver_has() -> None:
    served = Served()
    served.seal = (1, "seal")
    served.grow()
    served.tick()
    assert not any(isinstance(told, Say) and told.method == "seal" for told in served.told)
    served.answer([1, 0])
    served.tick()
    assert served.told[-1] == Say("seal", (1, "seal"))
    served.answer()
    served.tick()
    assert served.told.count(Say("seal", (1, "seal"))) == 1


def test_marks_are_gathered_for_an_interval_and_ride_with_messages() -> None:
    served = Served()
    served.marks_version = 1
    served.grow()
    assert served.group.marks_told == 1, "the first are told at once"
    served.answer([1, 0])
    served.marks_version = 2
    served.grow()
    assert served.group.marks_told == 1
    assert served.group.next_due(2) == served.now + INTERVAL
    served.now += INTERVAL
    served.look()
    assert served.receiver.cursor.marks_position == 2


def test_a_notice_waits_for_the_answer_and_goes_before_the_next_delivery() -> None:
    served = Served(takes=None)
    served.grow()
    served.carry_out(served.group.tell(served.receiver, "by the way", served.now))
    served.grow()
    assert served.told[-1] == Deliver(beat=False)
    served.answer([1, 0])
    assert served.told[-1] == Say("notice", ("by the way",))
    served.answer()
    assert served.got == [1, 2]


def test_a_plain_client_is_told_nothing_it_does_not_understand() -> None:
    served = Served(understands=False)
    assert served.group.tell(served.receiver, "by the way", served.now) is None
    served.seal = (1, "seal")
    served.grow()
    served.answer([1, 1])
    served.tick()
    served.group.say_farewell("over")
    served.carry_out(served.group.next(served.receiver, served.now))
    assert served.told == [Deliver(beat=False), Close(None)]


def test_the_farewell_comes_after_everything_else_is_confirmed() -> None:
    served = Served()
    served.grow()
    served.answer([1, 0])
    served.grow()
    served.group.say_farewell("over")
    served.carry_out(served.group.next(served.receiver, served.now))
    assert served.told[-1] == Deliver(beat=True)
    served.seal = (2, "newest")
    served.answer([2, 2])
    assert served.told[-1] == Say("seal", (2, "newest"))
    served.answer()
    assert served.told[-1] == Say("closing", ("over",))
    served.answer()
    assert served.told[-1] == Close(None)


EVENTS = ["grow", "grow", "answer", "answer", "tick", "wait", "marks", "tell", "much"]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(EVENTS), max_size=60), st.booleans(), st.booleans())
def test_whatever_happens_each_gets_all_once_in_order_and_little_is_unconfirmed(
    events: list[str], understands: bool, oneway: bool
) -> None:
    served = Served(understands, oneway)
    for event in events:
        if event == "grow":
            served.grow()
        elif event == "much":
            served.grow(50)
        elif event == "answer" and served.receiver.owes:
            served.answer([served.end, 0] if served.receiver.cursor.outstanding else None)
        elif event == "tick":
            served.tick()
        elif event == "wait":
            served.now += 0.3
            served.look()
        elif event == "marks":
            served.marks_version += 1
            served.look()
        elif event == "tell":
            served.carry_out(served.group.tell(served.receiver, "by the way", served.now))
        assert served.got == list(range(1, len(served.got) + 1))
        assert served.receiver.cursor.position <= len(served.got) <= served.end
        if not served.group.has(served.receiver):
            return
    for _ in range(200):
        if served.receiver.owes:
            served.answer([served.end, 0] if served.receiver.cursor.outstanding else None)
        served.now += 0.3
        served.look()
    assert served.got == list(range(1, served.end + 1))
    assert served.receiver.cursor.position == served.end
    assert served.receiver.cursor.marks_position == served.marks_version


# -- what is shown beside the log -------------------------------------------------------------------------------------


def shown(served: Served) -> list[object]:
    """What `pending` was called with."""
    return [told.arguments[0] for told in served.told if isinstance(told, Say) and told.method == "pending"]


def show(served: Served, value: list[str]) -> None:
    """As the multicaster does."""
    served.group.show("pending", value)
    for receiver in served.group.ready():
        served.carry_out(served.group.next(receiver, served.now))


def test_what_is_shown_replaces_what_was_and_nobody_waits_for_an_answer() -> None:
    served = Served()
    show(served, ["one"])
    show(served, ["one", "two"])
    show(served, [])
    assert shown(served) == [["one"], ["one", "two"], []]
    assert not served.receiver.owes
    served.grow()
    assert served.got == [1]
    assert served.asked, "the next delivery asks, as if nothing had been shown"


@pytest.mark.parametrize(("understands", "takes"), [(False, None), (True, TAKES_ONEWAY), (True, None)])
def test_who_has_no_method_for_it_is_never_called(understands: bool, takes: str | None) -> None:
    served = Served(understands, takes=takes)
    show(served, ["one"])
    served.grow()
    assert shown(served) == []


def test_who_owes_an_answer_gets_the_newest_only_when_it_has_come() -> None:
    served = Served()
    served.grow()
    for count in range(1, 4):
        show(served, ["text"] * count)
    assert shown(served) == []
    served.answer([1, 0])
    assert shown(served) == [["text"] * 3]


def test_who_comes_later_is_shown_what_there_is_and_nothing_where_there_is_nothing() -> None:
    served = Served()
    show(served, [])
    assert shown(served) == []
    show(served, ["one"])
    served.group.remove(served.receiver)
    served.receiver = Receiver("2", "ana", 0, True)
    served.carry_out(served.group.admit(served.receiver, served.now))
    served.answer(TAKES)
    assert shown(served) == [["one"], ["one"]]


def test_who_does_not_take_it_at_once_has_its_time() -> None:
    served = Served()
    served.group.show("pending", ["one"])
    [receiver] = served.group.ready()
    served.carry_out(served.group.next(receiver, served.now), stuck=True)
    served.now += TIMING.silent_seconds - INTERVAL - 0.1
    served.tick()
    assert served.group.has(receiver)
    served.now += 0.2
    served.tick()
    assert not served.group.has(receiver)
