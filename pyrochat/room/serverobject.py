"""The server's own remote object: which rooms there are."""

from pyrochat.pyro.daemon import caller
from pyrochat.pyro.dispatch import expose
from pyrochat.room.door.door import Door
from pyrochat.room.door.identity import Identity
from pyrochat.room.members_rooms import MembersRooms
from pyrochat.values.errors import NameMissing
from pyrochat.values.protocol import PROTOCOL_VERSION, SERVER_OBJECT, room_object

_MOST_CLOSED = 5_000


@expose
class ServerObject:
    """The server itself, as `pyrochat.server`; needs no name, but for what closed rooms there are."""

    def __init__(self, rooms: MembersRooms, door: Door) -> None:
        self._rooms = rooms
        self._door = door

    def prove(self, signature: str, password_proof: str | None = None) -> None:
        """As `ChatRoom.prove`."""
        self._door.prove(caller(), SERVER_OBJECT, signature, password_proof)

    def rooms(self) -> list[str]:
        """The names of the rooms that this server has: the open ones, and the closed ones that the caller may enter."""
        identity = caller().identity
        return self._rooms.names_for(identity) if isinstance(identity, Identity) else self._rooms.hosted.names

    def closed_rooms(self) -> list[list[str]]:
        """``[title, object id]`` of the closed rooms that the caller may enter, 5,000 at the most."""
        identity = caller().identity
        if not isinstance(identity, Identity):
            raise NameMissing(
                "say who you are in the handshake, and prove it: closed rooms are for those who may enter"
            )
        return [[title, room_object(room)] for title, room in self._rooms.closed.of(identity)[:_MOST_CLOSED]]

    def version(self) -> int:
        """The version of PyroChat's protocol that this server speaks."""
        return PROTOCOL_VERSION
