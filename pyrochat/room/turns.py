"""Turns: whoever asks for the past waits for one here, and holds no worker meanwhile.

A few threads read for all, so few answers are in memory at once, however many ask: each is encoded and handed to its
connection in the thread that has read it. Who asks for the past does not slow down the present.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable

from pyrochat.core.log import Log
from pyrochat.pyro.dispatch import Later
from pyrochat.threads import Defects, go_on
from pyrochat.values.errors import RoomClosing
from pyrochat.values.message import Message

log = logging.getLogger(__name__)

AT_ONCE = 2
_READ_AT_ONCE = 64  # messages: a megabyte at the most

Charge = Callable[[float], None]


class Turns:
    """The threads. at_once: how many of them; who asks in a batch waits in its own, for the same turns."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._free = threading.Semaphore(at_once)
        self._waiting: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._mutex = threading.Lock()  # guards `_closed` against who would come too late
        self._closed = False
        self._defects = Defects(log)
        self._threads = [
            threading.Thread(target=self._run, name=f"pyrochat-turns-{number}", daemon=True)
            for number in range(at_once)
        ]
        for thread in self._threads:
            thread.start()

    def take(self, read: Callable[[], object], charge: Charge) -> Later:
        """What *read* returns, when it is its turn. charge: called with the seconds of a core that all of it has taken."""
        return _Turn(self, read, charge)

    def add(self, call: Callable[[], None]) -> bool:
        """Let *call* be made by one of the threads; False where there are none any more."""
        with self._mutex:
            if not self._closed:
                self._waiting.put(call)
            return not self._closed

    def result_of(self, read: Callable[[], object]) -> object:
        """What *read* returns, in this thread. Raises RoomClosing, and what it raises."""
        self._check_open()
        with self._free:
            self._check_open()
            return read()

    def _check_open(self) -> None:
        if self._closed:
            raise RoomClosing("the room's server is being stopped")

    def close(self) -> None:
        """End after what is under way; who still waits is told so. Idempotent."""
        with self._mutex:
            if self._closed:
                return
            self._closed = True
            for _ in self._threads:
                self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        go_on(self._do_next, "reading what was asked for", self._defects)

    def _do_next(self) -> bool:
        call = self._waiting.get()
        if call is not None:
            call()
        return call is not None


class _Turn(Later):
    """See `Turns.take`."""

    def __init__(self, turns: Turns, read: Callable[[], object], charge: Charge) -> None:
        self._turns = turns
        self._read = read
        self._charge = charge

    def then(self, call: Callable[[], None]) -> None:
        """See `Later`: *call* asks for the result, so it reads, and it encodes and sends what was read."""

        def do() -> None:
            begun = time.thread_time()
            try:
                call()
            finally:
                self._charge(time.thread_time() - begun)

        if not self._turns.add(do):
            call()

    def result(self) -> object:
        """See `Later`."""
        return self._turns.result_of(self._read)


def read_page(log: Log, after: int, limit: int, most_bytes: int) -> list[Message]:
    """Messages after id *after*: at most *limit*, and no more where those before have *most_bytes* of text."""
    found: list[Message] = []
    size = 0
    while len(found) < limit and size < most_bytes:
        part = log.read(after + len(found), min(limit - len(found), _READ_AT_ONCE))
        if not part:
            break
        found += part
        size += sum(len(message.text) for message in part)
    return found
