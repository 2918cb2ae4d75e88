"""The transport of a room's daemon: many idle connections, few threads.

Stock Pyro5 gives each connection a thread of a pool with a global size, and its accept loop waits for
whoever doesn't speak. Here one thread accepts and watches all idle connections; a worker is lent to a
connection when it speaks, stays with it while the calls keep coming (no hand-over in between), and
goes back when it has been idle for `LINGER_SECONDS`. An idle member costs a descriptor and no thread;
a silent stranger costs nobody anything, and is closed after `FRAME_SECONDS`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from Pyro5 import errors as pyro_errors

from pyrochat.pyro.connection import FRAME_SECONDS, Connection
from pyrochat.pyro.waker import Waker

__all__ = ["Transport"]

log = logging.getLogger(__name__)

LINGER_SECONDS = 0.25
SPARE_WORKER_SECONDS = 10.0
MAX_WORKERS = 512
RESERVED_DESCRIPTORS = 64  # for logs, the name server, the multicaster's own sockets
_BACKLOG = 1024


class Transport:
    """What a Pyro5 daemon takes for its transport server.

    daemon: the daemon whose `_handshake` and `handleRequest` serve the connections. descriptor_limit:
    the process's soft limit; newcomers are refused a little before it is reached.
    """

    def __init__(self, daemon: Any, sock: socket.socket, descriptor_limit: int) -> None:
        self.daemon = daemon
        self.sock: socket.socket | None = sock
        self.locationStr = ""
        sock.listen(_BACKLOG)
        sock.setblocking(False)
        self._last_descriptor = descriptor_limit - RESERVED_DESCRIPTORS
        self._selector = selectors.DefaultSelector()
        self._selector.register(sock, selectors.EVENT_READ)
        self._waker = Waker()
        self._selector.register(self._waker, selectors.EVENT_READ)
        self._returned: deque[Connection] = deque()
        self._workers = _Workers(self._serve)
        self._connections: set[Connection] = set()
        self._connections_mutex = threading.Lock()
        self._stopping = False

    @property
    def sockets(self) -> list[socket.socket]:
        """The listening socket (part of Pyro5's interface)."""
        return [self.sock] if self.sock else []

    @property
    def connection_count(self) -> int:
        """How many connections are open, idle ones included."""
        return len(self._connections)

    # -- the watching thread ---------------------------------------------------------------------------

    def loop(self, loopCondition: Callable[[], bool] = lambda: True) -> None:
        """Accept and watch until `shutdown`; runs in the thread that calls it."""
        next_sweep = time.monotonic() + 1.0
        while not self._stopping and loopCondition():
            for key, _ in self._selector.select(1.0):
                if key.fileobj is self.sock:
                    self._accept_all()
                elif key.fileobj is self._waker:
                    self._waker.rest()
                else:
                    self._selector.unregister(key.fileobj)
                    self._workers.lend(key.data)
            while self._returned:
                self._watch(self._returned.popleft())
            if time.monotonic() >= next_sweep:
                next_sweep = time.monotonic() + 1.0
                self._close_strangers()
        for key in list(self._selector.get_map().values()):
            if isinstance(key.data, Connection):
                self._forget(key.data)
        self._selector.close()
        self._waker.close()

    def _accept_all(self) -> None:
        assert self.sock is not None
        while True:
            try:
                accepted, address = self.sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if self._stopping:
                    return
                log.warning("can't accept a connection: %s", error)
                time.sleep(0.05)  # out of descriptors: the reserve is gone, don't spin
                return
            try:
                connection = Connection(accepted)
            except OSError:  # reset before we looked at it
                accepted.close()
                continue
            if accepted.fileno() >= self._last_descriptor:
                log.warning("refused %s: no descriptors left", address)
                self.daemon.refuse_when_full(connection)
                connection.close()
                continue
            with self._connections_mutex:
                self._connections.add(connection)
            self._watch(connection)

    def _watch(self, connection: Connection) -> None:
        try:
            self._selector.register(connection.sock, selectors.EVENT_READ, connection)
        except (ValueError, OSError):  # closed meanwhile
            self._forget(connection)

    def _close_strangers(self) -> None:
        oldest = time.monotonic() - FRAME_SECONDS
        for key in list(self._selector.get_map().values()):
            connection = key.data
            if isinstance(connection, Connection) and connection.identity is None and connection.born < oldest:
                self._selector.unregister(key.fileobj)
                self._forget(connection)

    # -- the workers -------------------------------------------------------------------------------------

    def _serve(self, connection: Connection) -> None:
        """Serve *connection* as long as it speaks; then it is watched again, detached, or closed."""
        daemon = self.daemon
        try:
            if connection.identity is None and not self._greet(connection):
                self._forget(connection)
                return
            while not self._stopping and connection.has_frame(0.0 if self._workers.short else LINGER_SECONDS):
                daemon.handleRequest(connection)
        except (OSError, pyro_errors.PyroError) as error:
            log.debug("connection closed: %s", error)
            self._forget(connection)
        except Exception:
            log.exception("a connection failed")
            self._forget(connection)
        else:
            if self._stopping:
                self._forget(connection)
            else:
                self._returned.append(connection)
                self.wakeup()

    def _greet(self, connection: Connection) -> bool:
        return connection.has_frame(FRAME_SECONDS) and bool(self.daemon._handshake(connection))

    def _forget(self, connection: Connection) -> None:
        with self._connections_mutex:
            self._connections.discard(connection)
        try:
            self.daemon._clientDisconnect(connection)
        except Exception:
            log.exception("could not clean up after a connection")
        connection.close()

    # -- the end -------------------------------------------------------------------------------------------

    def wakeup(self) -> None:
        """Make the watching thread look around."""
        self._waker.wake()

    def shutdown(self) -> None:
        """Stop accepting and close all connections; idempotent."""
        self._stopping = True
        self.wakeup()
        self.close()

    def close(self) -> None:
        """Part of Pyro5's interface: see `shutdown`."""
        self._stopping = True
        if self.sock is not None:
            with contextlib.suppress(OSError):
                self.sock.close()
            self.sock = None
        with self._connections_mutex:
            connections, self._connections = self._connections, set()
        for connection in connections:
            if not connection.detached:
                with contextlib.suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)
        self._workers.stop()
        self.wakeup()


