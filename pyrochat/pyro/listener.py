"""The port that newcomers come to: accepts some at a time, and never waits, whatever goes wrong."""

import contextlib
import logging
import selectors
import socket
from collections.abc import Iterator

from pyrochat.clock import monotonic
from pyrochat.pyro.forks import not_for_children

log = logging.getLogger(__name__)

BACKLOG = 1024
_MOST_AT_ONCE = 64  # whoever is here already has a turn between so many newcomers
_REST_SECONDS = 0.05


class Listener:
    """The listening socket *sock* under *selector*, which tells of it with no data. For one thread, but for `close`."""

    def __init__(self, sock: socket.socket, selector: selectors.BaseSelector) -> None:
        sock.setblocking(False)
        self.sock: socket.socket | None = not_for_children(sock)
        self._selector = selector
        self._rests_until = 0.0
        self._is_trouble_told = False
        selector.register(sock, selectors.EVENT_READ)

    @property
    def is_resting(self) -> bool:
        """Whether nobody is accepted for a moment."""
        return self._rests_until > 0.0

    def accept(self) -> Iterator[socket.socket]:
        """Some of those who wait at the port."""
        for _ in range(_MOST_AT_ONCE):
            if (sock := self.sock) is None:
                return
            try:
                accepted, _ = sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if self.sock is not None:
                    self._rest(sock, error)
                return
            self._is_trouble_told = False
            yield accepted

    def _rest(self, sock: socket.socket, error: OSError) -> None:
        """Out of descriptors, the reserve is gone: don't spin, and serve those who are here meanwhile."""
        if not self._is_trouble_told:
            log.warning("can't accept connections: %s", error)
            self._is_trouble_told = True
        with contextlib.suppress(KeyError, ValueError):  # closed meanwhile
            self._selector.unregister(sock)
        self._rests_until = monotonic() + _REST_SECONDS

    def look(self, now: float) -> None:
        """Accept again, where there was a rest that is over."""
        if self.is_resting and now >= self._rests_until and (sock := self.sock) is not None:
            self._rests_until = 0.0
            with contextlib.suppress(KeyError, ValueError, OSError):  # closed meanwhile
                self._selector.register(sock, selectors.EVENT_READ)

    def close(self) -> None:
        """Accept nobody any more. Any thread may call this. Idempotent."""
        sock, self.sock = self.sock, None
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.close()
