"""What a site answers to others, whatever carries their calls. *key*, in each: the public key that the caller has proved."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from pyrochat.core.graph.bodies import Admission
from pyrochat.core.graph.record import Told
from pyrochat.orders.graph.order import CausalOrder
from pyrochat.orders.graph.wire import summary_from_wire, summary_to_wire, told_from_wire, told_to_wire
from pyrochat.orders.sites.face import LOOKING, SiteFace
from pyrochat.values.errors import InvalidArgument, OtherLog, PyroChatError, RoomClosing

SITE = "site"
_LABEL_CHARACTERS = 32


class Face(SiteFace):
    """See `SiteFace`. order: None as long as it looks."""

    def __init__(self, look_id: str) -> None:
        super().__init__(look_id)
        self.order: CausalOrder | None = None

    def meet(self, key: str, address: object) -> list[object]:
        """``[state, root, id, label, whether anybody has said anything]`` of this site; a caller says where it is, if others can get there."""
        self._called_from(address)
        order = self.order
        if order is None or order.site is None or order.root is None:
            return [LOOKING, "", self.look_id, "", False]
        return [SITE, order.root.hex(), order.site.id, order.site.label, order.has_texts]

    def enter(self, key: str, nonce: object, label: object) -> list[str]:
        """Let the caller's server in, under *nonce*; ``[root, id, key, nonce, label]``. Raises InvalidArgument, LogUnavailable."""
        order = self._order()
        if not isinstance(nonce, str) or not isinstance(label, str) or not 0 < len(label) <= _LABEL_CHARACTERS:
            raise InvalidArgument("a site has to name a nonce and a label")
        assert order.root is not None
        return [order.root.hex(), *order.admit(key, nonce, label)]

    def push(self, key: str, root: object, site: object, events: object) -> None:
        """*site*, of the server with *key*, hands over events; returns when they are durable. Raises InvalidArgument,
        OtherLog, LogUnavailable."""
        order = self._order()
        giver = self._checked(key, root, site)
        taken = order.take(events_from_wire(order, events), giver)
        outcome = taken.outcome()
        if isinstance(outcome, PyroChatError):
            raise outcome

    def exchange(self, key: str, root: object, site: object, summary: object, more: object) -> list[object]:
        """*site* says what it has; ``[events that it lacks, what this one has and lacks, more]``. more: marks, and where sites are,
        as JSON. Raises InvalidArgument, OtherLog."""
        order = self._order()
        self._checked(key, root, site)
        theirs = summary_from_wire(summary)
        hear_more(order, more, self.met)
        events = [told_to_wire(told) for told in order.missing(theirs)]
        return [events, summary_to_wire(order.summary(theirs)), tell_more(order, self.addresses())]

    def _order(self) -> CausalOrder:
        if self.order is None or self.order.site is None:
            raise RoomClosing("this site looks for the room itself: try again in a moment")
        return self.order

    def _checked(self, key: str, root: object, site: object) -> str:
        order = self._order()
        assert order.root is not None
        if root != order.root.hex():
            raise OtherLog("this is another room of the same name, which was founded by itself")
        if not isinstance(site, str) or not order.knows(site, key):
            raise InvalidArgument("this site was not let in here: begin with enter")
        return site


def events_from_wire(order: CausalOrder, rows: Any) -> list[Told]:
    """Those of *rows* that are events; raises InvalidArgument where one is none."""
    if not isinstance(rows, list | tuple):
        raise InvalidArgument("events have to be a list")
    assert order.root is not None
    return [told_from_wire(order.root, row) for row in rows]


def tell_more(order: CausalOrder, addresses: Sequence[str]) -> str:
    """What goes with a summary."""
    return json.dumps([order.marks(), list(addresses)], ensure_ascii=False, separators=(",", ":"))


def hear_more(order: CausalOrder, more: object, met: Callable[[str], None]) -> None:
    """What came with a summary."""
    try:
        marks, addresses = json.loads(more) if isinstance(more, str) else ([], [])
        rows = [row for row in marks if isinstance(row, list)]
        places = [address for address in addresses if isinstance(address, str) and 0 < len(address) <= 300]
    except (ValueError, TypeError, RecursionError):
        return
    order.hear_marks(rows)
    for address in places:
        met(address)


def admission_of(fields: Any) -> tuple[bytes, Admission]:
    """What `Face.enter` has answered. Raises InvalidArgument."""
    try:
        root, id, key, nonce, label = fields
        return bytes.fromhex(root), Admission(str(id), str(key), str(nonce), str(label))
    except (ValueError, TypeError) as error:
        raise InvalidArgument(f"not an admission: {error}") from None
