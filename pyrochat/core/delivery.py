"""Delivery: what each session of a room gets next, and when. One table, without I/O.

A session is a cursor in the log (`core.cursors`); beside messages and marks it may be asked or told something by itself,
one thing at a time: a welcome, a notice, a seal, a farewell, or an empty delivery (a beat) that only asks whether it is
there. What is decided here is a `Request`; whoever has the connections carries it out, and says what has come of it.
"""

import math
from collections.abc import Callable, Iterator, Sized
from typing import Generic, NamedTuple, TypeVar

from pyrochat.core.cursors import Cursor
from pyrochat.core.marks import Mark
from pyrochat.values.protocol import TAKES, TAKES_ONEWAY, Timing


class Say(NamedTuple):
    """Call *method* of its callback. asks: it answers; else nobody waits for that."""

    method: str
    arguments: tuple[object, ...]
    asks: bool = True


class Deliver(NamedTuple):
    """Deliver what follows its cursor. beat: also where that is nothing."""

    beat: bool


class Close(NamedTuple):
    """End the connection. lost: why the session is lost with it; None where it is not."""

    lost: str | None


Request = Say | Deliver | Close


class Stretch(NamedTuple):
    """What follows one place in the log and in the marks, as a delivery that asks for an answer, or does not.

    unasking: None where it is too long to go out so. upto, marks_upto: the place that it ends at.
    """

    asking: bytes
    unasking: bytes | None
    upto: int
    marks_upto: int


class Receiver:
    """A session to which a room delivers.

    position: where its replica ends. understands: it is PyroChat's own client, which has more methods than `deliver`.
    """

    __slots__ = (
        "asked_at", "busy", "cursor", "last_sent", "member", "notices", "oneway", "parting", "sealed", "session_id", "shown",
        "stuck", "takes", "understands",
    )  # fmt: skip

    def __init__(self, session_id: str, member: str, position: int, understands: bool) -> None:
        self.session_id = session_id
        self.member = member
        self.cursor = Cursor(position)
        self.understands = understands
        self.oneway = False  # it takes deliveries that ask for nothing
        self.busy = False  # something that is no delivery is under way
        self.stuck = False  # of the last that went out, its connection has not taken all yet
        self.takes: frozenset[str] = frozenset()  # what else it has methods for
        self.shown: dict[str, object] = {}  # what it was called with last, by method; see `Group.show`
        self.notices: list[str] = []  # to be said before the next delivery
        self.parting = False  # it has been told that the server is being stopped
        self.sealed = 0  # it has the room's seal on the messages up to here
        self.last_sent = 0.0
        self.asked_at = -math.inf  # when it was last asked, or took a part of it; -inf: the next delivery has to ask

    @property
    def owes(self) -> bool:
        """Whether an answer of it is outstanding: nothing else can be asked before it is here."""
        return self.cursor.outstanding or self.busy

    @property
    def is_ready(self) -> bool:
        """Whether a delivery may go out: nothing is outstanding, or a small one may follow what is."""
        if self.busy or self.stuck:
            return False
        return not self.cursor.outstanding or (self.oneway and self.cursor.has_window())


R = TypeVar("R", bound=Receiver)


