"""The multicast: one thread with a selector drives the deliveries of all sessions of all rooms.

It holds no queue for anybody: a session is a cursor, and what it gets next is decided (`core.delivery`) when it is
ready for it. Here are the sockets. Sends never block; connecting, and reading from disk, happen elsewhere.
"""

import contextlib
import logging
import selectors
import threading
from collections import deque
from collections.abc import Callable, Sized

from pyrochat.clock import monotonic
from pyrochat.core.delivery import Close, Request, Say
from pyrochat.core.pace import Pace
from pyrochat.pyro.budget import Budgets, MemoryBudget
from pyrochat.pyro.link import LinkBroken
from pyrochat.pyro.waker import selector_with_waker
from pyrochat.pyro.wire import request_frame
from pyrochat.room.delivery.audience import Audience, Outlet
from pyrochat.room.delivery.channel import Channel
from pyrochat.threads import Defects, go_on

log = logging.getLogger(__name__)


class Multicaster:
    """The thread that delivers. All public methods may be called from any thread.

    unsent: for deliveries that sessions don't take.
    """

    def __init__(self, unsent: MemoryBudget | None = None, pace: Pace | None = None) -> None:
        self._pace = pace or Pace()
        self._unsent = unsent or Budgets.of().unsent
        self._defects = Defects(log)
        self._channels: dict[int, Channel] = {}
        self._orders: deque[Callable[[], None]] = deque()
        self._now = self._next_tick = monotonic()  # the thread's clock: looked at once a round
        self._awake = True  # False while the thread sleeps in select, or is about to
        self._give_up_at: float | None = None  # the server is being stopped: who is slow is waited for until then
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
        self._order(lambda: self._channels.__setitem__(id(audience), Channel(audience, self._pace.marks_interval)))

    def forget(self, audience: Audience) -> None:
        """A room is gone, and nobody is in it."""
        self._order(lambda: self._channels.__delitem__(id(audience)))

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
        channel = self._channels.get(id(audience))
        if channel is not None and channel.group.receivers and not channel.grown:
            channel.grown = True
            self._wake()

    def tell(self, audience: Audience, text: str, member: str | None = None) -> None:
        """Say *text* to everybody in the room who can hear it, or to the sessions of one *member*, beside the log."""
        self._order(lambda: self._tell(audience, text, member))

    def show(self, audience: Audience, method: str, value: Sized) -> None:
        """See `Group.show`."""
        self._order(lambda: self._show(audience, method, value))

    def positions(self, audience: Audience) -> dict[str, int]:
        """How far each session, by its id, has confirmed; a snapshot for operators."""
        channel = self._channels.get(id(audience))
        outlets = list(channel.group.receivers.values()) if channel else []
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
        for channel in self._channels.values():
            for outlet in channel.group.receivers.values():
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
        now, due = monotonic(), self._next_tick
        for channel in self._channels.values():
            due = min(due, self._next_due(channel, now))
        events = self._selector.select(0.0 if self._orders else max(0.0, due - now))
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
        for channel in list(self._channels.values()):
            self._serve(channel)
        if self._now >= self._next_tick:
            self._next_tick = self._now + self._pace.tick_seconds
            self._tick(self._now)
        return True

    def _serve(self, channel: Channel) -> None:
        """Deliver what is new in *channel*; what goes wrong there holds up no other."""
        if self._now < channel.rests_until:
            return
        group = channel.group
        try:
            if channel.look(self._now):
                for outlet in group.ready():
                    self._guarded(self._deliver_to, outlet)
            for outlet in group.unasked(self._now):
                self._guarded(self._deliver_to, outlet, True)
        except BaseException as error:
            self._stumbled(channel, error)

    def _next_due(self, channel: Channel, now: float) -> float:
        if channel.grown:
            return max(now, channel.rests_until)
        try:
            return channel.next_due()
        except BaseException as error:
            self._stumbled(channel, error)
            return self._next_tick

    def _stumbled(self, channel: Channel, error: BaseException) -> None:
        """Something is wrong with a whole room: it rests for a moment, and the others go on."""
        self._defects.tell("the deliveries of a room", error)
        channel.grown, channel.rests_until = True, self._now + self._pace.tick_seconds

    def _guarded(self, do: Callable[..., None], outlet: Outlet, *arguments: object) -> None:
        """*do* something for *outlet*: what goes wrong costs that one, which may come back, and no other."""
        try:
            do(outlet, *arguments)
        except BaseException as error:
            self._defects.tell("a delivery", error)
            channel = self._channels.get(id(outlet.audience))
            if channel is not None:
                self._end(channel, outlet, "the server has stumbled over it")
            outlet.link.close()

    def _deliver_to(self, outlet: Outlet, beat: bool = False) -> None:
        channel = self._channels[id(outlet.audience)]
        self._do(channel, outlet, channel.group.next(outlet, self._now, beat))

    def _admit(self, outlet: Outlet) -> None:
        channel = self._channels.get(id(outlet.audience))
        if channel is None or not outlet.audience.admitted(outlet):
            outlet.link.close()
            return
        self._dismiss(outlet.audience, outlet.session_id)
        try:
            self._selector.register(outlet.link.sock, selectors.EVENT_READ, outlet)
        except (ValueError, OSError) as error:
            outlet.link.close()
            outlet.audience.lost(outlet, str(error))
            return
        self._do(channel, outlet, channel.group.admit(outlet, self._now))

    def _tell(self, audience: Audience, text: str, member: str | None) -> None:
        channel = self._channels.get(id(audience))
        for outlet in list(channel.group.receivers.values()) if channel else ():
            if member in (None, outlet.member):
                self._guarded(self._tell_one, outlet, text)

    def _tell_one(self, outlet: Outlet, text: str) -> None:
        channel = self._channels[id(outlet.audience)]
        self._do(channel, outlet, channel.group.tell(outlet, text, self._now))

    def _show(self, audience: Audience, method: str, value: Sized) -> None:
        channel = self._channels.get(id(audience))
        if channel is not None:
            channel.group.show(method, value)
            for outlet in channel.group.ready():
                self._guarded(self._deliver_to, outlet)

    def _dismiss(self, audience: Audience, session_id: str) -> None:
        channel = self._channels.get(id(audience))
        outlet = channel.group.receivers.get(session_id) if channel is not None else None
        if channel is not None and outlet is not None:
            self._end(channel, outlet)

    def _end(self, channel: Channel, outlet: Outlet, lost: str | None = None) -> None:
        """Close the connection of *outlet*. lost: why its session is lost with it."""
        if not channel.group.has(outlet):
            return
        channel.group.remove(outlet)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(outlet.link.sock)
        outlet.link.close()
        self._unsent.forget(outlet.link)
        if lost is not None:
            outlet.audience.lost(outlet, lost)

    # -- requests and their answers ---------------------------------------------------------------------

    def _do(self, channel: Channel, outlet: Outlet, request: Request | None) -> None:
        """Carry out *request*, and what may follow it at once."""
        group, link = channel.group, outlet.link
        while request is not None:
            match request:
                case Close(lost):
                    self._end(channel, outlet, lost)
                    return
                case Say(method, arguments, asks):
                    frame: bytes | None = request_frame(
                        link.object_id, method, arguments, link.serializer_id, asks=asks
                    )
                case _:
                    stretch = channel.stretch_for(outlet, request.beat)
                    frame = None if stretch is None else group.send(outlet, stretch, self._now, request.beat)
            goes_on = frame is not None and self._send(channel, outlet, frame)
            request = group.next(outlet, self._now) if goes_on else None

    def _send(self, channel: Channel, outlet: Outlet, frame: bytes) -> bool:
        """Send *frame*, or as much of it as the socket takes; returns whether more may follow at once."""
        link = outlet.link
        try:
            link.send(frame)
        except LinkBroken as error:
            self._end(channel, outlet, str(error))
            return False
        if link.unsent:
            self._unsent.keep(link, len(frame), self._now, shared=id(frame))
            self._selector.modify(link.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, outlet)
        return channel.group.sent(outlet, stuck=bool(link.unsent))

    def _look_at(self, outlet: Outlet, mask: int) -> None:
        channel = self._channels[id(outlet.audience)]
        if not channel.group.has(outlet):
            return  # closed by an earlier event of the same round
        try:
            if mask & selectors.EVENT_WRITE:
                self._flush(channel, outlet)
            answer = outlet.link.receive() if mask & selectors.EVENT_READ else None
            if answer is not None and not outlet.owes:
                raise LinkBroken("an answer to nothing")
        except LinkBroken as error:
            self._end(channel, outlet, str(error))
            return
        if answer is not None and (mark := channel.group.answered(outlet, answer[0])) is not None:
            outlet.audience.confirmed(outlet, mark)
        self._do(channel, outlet, channel.group.heard(outlet, self._now))

    def _flush(self, channel: Channel, outlet: Outlet) -> None:
        """Raises LinkBroken."""
        outlet.link.flush()
        if outlet.link.unsent:
            self._unsent.moved(outlet.link, self._now)
        else:
            self._unsent.free(outlet.link)
            self._selector.modify(outlet.link.sock, selectors.EVENT_READ, outlet)
        channel.group.moved(outlet, bool(outlet.link.unsent), self._now)

    # -- time -----------------------------------------------------------------------------------------------

    def _tick(self, now: float) -> None:
        for channel in self._channels.values():
            for outlet in list(channel.group.receivers.values()):
                self._guarded(self._look_at_clock, outlet)
            try:
                channel.audience.tick(now)
            except BaseException as error:
                self._stumbled(channel, error)
        if self._give_up_at is not None:
            is_empty = not any(channel.group.receivers for channel in self._channels.values())
            self._stopping = is_empty or now >= self._give_up_at

    def _look_at_clock(self, outlet: Outlet) -> None:
        channel = self._channels[id(outlet.audience)]
        self._do(channel, outlet, channel.group.overdue(outlet, self._now))

    def _begin_farewell(self, farewell: str, give_up_at: float) -> None:
        self._give_up_at = give_up_at
        for channel in self._channels.values():
            channel.group.say_farewell(farewell)
            channel.grown = True
