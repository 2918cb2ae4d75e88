"""The client's end: serves callback objects on connections that were turned around.

One thread serves all callbacks of the process, however many rooms it is in. It never waits for half a
request: a frame is gathered without blocking, and answered when it is whole.
"""

from __future__ import annotations

import contextlib
import heapq
import logging
import os
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator

from Pyro5 import errors as pyro_errors

from pyrochat.clock import monotonic
from pyrochat.pyro.connection import WOULD_BLOCK, shut_down
from pyrochat.pyro.dispatch import Pending, answer_frame
from pyrochat.pyro.frames import HEADER_BYTES, Frame, FrameReader, TooLarge
from pyrochat.pyro.remote import Most
from pyrochat.pyro.serializers import Call, ValueBounds, decode_call
from pyrochat.pyro.waker import selector_with_waker
from pyrochat.threads import Defects, go_on
from pyrochat.values.errors import InvalidArgument, PyroChatError, RoomUnreachable, ServerFault

log = logging.getLogger(__name__)

MOST_REQUESTED = Most(4 << 20, ValueBounds(65_536, 8))
"""What is taken of one call: 512 KiB of messages, or one message, and the marks of 1,000 members."""

_READ_BYTES = 262_144
_SWEEP_SECONDS = 0.5
_ROUND_SECONDS = 0.002
_MOST_KEPT_BYTES = 1 << 20


class _Unreadable(pyro_errors.ConnectionClosedError):  # type: ignore[misc]
    """A call that can't be read, or is more than is taken: there is nothing that it could be answered with."""


class _SameAgain:
    """Reads what a room sends to several members of this process once: all get the same bytes, and these lists."""

    def __init__(self) -> None:
        self._recent: deque[tuple[bytes, int, Call]] = deque(maxlen=4)
        self._whole: tuple[bytes, Frame | None] = (b"", None)  # the last bytes that were one frame

    def frames(self, reader: FrameReader, data: bytes) -> Iterator[Frame]:
        """The frames that are whole with *data*, the next bytes for *reader*; raises ProtocolError."""
        known, same = self._whole
        begins = not reader.has_begun
        if begins and same is not None and data == known:
            yield same
            return
        reader.feed(data)
        while (frame := reader.next()) is not None:
            if begins and HEADER_BYTES + len(frame.payload) == len(data):
                self._whole = (data, frame)
            yield frame

    def decode(self, data: bytes, serializer_id: int) -> Call:
        """The call in *data*; raises _Unreadable."""
        for known, known_id, call in self._recent:
            if known == data and known_id == serializer_id:
                return call
        try:
            call = decode_call(data, serializer_id, MOST_REQUESTED.bounds)
        except InvalidArgument as error:
            raise _Unreadable(str(error)) from None
        if len(data) <= _MOST_KEPT_BYTES:
            self._recent.appendleft((data, serializer_id, call))
        return call


class Served:
    """One callback object on one turned-around connection.

    lost: called once, in the serving thread, when the connection ends without `stop`: with RoomUnreachable, or
    with ServerFault where the room calls what can't be read. silent_seconds: without a request for so long, the
    connection is taken for dead. error: what `lost` was called with. partly_at: when a part of a request came last
    that is not whole yet, by the monotonic clock.
    """

    __slots__ = ("ended", "error", "last_heard", "lost", "objects", "partly_at", "reader", "silent_seconds", "sock")

    def __init__(
        self, sock: socket.socket, callback: object, object_id: str, silent_seconds: float,
        lost: Callable[[PyroChatError], None],
    ) -> None:  # fmt: skip
        sock.setblocking(False)
        self.sock = sock
        self.reader = FrameReader(MOST_REQUESTED.bytes)
        self.objects = {object_id: callback}
        self.silent_seconds = silent_seconds
        self.last_heard = monotonic()
        self.lost = lost
        self.partly_at = 0.0
        self.ended = False
        self.error: PyroChatError | None = None


