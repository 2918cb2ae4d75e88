"""A room that a server has: its name, and log, index and threads as long as somebody uses it."""

import threading
from collections.abc import Callable

from pyrochat.clock import monotonic
from pyrochat.room.room import Room
from pyrochat.room.status import RoomStatus
from pyrochat.values.rules import CLOSED


class Hosted:
    """Any thread may call. name: a closed room's id. make: opens the room; close: ends it. idle_seconds: so long unused,
    it is closed. room: as it is already."""

    def __init__(
        self, name: str, make: Callable[[], Room], close: Callable[[Room], None], idle_seconds: float, room: Room | None = None,
    ) -> None:  # fmt: skip
        self.name = name
        self.is_closed = name.startswith(CLOSED)
        self._make = make
        self._close = close
        self._idle_seconds = idle_seconds
        self._mutex = threading.Lock()  # held while it is opened or closed: who comes meanwhile waits
        self._used_at = monotonic()
        self._room = room
        self._last: RoomStatus | None = None  # when it was closed

    @property
    def room(self) -> Room | None:
        """The room, where it is open. It may be closed soon: who asks something of it takes `opened`."""
        return self._room

    def opened(self) -> Room:
        """The room, opened where it is not; it stays open for a while. Raises what opening it raises."""
        with self._mutex:
            self._used_at = monotonic()
            if self._room is None:
                self._room = self._make()
            return self._room

    def open_with(self, make: Callable[[], Room]) -> None:
        """Open it with *make*, unless it is; who asks for it meanwhile waits. Raises what *make* raises."""
        with self._mutex:
            if self._room is None:
                self._used_at, self._room = monotonic(), make()

    def reopen(self, end: Callable[[Room], None], make: Callable[[], Room]) -> None:
        """Close it with *end*, and open it with *make*; who asks for it meanwhile waits. Raises what *make* raises."""
        with self._mutex:
            room, self._room = self._room, None
            if room is not None:
                end(room)
                self._used_at, self._room = monotonic(), make()

    def open_where(self, has_to_be: Callable[[], bool]) -> None:
        """Open it, unless it is, where *has_to_be* says so. Raises what opening it raises."""
        with self._mutex:  # nobody opens the file while it is looked at: see `storage.log_lock` on closing a descriptor
            if self._room is None and has_to_be():
                self._used_at, self._room = monotonic(), self._make()

    def rest(self) -> None:
        """Now and then: close it where nobody is in it, and nobody has asked it for anything for a while."""
        room = self._room
        if room is None or not self._is_unused() or not room.is_idle:
            return
        with self._mutex:
            if self._is_unused():
                self._room, self._last = None, room.status()
                self._close(room)

    def status(self) -> RoomStatus | None:
        """What goes on in it, or how it was when it was closed; None where it was never open."""
        room = self._room
        return self._last if room is None else room.status()

    def settle(self, seconds: float) -> None:
        """Wait, so long at the most, for it being opened or closed."""
        if self._mutex.acquire(timeout=seconds):
            self._mutex.release()

    def _is_unused(self) -> bool:
        return monotonic() - self._used_at >= self._idle_seconds
