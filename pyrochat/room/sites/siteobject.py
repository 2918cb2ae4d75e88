"""A site's remote object, for the other sites of its room."""

from pyrochat.orders.graph.face import Face
from pyrochat.pyro.dispatch import expose
from pyrochat.room.sites.faceobject import FaceObject


@expose
class SiteObject(FaceObject[Face]):
    """Of a causal room; see `FaceObject`."""

    def meet(self, address: str) -> list[object]:
        """``[state, root, id, label, whether anybody has said anything]``."""
        return self._face.meet(self._key(), address)

    def enter(self, nonce: str, label: str) -> list[str]:
        """``[root, id, key, nonce, label]``."""
        return self._face.enter(self._key(), nonce, label)

    def push(self, root: str, site: str, events: list[object]) -> None:
        """Hand over events."""
        self._face.push(self._key(), root, site, events)

    def exchange(self, root: str, site: str, summary: list[object], more: str) -> list[object]:
        """``[events, summary, more]``."""
        return self._face.exchange(self._key(), root, site, summary, more)