class CallbackServer:
    """The thread that serves callbacks; `CallbackServer.of_this_process()` is the one to use.

    round_ended: called in it whenever all that had come has been served, and at least every 2 ms.
    """

    _shared: CallbackServer | None = None
    _shared_mutex = threading.Lock()

    def __init__(self) -> None:
        self._selector, self._waker = selector_with_waker()
        self.round_ended: Callable[[], None] | None = None
        self._same = _SameAgain()
        self._space = memoryview(
            bytearray(_READ_BYTES)
        )  # one for all: as a new object each time it costs more than it holds
        self._answers: list[tuple[Served, bytes]] = []  # not sent yet
        self._orders: deque[Callable[[], None]] = deque()
        self._alarms_mutex = threading.Lock()  # guards the next two
        self._alarms: list[tuple[float, int, Callable[[], None]]] = []
        self._alarm_count = 0
        self._sleeps_until = 0.0
        self._defects = Defects(log)
        self._next_sweep = monotonic() + _SWEEP_SECONDS
        self._round_ends = 0.0
        self.thread = threading.Thread(target=self._run, name="pyrochat-callbacks", daemon=True)
        self.thread.start()

    @classmethod
    def of_this_process(cls) -> CallbackServer:
        """The one that all chats of this process share; a new one after a fork."""
        shared = cls._shared
        if shared is None:
            with cls._shared_mutex:
                shared = cls._shared = cls._shared or cls()
        return shared

    @classmethod
    def forget_after_fork(cls) -> None:
        """The threads of the parent are not in the child."""
        cls._shared, cls._shared_mutex = None, threading.Lock()

    def serve(self, served: Served) -> None:
        """Serve *served* from now on; its socket is ours to close. Any thread may call this."""
        self._order(lambda: self._watch(served))

    def stop(self, served: Served) -> None:
        """Close *served* without calling its `lost`. Any thread may call this; doesn't wait."""
        self._order(lambda: self._close(served))

    def break_off(self, served: Served, error: PyroChatError) -> None:
        """End *served*: what comes on it is of no use. Its `lost` is called with *error*. Any thread may call this."""
        self._order(lambda: None if served.ended else self._lose(served, error))

    def call_later(self, seconds: float, call: Callable[[], None]) -> None:
        """Call *call* in the serving thread, *seconds* from now, or half a second later where there is much to serve.

        It has to be quick. Any thread may call this.
        """
        due = monotonic() + seconds
        with self._alarms_mutex:
            self._alarm_count += 1
            heapq.heappush(self._alarms, (due, self._alarm_count, call))
        if due < self._sleeps_until:
            self._waker.wake()

    def _order(self, order: Callable[[], None]) -> None:
        self._orders.append(order)
        self._waker.wake()

    def _run(self) -> None:
        go_on(self._serve_some, "serving callbacks", self._defects)

    def _serve_some(self) -> bool:
        """Serve what has come, or wait for something. True: this is no end."""
        events = self._selector.select(0.0)
        if not events or monotonic() > self._round_ends:
            self._end_round()
            if not events:
                # Only now: what had come may have been what an alarm is set for.
                self._sound_alarms(monotonic())
                events = self._selector.select(self._idle_seconds())
                self._sleeps_until = 0.0
            self._round_ends = monotonic() + _ROUND_SECONDS
        for key, _ in events:
            if key.data is None:
                self._waker.rest()
            else:
                self._read(key.data)
        while self._orders:
            self._orders.popleft()()
        now = monotonic()
        if now >= self._next_sweep:
            self._sound_alarms(now)
            # After a suspend of the machine or a SIGSTOP all would look silent: give them one sweep.
            if now < self._next_sweep + _SWEEP_SECONDS:
                self._sweep(now)
            self._next_sweep = now + _SWEEP_SECONDS
        return True

    def _idle_seconds(self) -> float:
        """How long there is nothing to do, unless something comes."""
        now = monotonic()
        self._sleeps_until = now + _SWEEP_SECONDS  # who sets an earlier alarm from now on wakes us
        with self._alarms_mutex:
            first = self._alarms[0][0] if self._alarms else self._sleeps_until
        return max(0.0, min(first - now, _SWEEP_SECONDS))

    def _sound_alarms(self, now: float) -> None:
        while True:
            with self._alarms_mutex:
                if not self._alarms or self._alarms[0][0] > now:
                    return
                _, _, call = heapq.heappop(self._alarms)
            try:
                call()
            except BaseException as error:
                self._defects.tell("an alarm", error)

    def _watch(self, served: Served) -> None:
        try:
            self._selector.register(served.sock, selectors.EVENT_READ, served)
        except (ValueError, OSError) as error:  # closed before its turn came
            self._lose(served, RoomUnreachable(str(error)))

    def _read(self, served: Served) -> None:
        try:
            try:
                size = served.sock.recv_into(self._space)
            except WOULD_BLOCK:
                return
            if not size:
                raise ConnectionError("the room closed the connection")
            served.last_heard = monotonic()
            for frame in self._same.frames(served.reader, bytes(self._space[:size])):
                answer = answer_frame(frame, served.objects, decode=self._same.decode)
                assert not isinstance(answer, Pending)  # callbacks have their results at once
                if answer is not None:
                    self._answers.append((served, answer))
            if served.reader.has_begun:
                served.partly_at = served.last_heard
        except (TooLarge, _Unreadable) as error:
            self._lose(served, ServerFault(f"what the room delivers is of no use ({str(error).partition(': ')[0]})"))
        except (OSError, pyro_errors.PyroError) as error:
            self._lose(served, RoomUnreachable(str(error)))
        except BaseException as error:
            self._defects.tell("serving a callback", error)
            self._lose(served, RoomUnreachable(f"internal error: {type(error).__name__}"))

    def _end_round(self) -> None:
        """Let the handlers begin, and then answer: of a hundred members here the last one waits for no answer."""
        try:
            if self.round_ended is not None:
                self.round_ended()
        except BaseException as error:  # the answers go out all the same
            self._defects.tell("the end of a round", error)
        answers, self._answers = self._answers, []
        for served, answer in answers:
            try:
                # Small enough for any socket buffer that a caller with one open request leaves us.
                if not served.ended and served.sock.send(answer) < len(answer):
                    raise ConnectionError("the room does not read our answers")
            except OSError as error:
                self._lose(served, RoomUnreachable(str(error)))

    def _sweep(self, now: float) -> None:
        for key in list(self._selector.get_map().values()):
            served = key.data
            if served is not None and now - served.last_heard > served.silent_seconds:
                self._lose(served, RoomUnreachable(f"nothing heard for {served.silent_seconds:g} s"))

    def _lose(self, served: Served, error: PyroChatError) -> None:
        served.error = error
        self._close(served)
        try:
            served.lost(error)
        except BaseException as defect:
            self._defects.tell("telling that a connection was lost", defect)

    def _close(self, served: Served) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(served.sock)
        served.ended = True
        shut_down(served.sock)
        served.sock.close()


os.register_at_fork(after_in_child=CallbackServer.forget_after_fork)
