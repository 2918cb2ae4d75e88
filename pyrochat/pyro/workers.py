"""Threads that serve connections: as many as are needed, none that keeps the interpreter alive."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
from collections.abc import Callable

from pyrochat.core.pace import Pace
from pyrochat.pyro.connection import Connection
from pyrochat.pyro.frames import Frame
from pyrochat.threads import Defects, go_on

log = logging.getLogger(__name__)

STRANGERS_WORKERS = 16
LARGE_WORKERS = 8  # what a large request has become can be eight times as large, as long as it is served
LARGE_BYTES = 64 * 1024

Serve = Callable[[Connection, Frame], None]
_defects = Defects(log)


class Pools:
    """Whose threads serve a request: strangers can't take those of the trusted, large requests not those of small ones."""

    def __init__(self, serve: Serve, pace: Pace) -> None:
        spare = pace.spare_worker_seconds
        self._trusted = Workers(serve, pace.most_workers, spare_seconds=spare)
        self._strangers = Workers(serve, STRANGERS_WORKERS, linger=False, spare_seconds=spare)
        self._large = Workers(serve, LARGE_WORKERS, linger=False, spare_seconds=spare)

    def of(self, connection: Connection, frame: Frame) -> Workers:
        """The workers for this request of *connection*'s."""
        if not connection.trusted:
            return self._strangers
        return self._trusted if len(frame.payload) <= LARGE_BYTES else self._large

    def lend(self, connection: Connection, frame: Frame) -> None:
        """Serve *connection* in a worker, as soon as one of the right ones is free."""
        self.of(connection, frame).lend(connection, frame)

    def stop(self) -> None:
        """Let all workers end; doesn't wait for them."""
        for workers in (self._trusted, self._strangers, self._large):
            workers.stop()


class Workers:
    """serve: called in a worker with a connection and the first frame that is there. most: threads.

    linger: whether one stays with a connection for a while after its call. spare_seconds: one that has had nothing to
    do for so long ends.
    """

    def __init__(self, serve: Serve, most: int, linger: bool = True, spare_seconds: float = 10.0) -> None:
        self.linger = linger
        self._spare_seconds = spare_seconds
        self._serve = serve
        self._most = most
        self._waiting: queue.SimpleQueue[tuple[Connection, Frame] | None] = queue.SimpleQueue()
        self._mutex = threading.Lock()  # guards the two counts
        self._idle = 0
        self._count = 0
        self._stopped = False

    @property
    def short(self) -> bool:
        """Whether connections are waiting for a worker: then nobody lingers."""
        return not self._waiting.empty()

    def lend(self, connection: Connection, frame: Frame) -> None:
        """Serve *connection* in a worker, as soon as one is free."""
        with self._mutex:
            if self._stopped:  # its socket has been shut down already
                return
            start = self._idle <= self._waiting.qsize() and self._count < self._most
            self._count += start
            self._waiting.put((connection, frame))
        if start:
            threading.Thread(target=self._run, name=f"pyrochat-worker-{os.getpid()}", daemon=True).start()

    def stop(self) -> None:
        """Let all workers end; doesn't wait for them."""
        with self._mutex:
            self._stopped = True
            for _ in range(self._count):
                self._waiting.put(None)

    def _run(self) -> None:
        go_on(self._serve_one, "a worker", _defects)

    def _serve_one(self) -> bool:
        """Serve what comes next; False where the thread is to end."""
        work = self._next()
        if work is None:
            return False
        self._serve(*work)
        return True

    def _next(self) -> tuple[Connection, Frame] | None:
        """What to serve next; None when there has been nothing for a while, or at the end."""
        with self._mutex:
            self._idle += 1
        work, came = None, False
        with contextlib.suppress(queue.Empty):
            work, came = self._waiting.get(timeout=self._spare_seconds), True
        with self._mutex:
            self._idle -= 1
            if not came:  # but `lend` may just now have counted on us
                with contextlib.suppress(queue.Empty):
                    work = self._waiting.get_nowait()
            if work is None:
                self._count -= 1
        return work
