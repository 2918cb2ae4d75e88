"""Threads that serve connections: as many as are needed, none that keeps the interpreter alive."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable

from pyrochat.pyro.connection import Connection
from pyrochat.pyro.frames import Frame

__all__ = ["Workers"]

SPARE_WORKER_SECONDS = 10.0
MAX_WORKERS = 512


class Workers:
    """serve: called in a worker with a connection and the first frame that is there. most: threads."""

    def __init__(self, serve: Callable[[Connection, Frame], None], most: int = MAX_WORKERS) -> None:
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
        while (work := self._next()) is not None:
            self._serve(*work)

    def _next(self) -> tuple[Connection, Frame] | None:
        """What to serve next; None when there has been nothing for a while, or at the end."""
        with self._mutex:
            self._idle += 1
        work, came = None, False
        with contextlib.suppress(queue.Empty):
            work, came = self._waiting.get(timeout=SPARE_WORKER_SECONDS), True
        with self._mutex:
            self._idle -= 1
            if not came:  # but `lend` may just now have counted on us
                with contextlib.suppress(queue.Empty):
                    work = self._waiting.get_nowait()
            if work is None:
                self._count -= 1
        return work
