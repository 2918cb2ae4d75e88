"""What the remote objects of all sites have, whatever they answer."""

from typing import Generic, TypeVar

from pyrochat.orders.sites.face import SiteFace
from pyrochat.pyro.daemon import caller
from pyrochat.pyro.dispatch import expose
from pyrochat.room.door.door import Door
from pyrochat.room.door.identity import SiteIdentity
from pyrochat.values.errors import ProofMissing

F = TypeVar("F", bound=SiteFace)


class FaceObject(Generic[F]):
    """One room's site, as ``pyrochat.<room>@``. All methods are for sites, which have proved their server's key; see *face*."""

    def __init__(self, object_id: str, face: F, door: Door) -> None:
        self._object_id = object_id
        self._face = face
        self._door = door

    @expose
    def prove(self, signature: str, password_proof: str | None = None) -> None:
        """As `ChatRoom.prove`."""
        self._door.prove(caller(), self._object_id, signature, password_proof)

    def _key(self) -> str:
        identity = caller().identity
        if not isinstance(identity, SiteIdentity) or identity.object_id != self._object_id:
            raise ProofMissing(
                "this is for the other sites of the room: say in the handshake that you are one, and prove it"
            )
        return identity.key.hex()
