"""Connects to callbacks that clients serve in daemons of their own: one thread, however many never answer.

A client names the place, so nothing here may wait for it: connecting and the handshake go on without blocking, with
a deadline, in places of which each peer has a few.
"""

import contextlib
import logging
import os
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable

from Pyro5 import protocol
from Pyro5.errors import ProtocolError

from pyrochat.clock import monotonic
from pyrochat.core.peers import peer_of
from pyrochat.core.places import Bounds, Places
from pyrochat.pyro.dispatch import Later
from pyrochat.pyro.forks import not_for_children
from pyrochat.pyro.frames import FrameReader, whole_frame
from pyrochat.pyro.serializers import encode_value
from pyrochat.pyro.waker import selector_with_waker
from pyrochat.threads import Defects, go_on
from pyrochat.values.addresses import Address, shown_address
from pyrochat.values.errors import CallbackUnreachable, PyroChatError, RoomClosing, ServerFull

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
_MOST_GREETING_BYTES = 65_536
_READ_BYTES = 16_384


class Connecting(Later):
    """A connection to the object *object_id* at *address* (numeric) that is being made; `result` is its socket."""

    def __init__(self, address: Address, object_id: str, serializer_id: int) -> None:
        self.address = address
        self.object_id = object_id
        self.serializer_id = serializer_id
        self.sock: socket.socket | None = None
        self.deadline = 0.0
        self.reader = FrameReader(_MOST_GREETING_BYTES)
        greeting = encode_value({"handshake": "hello", "object": object_id}, serializer_id)
        self.unsent = whole_frame(protocol.MSG_CONNECT, greeting, serializer_id)
        self.is_over = False
        self._mutex = threading.Lock()  # guards `is_over` and the next two
        self._error: PyroChatError | None = None
        self._then: Callable[[], None] | None = None

    def __str__(self) -> str:
        return shown_address(self.address)

    def then(self, call: Callable[[], None]) -> None:
        """See `Later`."""
        with self._mutex:
            if not self.is_over:
                self._then = call
                return
        call()

    def result(self) -> socket.socket:
        """The socket, for whoever takes it; only when it is over. Raises CallbackUnreachable, ServerFull, RoomClosing."""
        if self._error is not None:
            raise self._error
        assert self.sock is not None
        return self.sock

    def discard(self) -> None:
        """Close the socket, if there is one: nobody takes it. Only when it is over; idempotent."""
        if self.sock is not None:
            self.sock.close()

    def end(self, error: PyroChatError | None) -> None:
        """It stands, or *error* has come of it. Once."""
        if error is not None:
            self.discard()
        with self._mutex:
            self.is_over, self._error, call = True, error, self._then
        if call is not None:
            call()


class Connector:
    """The thread that connects. Any thread may call `connect` and `close`.

    seconds: until a callback has to be connected and to have shaken hands.
    """

    def __init__(self, bounds: Bounds, seconds: float = CONNECT_SECONDS) -> None:
        self._last_descriptor = bounds.last_free_descriptor
        self._seconds = seconds
        self._places: Places[Connecting] = Places(bounds.callbacks, bounds.callbacks_of_a_peer)
        self._under_way: dict[Connecting, None] = {}  # the earliest deadline first
        self._mutex = threading.Lock()  # guards the next three
        self._orders: deque[Connecting] = deque()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._defects = Defects(log)
        self._selector, self._waker = selector_with_waker()

    def connect(self, connecting: Connecting) -> None:
        """Make the connection. What comes of it is told in our thread."""
        with self._mutex:
            if not self._closing:
                self._orders.append(connecting)
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="pyrochat-connector", daemon=True)
                    self._thread.start()
                self._waker.wake()
                return
        connecting.end(RoomClosing("the room's server is being stopped"))

    def close(self) -> None:
        """Give up what is under way, and end. Idempotent."""
        with self._mutex:
            if self._closing:
                return
            self._closing = True
        self._waker.wake()
        if self._thread is not None:
            self._thread.join()
        self._selector.close()
        self._waker.close()

    # -- the thread ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        go_on(lambda: not self._closing and self._round(), "the connector", self._defects)
        for connecting in [*self._under_way, *self._orders]:
            self._end(connecting, RoomClosing("the room's server is being stopped"))

    def _round(self) -> bool:
        """Wait for something to happen, and do what that wants. True: this is no end."""
        first = next(iter(self._under_way), None)
        wait = None if first is None else max(0.0, first.deadline - monotonic())
        for key, _ in self._selector.select(wait):
            if key.data is None:
                self._waker.rest()
            else:
                self._guarded(key.data, self._go_on)
        while self._orders:
            self._guarded(self._orders.popleft(), self._begin)
        now = monotonic()
        for connecting in [each for each in self._under_way if each.deadline <= now]:
            self._end(connecting, f"{connecting} did not answer within {self._seconds:g} s")
        return True

    def _guarded(self, connecting: Connecting, step: Callable[[Connecting], None]) -> None:
        """Take one *step*; what goes wrong ends that one."""
        try:
            step(connecting)
        except (OSError, ProtocolError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self._end(connecting, f"nothing that speaks Pyro5 answers at {connecting} ({reason or error})")
        except PyroChatError as error:
            self._end(connecting, error)
        except BaseException as error:  # a defect; the others go on
            self._defects.tell("connecting to a callback", error)
            self._end(connecting, f"the server could not connect to {connecting}")

    def _begin(self, connecting: Connecting) -> None:
        host, port = connecting.address
        peer = peer_of(host)
        for oldest in self._places.candidates(peer)[: self._places.surplus(peer)]:
            self._end(oldest, "too many callbacks were to be connected to, and this one was the slowest: try again")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = connecting.sock = not_for_children(socket.socket(family, socket.SOCK_STREAM))
        if sock.fileno() >= self._last_descriptor:
            raise ServerFull("the server has no descriptors left for a callback: try later")
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connecting.deadline = monotonic() + self._seconds
        self._places.put(connecting, peer)
        self._under_way[connecting] = None
        self._selector.register(sock, selectors.EVENT_WRITE, connecting)
        with contextlib.suppress(BlockingIOError):
            sock.connect((host, port))

    def _go_on(self, connecting: Connecting) -> None:
        if connecting not in self._under_way:
            return  # ended by an earlier event of the same round
        sock = connecting.sock
        assert sock is not None
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
        with contextlib.suppress(BlockingIOError, InterruptedError):
            if connecting.unsent:
                connecting.unsent = connecting.unsent[sock.send(connecting.unsent) :]
                if not connecting.unsent:
                    self._selector.modify(sock, selectors.EVENT_READ, connecting)
                return
            data = sock.recv(_READ_BYTES)
            if not data:
                raise ProtocolError("the connection was closed")
            self._hear(connecting, data)

    def _hear(self, connecting: Connecting, data: bytes) -> None:
        connecting.reader.feed(data)
        answer = connecting.reader.next()
        if answer is None:
            return
        # What the answer says is not even read: whoever wrote it gets nothing but deliveries.
        if answer.type != protocol.MSG_CONNECTOK or connecting.reader.has_begun:
            raise ProtocolError("it does not shake hands")
        self._end(connecting, None)

    def _end(self, connecting: Connecting, reason: PyroChatError | str | None) -> None:
        """It is over: None where the connection stands."""
        self._places.remove(connecting)
        self._under_way.pop(connecting, None)
        if connecting.sock is not None:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(connecting.sock)
        error = CallbackUnreachable(f"the callback can't be called: {reason}") if isinstance(reason, str) else reason
        try:
            connecting.end(error)
        except BaseException as error:
            self._defects.tell("telling what came of a callback", error)
