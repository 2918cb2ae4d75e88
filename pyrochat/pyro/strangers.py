"""The connections for which no proved key stands: guests, who gave no name, and who has not said who it is yet.

They may be let go at any time, so they have places, and the ones that have been idle for longest make room.
"""

import threading

from pyrochat.core.places import Bounds, Places
from pyrochat.pyro.connection import Connection


class Strangers:
    """The places of a server. Any thread may call."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._mutex = threading.Lock()  # guards the next one
        self._places: Places[Connection] = Places(bounds.strangers, bounds.strangers_of_a_peer)

    def add(self, connection: Connection) -> None:
        """A newcomer takes a place."""
        with self._mutex:
            self._places.put(connection, connection.peer)

    def look_at(self, connection: Connection) -> None:
        """*connection* has asked for something: it was idle till now, or it needs its place no longer."""
        with self._mutex:
            if connection.vouched:
                self._places.remove(connection)
            elif connection.trusted:  # who is not in yet gets no time by talking
                self._places.renew(connection, connection.stays)

    def remove(self, connection: Connection) -> None:
        """*connection* is gone. Idempotent."""
        with self._mutex:
            self._places.remove(connection)

    def too_many(self) -> list[Connection]:
        """Who has to go for the bounds to hold: who was served when it was its turn is idle again."""
        with self._mutex:
            return self._places.too_many()

    def making_room(self, newcomer: Connection) -> tuple[int, list[Connection]]:
        """How many have to go before *newcomer* has a place, and who may, in order; says whether it is crowded here."""
        descriptor = newcomer.sock.fileno()
        newcomer.crowded = descriptor >= self._bounds.last_free_descriptor
        with self._mutex:
            needed = self._places.surplus(newcomer.peer)
            if descriptor >= self._bounds.last_descriptor or (
                newcomer.crowded and len(self._places) >= self._bounds.strangers_when_crowded
            ):
                needed = max(needed, 1)
            return needed, self._places.candidates(newcomer.peer) if needed else []