class Group(Generic[R]):
    """The receivers of one room. Not synchronized. Times are seconds of any monotonic clock, given by the caller.

    end: of the log. members: how many there are. marks_interval: so long marks are gathered, by that number.
    seal: gives an id and the room's seal on it; True: on the newest message.
    """

    def __init__(
        self, timing: Timing, end: int, members: int, marks_interval: Callable[[int], float],
        seal: Callable[[bool], tuple[int, str]],
    ) -> None:  # fmt: skip
        self._timing = timing
        self._marks_interval = marks_interval
        self._seal_on = seal
        self.receivers: dict[str, R] = {}  # by session id, like the next two
        self._ready: dict[str, R] = {}
        self._unasked: dict[str, tuple[R, float]] = {}  # have what no answer will confirm, since then; oldest first
        self._interval = marks_interval(members)
        self.tail = end  # as far as the log was seen to grow
        self.marks_told = 0  # up to this version, marks may be told now
        self._tail_at = 0.0
        self._marks_told_at = 0.0
        self._shown: dict[str, Sized] = {}  # by method
        self._farewell: str | None = None  # what is said to all while the server is being stopped

    # -- who is there ---------------------------------------------------------------------------------------

    def admit(self, receiver: R, now: float) -> Request | None:
        """It is there from now on; returns what comes first."""
        self.receivers[receiver.session_id] = self._ready[receiver.session_id] = receiver
        if receiver.understands:
            return self._say(receiver, now, "welcome", receiver.session_id)
        return self.next(receiver, now)

    def has(self, receiver: Receiver) -> bool:
        """Whether it is there: not another of the same session."""
        return self.receivers.get(receiver.session_id) is receiver

    def remove(self, receiver: R) -> None:
        """It is gone."""
        del self.receivers[receiver.session_id]
        self._ready.pop(receiver.session_id, None)
        self._unasked.pop(receiver.session_id, None)

    def ready(self) -> list[R]:
        """Those to which a delivery may go out, as far as is known."""
        return list(self._ready.values())

    # -- what is new ----------------------------------------------------------------------------------------

    def look(self, end: int, marks_version: int, members: int, now: float) -> bool:
        """See what is new; returns whether there is anything.

        New marks may be told with messages while some keep coming, else in deliveries of their own.
        """
        self._interval = self._marks_interval(members)
        rides = end > self.tail
        since = self._marks_told_at if rides else max(self._marks_told_at, self._tail_at)
        tells_marks = marks_version > self.marks_told and now >= since + self._interval
        if tells_marks:
            self.marks_told, self._marks_told_at = marks_version, now
        if rides:
            self.tail, self._tail_at = end, now
        return rides or tells_marks

    def next_due(self, marks_version: int) -> float:
        """When there is something to do, even if nothing comes."""
        due = math.inf
        if marks_version > self.marks_told:
            due = max(self._marks_told_at, self._tail_at) + self._interval
        for _, since in self._unasked.values():
            return min(due, since + self._interval)
        return due

    def tell(self, receiver: R, text: str, now: float) -> Request | None:
        """Tell it *text* beside the log, now or before its next delivery."""
        if not receiver.understands:
            return None
        receiver.notices.append(text)
        return self.next(receiver, now) if receiver.is_ready else None

    def show(self, method: str, value: Sized) -> None:
        """From now on *method* is to have been called with *value*, which is never changed, at all receivers that have it; in
        place of what it was called with before. Whoever comes later is called where it is not empty."""
        self._shown[method] = value

    def say_farewell(self, text: str) -> None:
        """From now on: who has all that it can get is told *text*, and let go."""
        self._farewell = text

    # -- what comes next ------------------------------------------------------------------------------------

    def next(self, receiver: R, now: float, beat: bool = False) -> Request | None:
        """What *receiver* gets now, if anything (a *beat* at least)."""
        cursor = receiver.cursor
        if receiver.notices:
            return None if receiver.owes else self._say(receiver, now, "notice", receiver.notices.pop(0))
        if beat or cursor.sent < self.tail or cursor.marks_position < self.marks_told:
            return Deliver(beat)
        if (method := self._not_shown(receiver)) is not None:
            receiver.shown[method] = self._shown[method]
            # As if it had been asked an interval ago: the next delivery asks as ever, and has its time, should this get stuck.
            receiver.asked_at = max(receiver.asked_at, now - self._interval)
            return Say(method, (self._shown[method],), asks=False)
        if self._farewell is None or receiver.owes:
            return None
        if cursor.in_flight:
            return Deliver(beat=True)
        return self._seal(receiver, now, newest=True) or self._part(receiver, now, self._farewell)

    def send(self, receiver: R, stretch: Stretch, now: float, beat: bool) -> bytes | None:
        """What of *stretch* goes out now, so that it asks for an answer or does not; None where one has to come first."""
        cursor, unasking = receiver.cursor, stretch.unasking
        # Marks are written and told once an interval: asked for twice as often, they come one interval later at most.
        was_asked = cursor.outstanding or now < receiver.asked_at + self._interval / 2
        if was_asked and not beat and unasking is not None and cursor.has_window(len(unasking)):
            cursor.send(stretch.upto, stretch.marks_upto, len(unasking), asks=False)
            receiver.last_sent = now
            self._note_unasked(receiver, now)
            return unasking
        if cursor.outstanding:
            self._ready.pop(receiver.session_id, None)
            return None
        cursor.send(stretch.upto, stretch.marks_upto, len(stretch.asking))
        self._asks(receiver, now)
        return stretch.asking

    def sent(self, receiver: R, stuck: bool) -> bool:
        """It is out. stuck: the connection has not taken all of it. Returns whether more may follow at once."""
        receiver.stuck = stuck
        if not receiver.is_ready:
            self._ready.pop(receiver.session_id, None)
            return False
        # Where a block has ended there may be no answer.
        return receiver.cursor.sent < self.tail or self._not_shown(receiver) is not None

    def moved(self, receiver: R, stuck: bool, now: float) -> None:
        """Its connection has taken more of what was stuck: it reads, if slowly, which is no silence."""
        receiver.stuck = stuck
        receiver.last_sent = receiver.asked_at = now

    def answered(self, receiver: R, answer: object) -> Mark | None:
        """It has answered; returns its marks, where it was asked for them. It has to owe an answer."""
        if receiver.busy:
            receiver.busy, receiver.asked_at = False, -math.inf
            if isinstance(answer, str):
                receiver.takes |= frozenset(answer.split()).intersection(TAKES.split())
                receiver.oneway = TAKES_ONEWAY in receiver.takes
            return None
        delivered, read = receiver.cursor.asked, 0
        if isinstance(answer, list | tuple) and len(answer) == 2 and all(type(mark) is int for mark in answer):
            delivered, read = answer
        return receiver.cursor.confirm(delivered, read)

    def heard(self, receiver: R, now: float) -> Request | None:
        """Something has come from it, or gone to it: what it gets now."""
        self._note_unasked(receiver, now)
        if not receiver.is_ready:
            return None
        self._ready[receiver.session_id] = receiver
        return self.next(receiver, now)

    def overdue(self, receiver: R, now: float) -> Request | None:
        """Now and then: it is silent for too long, or has heard nothing for too long."""
        if receiver.owes or receiver.stuck:
            silent_seconds = self._timing.silent_seconds
            return Close(f"no answer for {silent_seconds:g} s") if now - receiver.asked_at >= silent_seconds else None
        if (seal := self._seal(receiver, now)) is not None:
            return seal
        return self.next(receiver, now, beat=True) if now - receiver.last_sent >= self._timing.beat_seconds else None

    def unasked(self, now: float) -> Iterator[R]:
        """Those that have to be asked now, as nothing has gone out to them for an interval that asks."""
        while self._unasked:
            receiver, since = next(iter(self._unasked.values()))
            if since + self._interval > now:
                break
            del self._unasked[receiver.session_id]
            if not (receiver.owes or receiver.stuck):  # else it is noted again when that is over
                yield receiver

    def _not_shown(self, receiver: R) -> str | None:
        """What it was not called with yet. It is called only where nothing is outstanding: so one that answers nothing gets no more
        than the beat's time brings."""
        if receiver.owes or receiver.stuck:
            return None
        for method, value in self._shown.items():
            known = receiver.shown.get(method)
            if method in receiver.takes and known is not value and (known is not None or value):
                return method
        return None

    def _note_unasked(self, receiver: R, now: float) -> None:
        """Where it has something that no answer is going to confirm: ask it soon, unless a delivery does."""
        if receiver.cursor.in_flight and not receiver.owes:
            self._unasked.setdefault(receiver.session_id, (receiver, now))

    def _asks(self, receiver: R, now: float) -> None:
        receiver.last_sent = receiver.asked_at = now
        self._unasked.pop(receiver.session_id, None)

    def _say(self, receiver: R, now: float, method: str, *arguments: object) -> Say:
        receiver.busy = True
        self._asks(receiver, now)
        return Say(method, arguments)

    def _seal(self, receiver: R, now: float, newest: bool = False) -> Say | None:
        """The room's seal, if it has what that is on, and not the seal."""
        if not receiver.understands or receiver.parting:
            return None
        id, text = self._seal_on(newest)
        if not receiver.sealed < id <= receiver.cursor.position:
            return None
        receiver.sealed = id
        return self._say(receiver, now, "seal", id, text)

    def _part(self, receiver: R, now: float, farewell: str) -> Request:
        """The server is being stopped, and it has all that it can get."""
        if not receiver.understands or receiver.parting:
            return Close(None)
        receiver.parting = True
        return self._say(receiver, now, "closing", farewell)
