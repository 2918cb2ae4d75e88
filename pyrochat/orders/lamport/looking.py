"""The beginning of a totally ordered room's site: it has to know what the room grew from."""

import hashlib
import threading
from collections.abc import Callable, Sequence

from pyrochat.core.graph.disk import Identity
from pyrochat.orders.graph.face import SITE
from pyrochat.orders.lamport.face import Face
from pyrochat.orders.lamport.site import LamportSite
from pyrochat.orders.sites.looking import FOUNDING_SECONDS, Looking
from pyrochat.orders.sites.wire import Dial, Wire
from pyrochat.values.errors import CannotHost, OtherLog

_ROOT_BYTES = 32


def root_of(room: str, founder: Identity) -> bytes:
    """What *room* (folded) grows from, that *founder* has founded."""
    return hashlib.sha256(f"PyroChat ordered room 1 {founder.id} {room}".encode()).digest()


class LamportLooking(Looking):
    """For *site*, whose disk has no root. room: its folded name. See `Looking`."""

    def __init__(
        self, site: LamportSite, face: Face, dial: Dial, room: str, candidates: Callable[[], Sequence[str]],
        seconds: float = FOUNDING_SECONDS, closing: threading.Event | None = None,
    ) -> None:  # fmt: skip
        super().__init__(face, dial, site.at, candidates, seconds, closing)
        self._site, self._room = site, room
        self._causal_at = ""
        self._root = b""

    def _enter(self, wire: Wire, address: str, state: str, root: str) -> None:
        wire.close()
        if state == SITE:
            self._causal_at = address
            return
        self._root = bytes.fromhex(root)
        if len(self._root) != _ROOT_BYTES:
            raise OtherLog("it has no room")

    def _entered(self) -> None:
        if self._causal_at:
            raise CannotHost(f'at {self._causal_at} the room of this name is a causal one: join it with order="causal"')
        self._site.disk.adopt(self._root, self._site.new_identity())

    def _found(self) -> None:
        identity = self._site.new_identity()
        self._site.found(root_of(self._room, identity), identity)
