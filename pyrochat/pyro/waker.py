"""Wakes a thread that sleeps in a selector, from any other thread."""

import contextlib
import selectors
import socket

from pyrochat.pyro.forks import not_for_children


class Waker:
    """A socket to be watched for reading: it becomes readable at `wake`, until `rest`."""

    def __init__(self) -> None:
        self._reader, self._writer = map(not_for_children, socket.socketpair())
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def fileno(self) -> int:
        """For selectors."""
        return self._reader.fileno()

    def wake(self) -> None:
        """Any thread may call this, also after `close`; it never blocks."""
        with contextlib.suppress(OSError):  # full: it is awake anyway. Closed: nobody sleeps any more
            self._writer.send(b"!")

    def rest(self) -> None:
        """Take all wakes in; for the thread that was woken."""
        with contextlib.suppress(OSError):
            while self._reader.recv(4096):
                pass

    def close(self) -> None:
        """Close both ends. Idempotent."""
        self._reader.close()
        self._writer.close()


def selector_with_waker() -> tuple[selectors.BaseSelector, Waker]:
    """A selector, and a waker that it watches; where one of them can't be had, nothing is left of the other."""
    selector = not_for_children(selectors.DefaultSelector())
    try:
        waker = Waker()
    except OSError:
        selector.close()
        raise
    selector.register(waker, selectors.EVENT_READ)
    return selector, waker
