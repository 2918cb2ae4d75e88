"""The multicast: one thread with a selector drives the deliveries of all sessions of all rooms.

It holds no queue for anybody: a session is a cursor, and what it gets next is computed from the log
when it is ready for it. Sends never block; connecting, and reading from disk, happen elsewhere.
"""

from __future__ import annotations

import contextlib
import logging
import math
import selectors
import threading
from collections import deque
from collections.abc import Callable

from pyrochat.clock import monotonic
from pyrochat.core.pace import Pace
from pyrochat.pyro.budget import Budget, Budgets
from pyrochat.pyro.link import LinkBroken
from pyrochat.pyro.waker import selector_with_waker
from pyrochat.pyro.wire import request_frame
from pyrochat.room.delivery.audience import Audience, Outlet
from pyrochat.room.delivery.hall import Hall, Stretch
from pyrochat.threads import Defects, go_on
from pyrochat.values.protocol import TAKES_ONEWAY

__all__ = ["Multicaster"]

log = logging.getLogger(__name__)


class Multicaster:
    """The thread that delivers. All public methods may be called from any thread.

    unsent: for deliveries that sessions don't take.
    """

    def __init__(self, unsent: Budget | None = None, pace: Pace | None = None) -> None:
        self._pace = pace or Pace()
        self._unsent = unsent or Budgets.of().unsent
        self._defects = Defects(log)
        self._halls: dict[int, Hall] = {}
        self._orders: deque[Callable[[], None]] = deque()
        self._now = self._next_tick = monotonic()  # the thread's clock: looked at once a round
        self._awake = True  # False while the thread sleeps in select, or is about to
        self._farewell: str | None = None  # what is said to all while the server is being stopped
        self._give_up_at = 0.0
        self._stopping = False
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="pyrochat-multicast", daemon=True)
        self._selector, self._waker = selector_with_waker()
        try:
            self._thread.start()
        except BaseException:
            self._selector.close()
            self._waker.close()
            raise

    # -- what other threads say ------------------------------------------------------------------------

    def open(self, audience: Audience) -> None:
        """A room is there."""
        self._order(lambda: self._halls.__setitem__(id(audience), Hall(audience, self._pace.marks_interval)))

    def forget(self, audience: Audience) -> None:
        """A room is gone, before anybody was in it."""
        self._order(lambda: self._halls.__delitem__(id(audience)))

    def admit(self, outlet: Outlet) -> None:
        """Deliver to *outlet* from now on; another outlet of the same session is closed."""
        self._order(lambda: self._guarded(self._admit, outlet))
        if self._stopped:  # nobody takes orders any more: who comes back now has to notice
            outlet.link.close()

    def dismiss(self, audience: Audience, session_id: str) -> None:
        """Close the session's outlet, without calling it lost."""
        self._order(lambda: self._dismiss(audience, session_id))

    def grew(self, audience: Audience) -> None:
        """The log, the marks, or what is in memory of an old stretch, has grown."""
        hall = self._halls.get(id(audience))
        if hall is not None and hall.outlets and not hall.grown:
            hall.grown = True
            self._wake()

    def tell(self, audience: Audience, text: str) -> None:
        """Say *text* to everybody in the room who can hear it, beside the log."""
        self._order(lambda: self._tell(audience, text))

    def positions(self, audience: Audience) -> dict[str, int]:
        """How far each session, by its id, has confirmed; a snapshot for operators."""
        hall = self._halls.get(id(audience))
        outlets = list(hall.outlets.values()) if hall else []
        return {outlet.session_id: outlet.cursor.position for outlet in outlets}

    def close(self, farewell: str, linger_seconds: float) -> None:
        """Tell all sessions *farewell* after what they still have to get, and end.

        Waits at most *linger_seconds* for those that are slow.
        """
        self._order(lambda: self._begin_farewell(farewell, monotonic() + linger_seconds))
        self._thread.join(linger_seconds + 5.0)

    def _order(self, order: Callable[[], None]) -> None:
        self._orders.append(order)
        self._wake()

    def _wake(self) -> None:
        if not self._awake:
            self._awake = True
            self._waker.wake()

    # -- the thread ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        go_on(self._round, "the multicaster", self._defects)
        for hall in self._halls.values():
            for outlet in hall.outlets.values():
                outlet.link.close()
        self._selector.close()
        self._waker.close()
        self._stopped = True
        while self._orders:  # who came back in the last moment
            self._orders.popleft()()

    def _round(self) -> bool:
        """Wait for something to happen, and do what that wants; False at the end."""
        if self._stopping:
            return False
        self._awake = False
        pending = self._orders or any(hall.grown and not hall.rests(monotonic()) for hall in self._halls.values())
        due = min([self._next_tick, *(self._next_due(hall) for hall in self._halls.values())])
        wait = 0.0 if pending else max(0.0, due - monotonic())
        events = self._selector.select(wait)
        self._awake = True
        self._now = monotonic()
        for key, mask in events:
            if key.data is None:
                self._waker.rest()
            else:
                self._guarded(self._look_at, key.data, mask)
        while self._orders:
            self._orders.popleft()()
        self._now = monotonic()
        for hall in list(self._halls.values()):
            self._serve(hall)
        if self._now >= self._next_tick:
            self._next_tick = self._now + self._pace.tick_seconds
            self._tick(self._now)
        return True

    def _serve(self, hall: Hall) -> None:
        """Deliver what is new in *hall*; what goes wrong there holds up no other."""
        if hall.rests(self._now):
            return
        try:
            if hall.look(self._now):
                for outlet in list(hall.ready.values()):
                    self._guarded(self._deliver_to, outlet)
            self._ask_the_unasked(hall)
        except BaseException as error:
            self._stumbled(hall, error)

    def _next_due(self, hall: Hall) -> float:
        try:
            return hall.next_due()
        except BaseException as error:
            self._stumbled(hall, error)
            return self._next_tick

    def _stumbled(self, hall: Hall, error: BaseException) -> None:
        """Something is wrong with a whole room: it rests for a moment, and the others go on."""
        self._defects.tell("the deliveries of a room", error)
        hall.grown, hall.rests_until = True, self._now + self._pace.tick_seconds

    def _guarded(self, do: Callable[..., None], outlet: Outlet, *arguments: object) -> None:
        """*do* something for *outlet*: what goes wrong costs that one, which may come back, and no other."""
        try:
            do(outlet, *arguments)
        except BaseException as error:
            self._defects.tell("a delivery", error)
            hall = self._halls.get(id(outlet.audience))
            if hall is not None and hall.outlets.get(outlet.session_id) is outlet:
                self._lose(hall, outlet, "the server has stumbled over it")
            outlet.link.close()

    def _deliver_to(self, outlet: Outlet) -> None:
        self._deliver(self._halls[id(outlet.audience)], outlet)

    def _admit(self, outlet: Outlet) -> None:
        hall = self._halls[id(outlet.audience)]
        if not outlet.audience.admitted(outlet):
            outlet.link.close()
            return
        old = hall.outlets.get(outlet.session_id)
        if old is not None:
            self._close(hall, old)
        try:
            self._selector.register(outlet.link.sock, selectors.EVENT_READ, outlet)
        except (ValueError, OSError) as error:
            outlet.link.close()
            outlet.audience.lost(outlet, str(error))
            return
        hall.outlets[outlet.session_id] = outlet
        hall.ready[outlet.session_id] = outlet
        if outlet.turned:
            self._say(hall, outlet, "welcome", outlet.session_id)
        else:
            self._deliver(hall, outlet)

    def _tell(self, audience: Audience, text: str) -> None:
        hall = self._halls[id(audience)]
        for outlet in list(hall.outlets.values()):
            if outlet.turned:
                outlet.notices.append(text)
                if outlet.ready:
                    self._guarded(self._deliver_to, outlet)

    def _dismiss(self, audience: Audience, session_id: str) -> None:
        hall = self._halls[id(audience)]
        outlet = hall.outlets.get(session_id)
        if outlet is not None:
            self._close(hall, outlet)

    def _close(self, hall: Hall, outlet: Outlet) -> None:
        del hall.outlets[outlet.session_id]
        hall.ready.pop(outlet.session_id, None)
        hall.unasked.pop(outlet.session_id, None)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(outlet.link.sock)
        outlet.link.close()
        self._unsent.forget(outlet.link)

    def _lose(self, hall: Hall, outlet: Outlet, reason: str) -> None:
        if hall.outlets.get(outlet.session_id) is outlet:
            self._close(hall, outlet)
            outlet.audience.lost(outlet, reason)

    # -- requests and their answers ---------------------------------------------------------------------

    def _deliver(self, hall: Hall, outlet: Outlet, beat: bool = False) -> None:
        """Send what follows the outlet's cursor, if anything does (or anyway, as a *beat*, which asks for an answer)."""
        cursor = outlet.cursor
        if outlet.notices:
            if not outlet.owes:
                self._say(hall, outlet, "notice", outlet.notices.pop(0))
        elif beat or cursor.sent < hall.tail or cursor.marks_position < hall.marks_told:
            stretch = hall.stretch_for(outlet) or (hall.stretch_of([], outlet) if beat else None)
            if stretch is not None:
                self._send_stretch(hall, outlet, stretch, beat)
        elif self._farewell is not None and not outlet.owes:
            if cursor.in_flight:
                self._deliver(hall, outlet, beat=True)
            elif not self._give_seal(hall, outlet, newest=True):
                self._part(hall, outlet, self._farewell)

    def _send_stretch(self, hall: Hall, outlet: Outlet, stretch: Stretch, beat: bool) -> None:
        """Send *stretch*, so that it asks for an answer or does not; or not now, where an answer has to come first."""
        cursor, unasking = outlet.cursor, stretch.unasking
        # Marks are written and told once an interval: asked for twice as often, they come one interval later at most.
        asked = cursor.outstanding or self._now < outlet.asked_at + hall.interval / 2
        if asked and not beat and unasking is not None and cursor.has_window(len(unasking)):
            cursor.send(stretch.upto, stretch.marks_upto, len(unasking), asks=False)
            self._note_unasked(hall, outlet)
            self._send(hall, outlet, unasking)
        elif cursor.outstanding:
            hall.ready.pop(outlet.session_id, None)
            return
        else:
            cursor.send(stretch.upto, stretch.marks_upto, len(stretch.asking))
            self._send(hall, outlet, stretch.asking, asks=True)
        if cursor.sent < hall.tail and outlet.session_id in hall.ready:  # a block has ended: there may be no answer
            self._deliver(hall, outlet)

    def _note_unasked(self, hall: Hall, outlet: Outlet) -> None:
        """Where *outlet* has something that no answer is going to confirm: ask it soon, unless a delivery does."""
        if outlet.cursor.in_flight and not outlet.owes:
            hall.unasked.setdefault(outlet.session_id, (outlet, self._now))

    def _ask_the_unasked(self, hall: Hall) -> None:
        """Ask those to whom nothing has gone out meanwhile that asks."""
        while hall.unasked:
            outlet, since = next(iter(hall.unasked.values()))
            if since + hall.interval > self._now:
                break
            del hall.unasked[outlet.session_id]
            if not (outlet.owes or outlet.link.unsent):  # else it is noted again when that is over
                self._deliver(hall, outlet, beat=True)

    def _give_seal(self, hall: Hall, outlet: Outlet, newest: bool = False) -> bool:
        """Send the room's seal, if *outlet* has what it is on, and not the seal."""
        id, text = hall.audience.seal(newest)
        if not outlet.turned or outlet.parting or not outlet.sealed < id <= outlet.cursor.position:
            return False
        outlet.sealed = id
        self._say(hall, outlet, "seal", id, text)
        return True

    def _part(self, hall: Hall, outlet: Outlet, farewell: str) -> None:
        """The server is being stopped, and *outlet* has all that it can get."""
        if outlet.turned and not outlet.parting:
            outlet.parting = True
            self._say(hall, outlet, "closing", farewell)
        else:
            self._close(hall, outlet)

    def _say(self, hall: Hall, outlet: Outlet, method: str, *arguments: object) -> None:
        outlet.busy = True
        frame = request_frame(outlet.link.object_id, method, arguments, outlet.link.serializer_id)
        self._send(hall, outlet, frame, asks=True)

    def _send(self, hall: Hall, outlet: Outlet, frame: bytes, asks: bool = False) -> None:
        outlet.last_sent = self._now
        if asks:
            outlet.asked_at = self._now
            hall.unasked.pop(outlet.session_id, None)
        try:
            outlet.link.send(frame)
        except LinkBroken as error:
            self._lose(hall, outlet, str(error))
            return
        if outlet.link.unsent:
            self._unsent.keep(outlet.link, len(frame), self._now, shared=id(frame))
            self._selector.modify(outlet.link.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, outlet)
        if not outlet.ready:
            hall.ready.pop(outlet.session_id, None)

    def _look_at(self, outlet: Outlet, mask: int) -> None:
        hall = self._halls[id(outlet.audience)]
        if hall.outlets.get(outlet.session_id) is not outlet:
            return  # closed by an earlier event of the same round
        try:
            if mask & selectors.EVENT_WRITE:
                outlet.link.flush()
                # It reads, if slowly: a long stretch over a thin line is no silence.
                outlet.last_sent = outlet.asked_at = self._now
                if outlet.link.unsent:
                    self._unsent.moved(outlet.link, self._now)
                else:
                    self._unsent.free(outlet.link)
                    self._selector.modify(outlet.link.sock, selectors.EVENT_READ, outlet)
            answer = outlet.link.receive() if mask & selectors.EVENT_READ else None
            if answer is not None and not outlet.owes:
                raise LinkBroken("an answer to nothing")
        except LinkBroken as error:
            self._lose(hall, outlet, str(error))
            return
        if answer is not None:
            self._take_answer(outlet, answer[0])
        self._note_unasked(hall, outlet)
        if outlet.ready:
            hall.ready[outlet.session_id] = outlet
            self._deliver(hall, outlet)

    @staticmethod
    def _take_answer(outlet: Outlet, answer: object) -> None:
        if outlet.busy:
            outlet.busy, outlet.asked_at = False, -math.inf
            outlet.oneway = outlet.oneway or answer == TAKES_ONEWAY
        else:
            outlet.audience.confirmed(outlet, answer)

    # -- time -----------------------------------------------------------------------------------------------

    def _tick(self, now: float) -> None:
        for hall in self._halls.values():
            for outlet in list(hall.outlets.values()):
                self._guarded(self._look_at_clock, outlet)
            try:
                hall.audience.tick(now)
            except BaseException as error:
                self._stumbled(hall, error)
        if self._farewell is not None and (now >= self._give_up_at or not any(h.outlets for h in self._halls.values())):
            self._stopping = True

    def _look_at_clock(self, outlet: Outlet) -> None:
        """Is *outlet* silent for too long, or has it heard nothing for too long?"""
        hall, timing = self._halls[id(outlet.audience)], outlet.audience.timing
        if outlet.owes or outlet.link.unsent:
            if self._now - outlet.asked_at >= timing.silent_seconds:
                self._lose(hall, outlet, f"no answer for {timing.silent_seconds:g} s")
        elif not self._give_seal(hall, outlet) and self._now - outlet.last_sent >= timing.beat_seconds:
            self._deliver(hall, outlet, beat=True)

    def _begin_farewell(self, farewell: str, give_up_at: float) -> None:
        self._farewell, self._give_up_at = farewell, give_up_at
        for hall in self._halls.values():
            hall.grown = True
