"""A connection, plain or with TLS: never blocks in the kernel, has a deadline for each frame.

Stock Pyro5 reads a frame with three `recv` calls and either waits for ever or drops whoever is idle.
Here the wait for a frame's first byte may last (that is being idle), the rest of it may not.
"""

import contextlib
import select
import socket
import ssl
import struct
from typing import Any

from Pyro5.errors import ConnectionClosedError
from Pyro5.errors import TimeoutError as PyroTimeout

from pyrochat.clock import monotonic
from pyrochat.core.peers import peer_of
from pyrochat.pyro.budget import Budgets
from pyrochat.pyro.forks import not_for_children
from pyrochat.pyro.frames import Frame, FrameReader

_READ_BYTES = 65_536
_NOTHING = memoryview(b"")
_MOST_DRAINED_BYTES = 4 * 1024 * 1024

_HUNG_UP = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR  # the first is Linux's own

WOULD_BLOCK = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""What a non-blocking socket raises, plain or with TLS, when there is nothing to do now."""


class Connection:
    """One end of a Pyro5 connection.

    identity: whatever the server has bound to it; None before. trusted: it has passed whatever the
    server asks of newcomers. settled: it may stay without being trusted. detached: somebody else has
    taken the socket, and closing this object leaves it open.
    vouched: a key that is proved stands for it; others may have to make room for newcomers. stays: it has a session
    on the server, and makes room last. crowded: it came when places were few.
    peer_address: the peer's numeric address, also when it is gone; empty where it has none. peer: see `core.peers`.
    budgets: what this connection makes us keep counts there.
    """

    def __init__(self, sock: socket.socket, most_bytes: int, budgets: Budgets | None = None) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setblocking(False)
        self.sock = not_for_children(sock)
        self.reader = FrameReader(most_bytes)
        self.identity: Any = None
        self.trusted = False
        self.settled = False
        self.vouched = False
        self.stays = False
        self.crowded = False
        self.detached = False
        self.closed = False
        self.aborted = False
        self.peer_address = address_of(sock)
        self.peer = peer_of(self.peer_address)
        self.born = monotonic()
        self.frame_begun = self.born
        self.refused_at: float | None = None
        self.is_pending = False  # a request is being served whose result comes later
        self.is_parked = False  # and nobody watches the connection meanwhile
        self.rests_until = 0.0
        self.unsent = _NOTHING
        self._answer_bytes = 0  # of the whole that `unsent` is the rest of: all of it is kept
        self.progress_at = self.born
        self._drained = 0
        self._budgets = budgets
        self._served_bytes = 0  # of the request that is being served, or waits for it

    @property
    def is_secure(self) -> bool:
        """Whether TLS is spoken."""
        return isinstance(self.sock, ssl.SSLSocket)

    # -- reading ---------------------------------------------------------------------------------------------

    def receive(self) -> bool:
        """Read what is there, without waiting; False where nothing is. Raises ConnectionClosedError."""
        if self.aborted:
            raise ConnectionClosedError("aborted")
        begun = self.reader.has_begun
        try:
            chunk = self.sock.recv(_READ_BYTES)
        except WOULD_BLOCK:
            return False
        except OSError as error:
            raise ConnectionClosedError(f"connection lost: {error}") from None
        if not chunk:
            raise ConnectionClosedError("the peer closed the connection")
        if not begun:
            self.frame_begun = monotonic()
        self.reader.feed(chunk)
        self._count_request()
        return True

    def next_frame(self) -> Frame | None:
        """The next frame, when all of it is here; it counts as kept until `served`. Raises ProtocolError."""
        frame = self.reader.next()
        if frame is not None:
            self._served_bytes = len(frame.payload)
            self._count_request()
        return frame

    def served(self) -> None:
        """The last frame is not needed any more."""
        self._served_bytes = 0
        self._count_request()

    def _count_request(self) -> None:
        if self._budgets is None:
            return
        _, budget, other = self._budgets
        if not self.trusted:
            budget, other = other, budget
        other.free(self)
        size = self.reader.size + self._served_bytes
        budget.keep(self, size, self.frame_begun, may_end=not self._served_bytes)

    def wait_frame(self, seconds: float) -> Frame | None:
        """The next frame; None where it is not whole within *seconds*.

        Raises ConnectionClosedError, and ProtocolError for what the reader refuses.
        """
        deadline = monotonic() + seconds
        while (frame := self.next_frame()) is None:
            if not self._wait(select.POLLIN, deadline):
                return None
            self.receive()
        return frame

    def rest(self, seconds: float) -> None:
        """Don't read from the peer for *seconds*: it has asked for too much."""
        self.rests_until = max(self.rests_until, monotonic() + seconds)

    @property
    def is_resting(self) -> bool:
        """Whether the peer's next request has to wait."""
        return self.rests_until > 0.0 and monotonic() < self.rests_until

    def drain(self) -> None:
        """Read what a refused peer still sends, and drop it. Raises ConnectionClosedError at its end, or when it is much."""
        with contextlib.suppress(*WOULD_BLOCK):
            size = len(socket.socket.recv(self.sock, _READ_BYTES))  # below TLS, which may have failed
            self._drained += size
            if not size or self._drained > _MOST_DRAINED_BYTES:
                raise ConnectionClosedError("the peer was refused")

    def has_hung_up(self) -> bool:
        """Whether the peer has closed its end, whatever it has sent before that."""
        try:
            poll = select.poll()
            poll.register(self.sock, _HUNG_UP)
            return bool(poll.poll(0))
        except (OSError, ValueError):  # closed on our side already
            return True

    # -- writing ---------------------------------------------------------------------------------------------

    def post(self, data: bytes) -> None:
        """Send as much of *data* as the socket takes; the rest is `unsent`. Raises ConnectionClosedError."""
        self.unsent, self._answer_bytes = memoryview(data), len(data)
        self.flush()

    def flush(self) -> None:
        """Send more of what is unsent; raises ConnectionClosedError."""
        try:
            while self.unsent:
                self.unsent = self.unsent[self.sock.send(self.unsent) :]
                self.progress_at = monotonic()
            self.unsent = _NOTHING  # and not an empty view into what was sent
        except WOULD_BLOCK:
            pass
        except OSError as error:
            raise ConnectionClosedError(f"connection lost: {error}") from None
        if self._budgets is not None:
            self._budgets.unsent.keep(self, self._answer_bytes if self.unsent else 0, self.progress_at)

    def send(self, data: bytes, seconds: float) -> None:
        """All of *data*; raises Pyro5's TimeoutError or ConnectionClosedError."""
        deadline = monotonic() + seconds
        self.post(data)
        while self.unsent:
            if not self._wait(select.POLLOUT, deadline):
                raise PyroTimeout("the peer does not read")
            self.flush()

    def send_at_once(self, data: bytes) -> None:
        """*data*, as far as the socket takes it now: a last word to somebody who may not listen."""
        with contextlib.suppress(OSError):
            self.sock.send(data)

    def _wait(self, event: int, deadline: float) -> bool:
        """Whether the socket is ready before *deadline*."""
        if event == select.POLLIN and isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            return True
        poll = select.poll()
        poll.register(self.sock, event)
        return bool(poll.poll(max(0.0, deadline - monotonic()) * 1000))

    def end_of_words(self) -> None:
        """Nothing more is said: the peer is given time to read what was."""
        self.refused_at = monotonic()
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_WR)

    # -- the end ---------------------------------------------------------------------------------------------

    def detach(self) -> socket.socket:
        """Hand the socket over; whoever takes it closes it."""
        self.detached = True
        return self.sock

    def hang_up(self) -> None:
        """End the connection from any thread: whoever serves it notices."""
        if not self.detached:
            shut_down(self.sock)

    def abort(self) -> None:
        """As `hang_up`; what is still in the kernel's buffers is dropped, either way."""
        self.aborted = True
        if not self.detached:
            reset(self.sock)

    def close(self) -> None:
        """Close the socket, unless it was handed over. Idempotent."""
        self.closed = True
        for budget in self._budgets or ():
            budget.forget(self)
        if not self.detached:
            shut_down(self.sock)
            self.sock.close()


def address_of(sock: socket.socket) -> str:
    """The numeric address of *sock*'s peer; empty where it is gone, or has none."""
    try:
        name = sock.getpeername()
    except OSError:  # it is gone already
        return ""
    return str(name[0]) if isinstance(name, tuple) else ""


def reset(sock: socket.socket) -> None:
    """As `shut_down`; and when *sock* is closed, what is in the kernel's buffers goes nowhere."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    shut_down(sock)


def shut_down(sock: socket.socket) -> None:
    """End both directions, so that a thread that waits on *sock* wakes up; no farewell of TLS's."""
    with contextlib.suppress(OSError):  # not connected any more
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
