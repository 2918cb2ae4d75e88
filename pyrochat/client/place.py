"""A room as it was found."""

from dataclasses import dataclass

from pyrochat.pyro.tls import ClientTls
from pyrochat.values.addresses import Address
from pyrochat.values.protocol import room_object


@dataclass(frozen=True, slots=True)
class RoomPlace:
    """A room as it was found. room: its own spelling. tls: what its certificate has to be, None for a plain port.

    known_as: under which name its server is remembered, None where it need not be. server_key: the key
    that the server has to have, None for any. log_known_as: under which name its log is remembered; base: what that is made
    of for the other rooms of the server. closed: the object id of
    a closed room; of others that follows from the name.
    """

    address: Address
    room: str
    tls: ClientTls | None
    known_as: str | None
    server_key: bytes | None
    log_known_as: str = ""
    base: str = ""
    closed: str | None = None

    @property
    def object_id(self) -> str:
        """Of the room's remote object."""
        return room_object(self.room) if self.closed is None else self.closed
