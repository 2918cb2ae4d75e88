"""The rooms of a server as those see them who come: which there are for them, and what they may do about that."""

from pyrochat.core.closed_names import names_of
from pyrochat.pyro.connection import Connection
from pyrochat.room.door.closed import ClosedRooms
from pyrochat.room.door.door import Door
from pyrochat.room.door.identity import Identity
from pyrochat.room.door.limiter import Limiter
from pyrochat.room.hosted import Hosted
from pyrochat.room.rooms import ROOM_BYTES, Rooms
from pyrochat.values.errors import NewRoomsRefused
from pyrochat.values.protocol import room_object
from pyrochat.values.rules import fold


class MembersRooms:
    """Any thread may call. hosted: all rooms of the server. closed: who may enter which of the closed ones."""

    def __init__(self, hosted: Rooms, closed: ClosedRooms, door: Door, limiter: Limiter) -> None:
        self.hosted = hosted
        self.closed = closed
        self._door = door
        self._limiter = limiter

    def names_for(self, identity: Identity) -> list[str]:
        """The names of all rooms that *identity* may enter: the open ones, and its closed ones."""
        open_ones = self.hosted.names
        return [*open_ones, *names_of(self.closed.of(identity), open_ones).values()]

    def create(self, identity: Identity, connection: Connection, name: str) -> None:
        """Open the room for everybody, where it is not there. Raises NewRoomsRefused, RateLimited, and what `Rooms.create` raises."""
        is_new = not self.hosted.has(name)
        self._limiter.check(identity, 1, ROOM_BYTES if is_new else 0, connection)
        if is_new:
            self._door.check_may_create_rooms(identity)
            self.hosted.create(name, identity.name)

    def create_closed(
        self, identity: Identity, connection: Connection, title: str, names: list[str], once: str | None
    ) -> list[str]:
        """A closed room for *identity* and *names*; returns its name and its object id. Raises as `create` does, and see
        `ClosedRooms.create`."""
        self._check_new(identity, connection)
        self._door.check_may_create_rooms(identity)
        room = self.closed.create(identity, title, names, once)
        self.hosted.host_closed(room, title)
        for name in names:
            self.hosted.tell(fold(name), _let_in(identity, title))
        return self._shown(identity, room)

    def direct(self, identity: Identity, connection: Connection, name: str) -> list[str]:
        """The room of *identity* and *name*: its name and its object id. See `ClosedRooms.direct`."""
        if self.hosted.sites is not None:
            raise NewRoomsRefused("a site has no direct rooms: they would be on this machine only")
        self._limiter.check(identity, 1, 0, connection)
        room, is_new = self.closed.direct(identity, name, lambda: self._check_new(identity, connection))
        title = self.closed.title(room)
        self.hosted.host_closed(room, title)
        if is_new:
            self.hosted.tell(fold(name), f"{identity.name} has opened a direct room with you: {title}")
        return self._shown(identity, room)

    def _check_new(self, identity: Identity, connection: Connection) -> None:
        self._limiter.check(identity, 1, ROOM_BYTES, connection)
        self.hosted.check_space()

    def _shown(self, identity: Identity, room: str) -> list[str]:
        return [names_of(self.closed.of(identity), self.hosted.names)[room], room_object(room)]

    def invite(self, identity: Identity, hosted: Hosted, name: str) -> None:
        """Let *name* into the closed room; a line in the room says it, and whoever *name* is is told. See `ClosedRooms.invite`."""
        entrant = self.closed.invite(identity, hosted.name, name)
        if entrant is not None:
            room = hosted.opened()
            room.invited(identity.name, entrant.name, entrant.key)
            self.hosted.tell(entrant.member, _let_in(identity, room.name))

    def remove(self, identity: Identity, hosted: Hosted, name: str) -> None:
        """Shut *name* out of the closed room; a line in the room says it. See `ClosedRooms.remove`."""
        was_in = self.closed.key_of(hosted.name, fold(name)) is not None
        entrant = self.closed.remove(identity, hosted.name, name)
        room = hosted.opened()
        if was_in or entrant.member in map(fold, room.members()):
            by = entrant.name if entrant.member == identity.member else identity.name
            room.removed(by, entrant.member, entrant.name, entrant.key)


def _let_in(identity: Identity, title: str) -> str:
    return f"{identity.name} has let you into the closed room {title!r}: join it"
