"""The multicast: one thread with a selector drives the deliveries of all sessions of all rooms.

It holds no queue for anybody: a session is a cursor, and what it gets next is computed from the log
when it is ready for it. Sends never block; connecting, and reading from disk, happen elsewhere.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable

from pyrochat.core.cursors import MARKS_IN_A_DELIVERY, marks_interval_seconds
from pyrochat.pyro.link import LinkBroken
from pyrochat.pyro.waker import Waker
from pyrochat.pyro.wire import WireMark, request_frame, stretch_frame
from pyrochat.room.audience import Audience, Outlet

__all__ = ["Multicaster"]

log = logging.getLogger(__name__)

_TICK_SECONDS = 0.25
_MOST_FRAMES = 64


class _Hall:
    """What the multicaster keeps for one room."""

    def __init__(self, audience: Audience) -> None:
        self.audience = audience
        self.outlets: dict[str, Outlet] = {}
        self.ready: dict[str, Outlet] = {}
        self.grown = False
        self.marks_told = 0  # up to this version, marks may be told now
        self.marks_told_at = 0.0
        self.end = audience.end()  # of the log, as far as it was seen to grow
        self.end_at = 0.0
        self.frames: dict[tuple[object, ...], tuple[bytes, int, int]] = {}


class Multicaster:
    """The thread that delivers. All public methods may be called from any thread."""

    def __init__(self) -> None:
        self._halls: dict[int, _Hall] = {}
        self._selector = selectors.DefaultSelector()
        self._waker = Waker()
        self._selector.register(self._waker, selectors.EVENT_READ)
        self._orders: deque[Callable[[], None]] = deque()
        self._awake = True  # False while the thread sleeps in select, or is about to
        self._farewell: str | None = None  # what is said to all while the server is being stopped
        self._give_up_at = 0.0
        self._stopping = False
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="pyrochat-multicast", daemon=True)
        self._thread.start()

    # -- what other threads say ------------------------------------------------------------------------

    def open(self, audience: Audience) -> None:
        """A room is there."""
        self._order(lambda: self._halls.__setitem__(id(audience), _Hall(audience)))

    def forget(self, audience: Audience) -> None:
        """A room is gone, before anybody was in it."""
        self._order(lambda: self._halls.__delitem__(id(audience)))

    def admit(self, outlet: Outlet) -> None:
        """Deliver to *outlet* from now on; another outlet of the same session is closed."""
        self._order(lambda: self._admit(outlet))
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
        self._order(lambda: self._begin_farewell(farewell, time.monotonic() + linger_seconds))
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
        next_tick = time.monotonic()
        while not self._stopping:
            self._awake = False
            pending = self._orders or any(hall.grown for hall in self._halls.values())
            wait = 0.0 if pending else max(0.0, self._next_due(next_tick) - time.monotonic())
            events = self._selector.select(wait)
            self._awake = True
            try:
                for key, mask in events:
                    if key.data is None:
                        self._waker.rest()
                    else:
                        self._look_at(key.data, mask)
                while self._orders:
                    self._orders.popleft()()
                now = time.monotonic()
                for hall in list(self._halls.values()):
                    self._announce_marks(hall, now)
                    if hall.grown:
                        hall.grown = False
                        for outlet in list(hall.ready.values()):
                            self._deliver(hall, outlet)
                if now >= next_tick:
                    next_tick = now + _TICK_SECONDS
                    self._tick(now)
            except Exception:  # a defect; the others' deliveries go on
                log.exception("the multicaster stumbled")
        for hall in self._halls.values():
            for outlet in hall.outlets.values():
                outlet.link.close()
        self._selector.close()
        self._waker.close()
        self._stopped = True
        while self._orders:  # who came back in the last moment
            self._orders.popleft()()

    def _next_due(self, next_tick: float) -> float:
        due = next_tick
        for hall in self._halls.values():
            if hall.audience.marks_version() > hall.marks_told:
                interval = marks_interval_seconds(hall.audience.member_count())
                due = min(due, max(hall.marks_told_at, hall.end_at) + interval)
        return due

    def _announce_marks(self, hall: _Hall, now: float) -> None:
        """Let new marks be told: with messages while some keep coming, else in deliveries of their own."""
        interval = marks_interval_seconds(hall.audience.member_count())
        end = hall.audience.end()
        rides = end > hall.end
        version = hall.audience.marks_version()
        if (
            version > hall.marks_told
            and now >= hall.marks_told_at + interval
            and (rides or now >= hall.end_at + interval)
        ):
            hall.marks_told, hall.marks_told_at = version, now
            hall.grown = True
        if rides:
            hall.end, hall.end_at = end, now

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
                    self._deliver(hall, outlet)

    def _dismiss(self, audience: Audience, session_id: str) -> None:
        hall = self._halls[id(audience)]
        outlet = hall.outlets.get(session_id)
        if outlet is not None:
            self._close(hall, outlet)

    def _close(self, hall: _Hall, outlet: Outlet) -> None:
        del hall.outlets[outlet.session_id]
        hall.ready.pop(outlet.session_id, None)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(outlet.link.sock)
        outlet.link.close()

    def _lose(self, hall: _Hall, outlet: Outlet, reason: str) -> None:
        if hall.outlets.get(outlet.session_id) is outlet:
            self._close(hall, outlet)
            outlet.audience.lost(outlet, reason)

    # -- requests and their answers ---------------------------------------------------------------------

    def _deliver(self, hall: _Hall, outlet: Outlet, beat: bool = False) -> None:
        """Send what follows the outlet's cursor, if anything does (or anyway, as a *beat*)."""
        if outlet.notices:
            self._say(hall, outlet, "notice", outlet.notices.pop(0))
            return
        cursor, link = outlet.cursor, outlet.link
        key = (
            link.object_id, link.serializer_id, cursor.position, hall.audience.end(),
            cursor.marks_position, hall.marks_told,
        )  # fmt: skip
        made = hall.frames.get(key)  # all who are at the same place get the same bytes
        if made is None:
            messages = hall.audience.after(cursor.position)
            made = self._make(hall, outlet, messages or [])
            if messages is not None:
                if len(hall.frames) >= _MOST_FRAMES:
                    hall.frames.clear()
                hall.frames[key] = made
            elif not beat:
                return  # being read from disk; the room says when it has come
        frame, upto, marks_upto = made
        if upto > cursor.position or marks_upto > cursor.marks_position or beat:
            cursor.send(upto, marks_upto)
            self._send(hall, outlet, frame)
        elif self._farewell is not None and not self._give_seal(hall, outlet, newest=True):
            self._part(hall, outlet, self._farewell)

    def _make(self, hall: _Hall, outlet: Outlet, messages: list[bytes]) -> tuple[bytes, int, int]:
        """The frame for what follows the outlet's cursor, and the cursor's two places after it."""
        cursor = outlet.cursor
        marks: list[WireMark] = []
        marks_upto = cursor.marks_position
        if cursor.marks_position < hall.marks_told:
            marks, marks_upto = hall.audience.marks_since(cursor.marks_position, MARKS_IN_A_DELIVERY)
        frame = stretch_frame(outlet.link.object_id, messages, marks, outlet.link.serializer_id)
        return frame, cursor.position + len(messages), marks_upto

    def _give_seal(self, hall: _Hall, outlet: Outlet, newest: bool = False) -> bool:
        """Send the room's seal, if *outlet* has what it is on, and not the seal."""
        id, text = hall.audience.seal(newest)
        if not outlet.turned or outlet.parting or not outlet.sealed < id <= outlet.cursor.position:
            return False
        outlet.sealed = id
        self._say(hall, outlet, "seal", id, text)
        return True

    def _part(self, hall: _Hall, outlet: Outlet, farewell: str) -> None:
        """The server is being stopped, and *outlet* has all that it can get."""
        if outlet.turned and not outlet.parting:
            outlet.parting = True
            self._say(hall, outlet, "closing", farewell)
        else:
            self._close(hall, outlet)

    def _say(self, hall: _Hall, outlet: Outlet, method: str, *arguments: object) -> None:
        outlet.busy = True
        self._send(hall, outlet, request_frame(outlet.link.object_id, method, arguments, outlet.link.serializer_id))

    def _send(self, hall: _Hall, outlet: Outlet, frame: bytes) -> None:
        hall.ready.pop(outlet.session_id, None)
        outlet.last_sent = time.monotonic()
        try:
            outlet.link.send(frame)
        except LinkBroken as error:
            self._lose(hall, outlet, str(error))
            return
        if outlet.link.has_unsent:
            self._selector.modify(outlet.link.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, outlet)

    def _look_at(self, outlet: Outlet, mask: int) -> None:
        hall = self._halls[id(outlet.audience)]
        if hall.outlets.get(outlet.session_id) is not outlet:
            return  # closed by an earlier event of the same round
        try:
            if mask & selectors.EVENT_WRITE:
                outlet.link.flush()
                outlet.last_sent = (
                    time.monotonic()
                )  # it reads, if slowly: a long stretch over a thin line is no silence
                if not outlet.link.has_unsent:
                    self._selector.modify(outlet.link.sock, selectors.EVENT_READ, outlet)
            if not mask & selectors.EVENT_READ:
                return
            answer = outlet.link.receive()
            if answer is None:
                return
            if outlet.ready:
                raise LinkBroken("an answer to nothing")
        except LinkBroken as error:
            self._lose(hall, outlet, str(error))
            return
        hall.ready[outlet.session_id] = outlet
        if outlet.busy:
            outlet.busy = False
        else:
            outlet.audience.confirmed(outlet, answer[0])
        self._deliver(hall, outlet)

    # -- time -----------------------------------------------------------------------------------------------

    def _tick(self, now: float) -> None:
        for hall in self._halls.values():
            timing = hall.audience.timing
            for outlet in list(hall.outlets.values()):
                quiet = now - outlet.last_sent
                if outlet.ready:
                    if not self._give_seal(hall, outlet) and quiet >= timing.beat_seconds:
                        self._deliver(hall, outlet, beat=True)
                elif quiet >= timing.silent_seconds:
                    self._lose(hall, outlet, f"no answer for {timing.silent_seconds:g} s")
            hall.audience.tick(now)
        if self._farewell is not None and (now >= self._give_up_at or not any(h.outlets for h in self._halls.values())):
            self._stopping = True

    def _begin_farewell(self, farewell: str, give_up_at: float) -> None:
        self._farewell, self._give_up_at = farewell, give_up_at
        for hall in self._halls.values():
            hall.grown = True
