"""What a room does because other servers have it too: its members may be there, or better off there."""

import logging
from collections.abc import Callable, Iterable

from pyrochat.clock import monotonic
from pyrochat.core.order import Order
from pyrochat.core.sessions import Session
from pyrochat.room.delivery.audience import Audience
from pyrochat.room.delivery.multicast import Multicaster
from pyrochat.room.door.names import Names
from pyrochat.values.errors import LogUnavailable, RoomClosing
from pyrochat.values.protocol import HELD_UP

logger = logging.getLogger(__name__)

BACK = "everything goes on again"
_APART_SECONDS = 0.5


class Elsewhere:
    """audience: the room, called *name*. parted: told of each session, by its id, that is connected here no longer.

    alone_seconds: see `Pace`. trouble: what keeps the order from going on; None while nothing does.
    """

    def __init__(
        self, name: str, order: Order, names: Names, multicaster: Multicaster, audience: Audience, parted: Callable[[str], None],
        alone_seconds: float,
    ) -> None:  # fmt: skip
        self._alone_seconds = alone_seconds
        self.trouble: str | None = None
        self._name = name
        self._order = order
        self._names = names
        self._multicaster = multicaster
        self._audience = audience
        self._parted = parted
        self._apart_since: float | None = None
        self._has_sent_away = False
        self._has_heard = False  # others, since the start

    def follow(self, sessions: Iterable[Session]) -> None:
        """Some *sessions* may be at other servers now: their names are in use, and nothing is delivered to them here. Who was
        lost there may be here, which nobody has heard yet."""
        for session in sessions:
            if session.home != self._order.home:
                self._names.keep(session.member, session.id)
                if session.lost_at is None:
                    self._parted(session.id)
                    self._multicaster.dismiss(self._audience, session.id)

    def said(self, trouble: str | None, is_final: bool) -> None:
        """What the order says of itself, for people. is_final: it will not go on here."""
        if trouble == self.trouble:
            return
        logger.log(logging.CRITICAL if is_final else logging.WARNING, "room %s: %s", self._name, trouble or BACK)
        self.trouble = trouble
        self._multicaster.tell(self._audience, trouble or BACK)
        self._multicaster.show(self._audience, HELD_UP, trouble or "")
        if is_final:
            self.send_away()

    def look(self) -> None:
        """Now and then: whoever is connected to a server that is apart from the others finds another, once, if there is one."""
        why = self._why_apart()
        if why is None:
            self._apart_since, self._has_sent_away = None, False
            return
        now = monotonic()
        self._apart_since = now if self._apart_since is None else self._apart_since
        if not self._has_sent_away and now - self._apart_since >= _APART_SECONDS:
            self._has_sent_away = True
            logger.warning("room %s: %s: members are sent to others", self._name, why)
            self.send_away()

    def _why_apart(self) -> str | None:
        """Why what others go on with is not heard here, or can't be written."""
        if self._order.is_alone():
            return "no other server of the cluster is heard of" if self._has_heard else None
        self._has_heard = True
        return "this server can't write its log" if self._order.is_held_up() else None

    def check(self) -> None:
        """Raise RoomClosing for whoever comes back here while another server may be the better one."""
        since = self._apart_since
        if since is not None and monotonic() - since < self._alone_seconds:
            if self._order.is_held_up():
                raise RoomClosing("this server of the cluster can't write its log")
            try:
                self._order.catch_up()
            except LogUnavailable as error:
                raise RoomClosing(f"{error}; this server of the cluster is apart from the others") from None

    def send_away(self) -> None:
        """Close the connections of all sessions here: each finds another server."""
        for session_id in self._multicaster.positions(self._audience):
            self._parted(session_id)
            self._multicaster.dismiss(self._audience, session_id)