class _Workers:
    """Threads that serve connections; as many as are needed, none that keeps the interpreter alive."""

    def __init__(self, serve: Callable[[Connection], None]) -> None:
        self._serve = serve
        self._waiting: queue.SimpleQueue[Connection | None] = queue.SimpleQueue()
        self._mutex = threading.Lock()  # guards the two counts
        self._idle = 0
        self._count = 0

    @property
    def short(self) -> bool:
        """Whether connections are waiting for a worker: then nobody lingers."""
        return not self._waiting.empty()

    def lend(self, connection: Connection) -> None:
        """Serve *connection* in a worker, as soon as one is free."""
        with self._mutex:
            start = self._idle <= self._waiting.qsize() and self._count < MAX_WORKERS
            self._count += start
            self._waiting.put(connection)
        if start:
            threading.Thread(target=self._run, name=f"pyrochat-worker-{os.getpid()}", daemon=True).start()

    def stop(self) -> None:
        """Let all workers end; doesn't wait for them."""
        for _ in range(self._count):
            self._waiting.put(None)

    def _run(self) -> None:
        while (connection := self._next()) is not None:
            self._serve(connection)

    def _next(self) -> Connection | None:
        """The next connection to serve; None when there has been none for a while, or at the end."""
        with self._mutex:
            self._idle += 1
        connection, came = None, False
        with contextlib.suppress(queue.Empty):
            connection, came = self._waiting.get(timeout=SPARE_WORKER_SECONDS), True
        with self._mutex:
            self._idle -= 1
            if not came:  # but `lend` may just now have counted on us
                with contextlib.suppress(queue.Empty):
                    connection = self._waiting.get_nowait()
            if connection is None:
                self._count -= 1
        return connection
