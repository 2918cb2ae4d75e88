"""The beginning of a causal room's site: a site that it finds lets it in."""

import threading
from collections.abc import Callable, Sequence

from pyrochat.core.graph.bodies import Admission
from pyrochat.orders.graph.face import Face, admission_of, events_from_wire
from pyrochat.orders.graph.order import CausalOrder
from pyrochat.orders.graph.wire import summary_to_wire
from pyrochat.orders.sites.looking import FOUNDING_SECONDS, Looking
from pyrochat.orders.sites.wire import Dial, Wire
from pyrochat.values.errors import CannotHost, InvalidArgument, OtherLog, PyroChatError

_MOST_ROUNDS = 1000


class CausalLooking(Looking):
    """For *order*, which has no graph yet. See `Looking`. Where a site was found, `catch_up` has to follow."""

    def __init__(
        self, order: CausalOrder, face: Face, dial: Dial, at: str, candidates: Callable[[], Sequence[str]],
        seconds: float = FOUNDING_SECONDS, closing: threading.Event | None = None,
    ) -> None:  # fmt: skip
        super().__init__(face, dial, at, candidates, seconds, closing)
        self._order = order
        self._admission: Admission | None = None
        self._wire: Wire | None = None

    def _enter(self, wire: Wire, address: str, state: str, root: str) -> None:
        wanted = self._order.new_admission()
        entered, admission = admission_of(wire.call("enter", wanted.nonce, wanted.label))
        if admission.id != wanted.id or admission.key != wanted.key:
            raise InvalidArgument("it has let somebody else in")
        if not self._order.is_empty and self._order.root != entered:
            raise OtherLog("it is in another room of this name than this folder's log: choose another data=")
        self._order.adopt(entered)
        self._admission, self._wire = admission, wire

    def _entered(self) -> None:
        """The wire stays, for `catch_up`."""

    def _found(self) -> None:
        if not self._order.is_empty:
            raise CannotHost(
                "none of the room's sites answers, and this one was not let in yet when it ended: try again when one is there"
            )
        self._order.found()

    def catch_up(self) -> None:
        """Get what the site has that has let us in, and begin. After the order was started. Raises PyroChatError."""
        admission, wire, order = self._admission, self._wire, self._order
        assert admission is not None
        assert wire is not None
        assert order.root is not None
        try:
            for _ in range(_MOST_ROUNDS):
                events, _, _ = wire.call(
                    "exchange", order.root.hex(), admission.id, summary_to_wire(order.summary()), "[[],[]]"
                )  # fmt: skip
                got = events_from_wire(order, events)
                outcome = order.take(got, "").outcome() if got else None
                if isinstance(outcome, PyroChatError):
                    raise outcome
                if not got and order.has(admission):
                    break
            order.enter(admission)
        finally:
            wire.close()
