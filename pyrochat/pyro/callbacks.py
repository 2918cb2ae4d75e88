"""The client's end: serves callback objects on connections that were turned around.

One thread serves all callbacks of the process, however many rooms it is in. It never waits for half a
request: a frame is gathered without blocking and then given whole to Pyro5's daemon.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable

from Pyro5 import errors as pyro_errors
from Pyro5 import protocol, server
from Pyro5.socketutil import SocketConnection

from pyrochat.pyro.waker import Waker
from pyrochat.pyro.wire import HEADER_BYTES, SERIALIZERS
from pyrochat.values.errors import RoomUnreachable

__all__ = ["CallbackServer", "Served"]

log = logging.getLogger(__name__)

MAX_REQUEST_BYTES = 16 * 1024 * 1024
_READ_BYTES = 262_144
_SWEEP_SECONDS = 0.5


class _Frame(SocketConnection):  # type: ignore[misc]
    """What Pyro5's daemon reads one whole request from, and writes its answer to."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock, keep_open=True)
        self.received = bytearray()
        self._at = 0

    def recv(self, size: int) -> bytes:
        """The next *size* bytes of the request."""
        start, self._at = self._at, self._at + size
        return bytes(memoryview(self.received)[start : self._at])

    def send(self, data: bytes) -> None:
        """The answer: small enough for any socket buffer that a caller with one open request leaves us."""
        try:
            sent = self.sock.send(data)
        except OSError as error:
            raise pyro_errors.ConnectionClosedError(str(error)) from None
        if sent < len(data):
            raise pyro_errors.ConnectionClosedError("the room does not read our answers")

    def missing(self) -> int:
        """How many bytes the request still lacks (at least one); 0 when it is whole. Raises ProtocolError."""
        have = len(self.received)
        if have < HEADER_BYTES:
            return HEADER_BYTES - have
        header = protocol.ReceivingMessage(bytes(self.received[:HEADER_BYTES]))
        if header.flags & protocol.FLAGS_COMPRESSED or header.serializer_id not in SERIALIZERS:
            raise pyro_errors.ProtocolError("a request that no room sends")
        whole = HEADER_BYTES + header.annotations_size + header.data_size
        if not have <= whole <= MAX_REQUEST_BYTES:
            raise pyro_errors.ProtocolError("a request that is too large")
        return int(whole - have)

    def done(self) -> None:
        """The request has been served: make room for the next one."""
        self.received.clear()
        self._at = 0


class Served:
    """One callback object on one turned-around connection.

    lost: called once, in the serving thread, with the reason (str) when the connection ends without
    `stop`. Raises RoomUnreachable where the connection is gone already. silent_seconds: without a request for so long, the connection is taken for dead.
    """

    def __init__(
        self, sock: socket.socket, callback: object, object_id: str, silent_seconds: float, lost: Callable[[str], None]
    ) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.frame = _Frame(sock)
        try:
            self.daemon = server.Daemon(connected_socket=sock)
        except OSError as error:
            sock.close()
            raise RoomUnreachable(f"the connection was lost as soon as it stood ({error})") from None
        self.daemon.register(callback, object_id)
        self.silent_seconds = silent_seconds
        self.last_heard = time.monotonic()
        self.lost = lost
        self.ended = False


class CallbackServer:
    """The thread that serves callbacks; `CallbackServer.of_this_process()` is the one to use."""

    _shared: CallbackServer | None = None
    _shared_mutex = threading.Lock()

    def __init__(self) -> None:
        self._process = os.getpid()
        self._selector = selectors.DefaultSelector()
        self._waker = Waker()
        self._selector.register(self._waker, selectors.EVENT_READ)
        self._orders: deque[Callable[[], None]] = deque()
        self.thread = threading.Thread(target=self._run, name="pyrochat-callbacks", daemon=True)
        self.thread.start()

    @classmethod
    def of_this_process(cls) -> CallbackServer:
        """The one that all chats of this process share; a new one after a fork."""
        with cls._shared_mutex:
            if cls._shared is None or cls._shared._process != os.getpid():
                cls._shared = cls()
            return cls._shared

    def serve(self, served: Served) -> None:
        """Serve *served* from now on; its socket is ours to close. Any thread may call this."""
        self._order(lambda: self._watch(served))

    def stop(self, served: Served) -> None:
        """Close *served* without calling its `lost`. Any thread may call this; doesn't wait."""
        self._order(lambda: self._close(served))

    def _order(self, order: Callable[[], None]) -> None:
        self._orders.append(order)
        self._waker.wake()

    def _run(self) -> None:
        next_sweep = time.monotonic() + _SWEEP_SECONDS
        while True:
            for key, _ in self._selector.select(_SWEEP_SECONDS):
                if key.data is None:
                    self._waker.rest()
                else:
                    self._read(key.data)
            while self._orders:
                self._orders.popleft()()
            now = time.monotonic()
            if now >= next_sweep:
                # After a suspend of the machine or a SIGSTOP all would look silent: give them one sweep.
                if now < next_sweep + _SWEEP_SECONDS:
                    self._sweep(now)
                next_sweep = now + _SWEEP_SECONDS

    def _watch(self, served: Served) -> None:
        try:
            self._selector.register(served.sock, selectors.EVENT_READ, served)
        except (ValueError, OSError) as error:  # closed before its turn came
            self._lose(served, str(error))

    def _read(self, served: Served) -> None:
        frame = served.frame
        try:
            missing = frame.missing()
            chunk = served.sock.recv(max(missing, 1) if missing > _READ_BYTES else _READ_BYTES)
            if not chunk:
                raise ConnectionError("the room closed the connection")
            served.last_heard = time.monotonic()
            frame.received += chunk
            while not frame.missing():
                served.daemon.handleRequest(frame)
                frame.done()
        except (BlockingIOError, InterruptedError):
            return
        except (OSError, pyro_errors.PyroError) as error:
            self._lose(served, str(error))
        except Exception as error:
            log.exception("a callback connection failed")
            self._lose(served, str(error))

    def _sweep(self, now: float) -> None:
        for key in list(self._selector.get_map().values()):
            served = key.data
            if served is not None and now - served.last_heard > served.silent_seconds:
                self._lose(served, f"nothing heard for {served.silent_seconds:g} s")

    def _lose(self, served: Served, reason: str) -> None:
        self._close(served)
        try:
            served.lost(reason)
        except Exception:
            log.exception("could not tell that a connection was lost")

    def _close(self, served: Served) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(served.sock)
        served.ended = True
        served.daemon.close()
        served.sock.close()
