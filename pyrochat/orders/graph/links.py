"""What a site of a causal room says to each of the others: what is new here at once, and now and then a summary, for an exchange.

What a call has lost comes with an exchange, which is what a link begins with. Silence is told, and nothing else follows from it.
"""

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyrochat.clock import monotonic
from pyrochat.core.graph.record import Told
from pyrochat.core.graph.sites import MAX_SITES
from pyrochat.orders.graph.face import SITE, events_from_wire, hear_more, tell_more
from pyrochat.orders.graph.order import TOLD_BYTES, CausalOrder
from pyrochat.orders.graph.silences import Silences
from pyrochat.orders.graph.wire import summary_from_wire, summary_to_wire, told_to_wire
from pyrochat.orders.sites.links import Link, Links, LinkTimes, Own
from pyrochat.orders.sites.wire import Dial
from pyrochat.values.errors import InvalidArgument, PyroChatError

_MOST_QUEUED = 1000  # events; what is more comes with an exchange
_NEVER = float("inf")
_MOST_ROUNDS = 100  # of one exchange, with all that both lack


@dataclass(frozen=True)
class CausalTimes(LinkTimes):
    """tick_seconds: an exchange of this site with one other. silent_seconds: until it is said that a site is not heard of."""

    retry_seconds: float = 1.0
    most_retry_seconds: float = 15.0
    tick_seconds: float = 1.0
    silent_seconds: float = 3.0


class CausalLinks(Links["CausalLink"]):
    """See `Links`. peers: where sites may be."""

    most_sites = MAX_SITES
    times: CausalTimes

    def __init__(
        self, order: CausalOrder, dial: Dial, at: str, peers: Sequence[str], times: CausalTimes | None = None
    ) -> None:  # fmt: skip
        super().__init__(dial, at, times or CausalTimes(), order.told, order.remember)
        self.order = order
        self.silences = Silences(order.told, order.count_of, self.times.tick_seconds)
        order.cast, order.lacks, order.ended = self.cast, self.look_soon, self.close
        for peer in peers:
            self.met(peer)

    def own(self) -> Own:
        site, root = self.order.site, self.order.root
        assert site is not None
        assert root is not None
        return Own(site.id, site.label, root.hex(), site.id)

    def stays(self) -> bool:
        return self.order.has_texts

    def _link(self, address: str) -> "CausalLink":
        return CausalLink(self, address)

    def close(self) -> None:
        super().close()
        self.silences.close()

    def cast(self, told: Sequence[Told]) -> None:
        """In the order's thread: this site has said something."""
        for link in self.links:
            link.queue(told)

    def look_soon(self, site: str) -> None:
        """Something that *site* has handed over lacks its causes."""
        for link in self.links:
            if link.site == site:
                link.exchange_soon()


class CausalLink(Link):
    """See `Link`."""

    state = SITE
    _links: CausalLinks

    def __init__(self, links: CausalLinks, address: str) -> None:
        super().__init__(links, address)
        self._queue: deque[Told] = deque()  # the condition guards this and the next two
        self._is_behind = True  # it may lack more than what is queued
        self._exchange_at = 0.0
        self._ask_at = _NEVER

    def queue(self, told: Sequence[Told]) -> None:
        """Hand *told* over as soon as it can be. Any thread."""
        with self._condition:
            if self._wire is None or self.is_double or len(self._queue) + len(told) > _MOST_QUEUED:
                self._is_behind = True
                self._queue.clear()
            else:
                self._queue += told
            self._condition.notify()

    def exchange_soon(self) -> None:
        """Exchange summaries in a moment, if something still lacks its causes then. Any thread."""
        with self._condition:
            self._ask_at = min(self._ask_at, monotonic() + self._links.times.tick_seconds / 2)
            self._condition.notify()

    # -- the thread ---------------------------------------------------------------------------------------

    def _know(self, who: Sequence[Any]) -> None:
        site, label, *_ = who
        self.site, self.label = str(site), str(label)

    def _clear(self) -> None:
        self._queue.clear()
        self._is_behind = True

    def _other_stays(self, who: Sequence[Any]) -> bool:
        _, _, has_texts, *_ = who
        return bool(has_texts)

    def _talk(self) -> None:
        """Hand over what is queued, or exchange summaries where that is due; else wait for either."""
        with self._condition:
            now, due = monotonic(), min(self._exchange_at, self._ask_at)
            if not (self._queue or self._is_behind) and now < due:
                self._condition.wait(due - now)
                return
            batch = self._batch()
            is_exchange = self._is_behind or now >= self._exchange_at
            if now >= self._ask_at:
                self._ask_at = _NEVER
                is_exchange = is_exchange or self._links.order.is_lacking
            if is_exchange:
                self._is_behind = False
        if self._links.closing.is_set():
            return
        if batch:
            self._push(batch)
        if is_exchange:
            self._exchange()
            others = max(1, len(self._links.up))
            self._exchange_at = monotonic() + self._links.times.tick_seconds * others * random.uniform(0.5, 1.5)

    def _batch(self) -> list[Told]:
        batch: list[Told] = []
        size = 0
        while self._queue and (not batch or size + self._queue[0].size <= TOLD_BYTES):
            size += self._queue[0].size
            batch.append(self._queue.popleft())
        return batch

    def _call(self, method: str, *arguments: object) -> Any:
        answer = super()._call(method, *arguments)
        self._heard()
        return answer

    def _push(self, batch: Sequence[Told]) -> None:
        self._call("push", [told_to_wire(told) for told in batch])

    def _exchange(self) -> None:
        """Until neither lacks anything that the other has."""
        links, order = self._links, self._links.order
        for _ in range(_MOST_ROUNDS):
            more = tell_more(order, links.addresses)
            try:
                events, summary, said = self._call("exchange", summary_to_wire(order.summary()), more)
            except (TypeError, ValueError) as error:
                raise InvalidArgument(f"not an answer: {error}") from None
            theirs = summary_from_wire(summary)
            got = events_from_wire(order, events)
            if got:
                outcome = order.take(got, self.site).outcome()
                if isinstance(outcome, PyroChatError):
                    raise outcome
            hear_more(order, said, links.met)
            lacking = order.missing(theirs)
            if lacking:
                self._push(lacking)
            if not got and not lacking:
                break
        links.silences.end(self.site)

    def _lost(self) -> None:
        if self.heard_at is not None and not self.is_double and self._is_silent(self.heard_at):
            self._links.silences.begin(self.site, self.label, self.heard_at)
        super()._lost()

    def _is_silent(self, heard_at: float) -> bool:
        return monotonic() - heard_at >= self._links.times.silent_seconds
