"""The remote object of a site of a totally ordered room, for the other sites."""

from pyrochat.orders.lamport.face import Face
from pyrochat.pyro.dispatch import expose
from pyrochat.room.sites.faceobject import FaceObject


@expose
class OrderedSiteObject(FaceObject[Face]):
    """Of a totally ordered room; see `FaceObject`."""

    def meet(self, address: str) -> list[object]:
        """``[state, root, who, stays]``."""
        return self._face.meet(self._key(), address)

    def push(self, root: str, who: str, said: list[object], rows: list[object]) -> list[object]:
        """``[who, addresses]``."""
        return self._face.push(self._key(), root, who, said, rows)

    def beside(self, root: str, who: str) -> list[object]:
        """What stands beside the streams."""
        return self._face.beside(self._key(), root, who)

    def enter(self, nonce: str, label: str) -> None:
        """A site of a causal room wants to be let in. Raises VersionMismatch."""
        self._face.refuse_causal()
