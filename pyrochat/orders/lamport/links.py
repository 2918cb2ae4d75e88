"""What a site of a totally ordered room says to each of the others: what its thread gives it, as soon as it can be said.

What is lost comes again, because sites say regularly what they have.
"""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

from pyrochat.clock import monotonic
from pyrochat.core.graph.disk import Row
from pyrochat.orders.lamport.face import ORDERED, addresses_of, rows_from_wire, rows_to_wire
from pyrochat.orders.lamport.presence import Who
from pyrochat.orders.lamport.site import MAX_SITES, LamportSite, Outside, Sent
from pyrochat.orders.sites.links import Link, Links, LinkTimes, Own
from pyrochat.orders.sites.wire import Dial
from pyrochat.values.errors import InvalidArgument

_PIECE_CHARACTERS = 256 * 1024
_CALL_CHARACTERS = 512 * 1024
_QUEUE_CHARACTERS = 32 << 20
_MOST_MESSAGES = 300  # in one call


class _Said(NamedTuple):
    number: int
    is_first: bool
    is_last: bool
    piece: str


class _Put(NamedTuple):
    rows: Sequence[Row]
    kept: Callable[[str], None]


class _Ask(NamedTuple):
    answered: Callable[[str], None]


class LamportLinks(Links["LamportLink"], Outside):
    """Of *site*. peers: where others may be."""

    most_sites = MAX_SITES

    def __init__(self, site: LamportSite, dial: Dial, peers: Sequence[str], times: LinkTimes | None = None) -> None:
        super().__init__(dial, site.at, times or LinkTimes(), site.tell, self._remember)
        self.site = site
        site.outside = self
        for peer in peers:
            self.met(peer)

    def own(self) -> Own:
        assert self.site.disk.root is not None
        return Own(self.site.me, self.site.label_of(self.site.me), self.site.disk.root.hex(), self.site.who().packed())

    def _remember(self, peers: Sequence[str]) -> None:
        self.site.do(lambda: self.site.disk.remember_peers(peers))

    def stays(self) -> bool:
        return self.site.stays()

    def _link(self, address: str) -> "LamportLink":
        return LamportLink(self, address)

    def is_shown(self, link: "LamportLink") -> bool:
        known = self.site.known.get(link.site)
        return super().is_shown(link) and not (known is not None and known.is_leaving)

    # -- see `Outside` --------------------------------------------------------------------------------------

    def send(self, messages: Sequence[Sent]) -> None:
        by_site = {link.site: link for link in self.up}
        for site, number, text in messages:
            if site in by_site:
                by_site[site].say(number, text)

    def put(self, rows: Sequence[Row], kept: Callable[[str], None]) -> None:
        for link in self.up:
            link.queue([_Put(rows, kept)], 0)

    def ask(self, answered: Callable[[str], None]) -> None:
        for link in self.up:
            link.queue([_Ask(answered)], 0)

    def contacts(self) -> Collection[str]:
        return [link.site for link in self.up]

    # -------------------------------------------------------------------------------------------------------

    def flush(self, seconds: float) -> None:
        """Return when all that was to be said is said, or so many seconds later."""
        until = monotonic() + seconds
        while any(link.is_busy for link in self.up) and monotonic() < until:
            self.closing.wait(0.01)


class LamportLink(Link):
    """See `Link`."""

    state = ORDERED
    _links: LamportLinks

    def __init__(self, links: LamportLinks, address: str) -> None:
        super().__init__(links, address)
        self._queue: deque[_Said | _Put | _Ask] = deque()  # the condition guards this and the next two
        self._queued = 0  # characters
        self.is_busy = False
        self._home = ""

    def say(self, number: int, text: str) -> None:
        """Say *text*, in the view *number*, as soon as it can be. Any thread."""
        starts = range(0, len(text), _PIECE_CHARACTERS)
        self.queue(
            [
                _Said(number, at == 0, at + _PIECE_CHARACTERS >= len(text), text[at : at + _PIECE_CHARACTERS])
                for at in starts
            ],
            len(text),
        )

    def queue(self, items: Sequence[_Said | _Put | _Ask], size: int) -> None:
        """Any thread."""
        with self._condition:
            if self._wire is None or self._queued + size > _QUEUE_CHARACTERS:
                return
            self._queue += items
            self._queued += size
            self.is_busy = True
            self._condition.notify()

    # -- the thread ---------------------------------------------------------------------------------------

    def _know(self, who: Sequence[Any]) -> None:
        packed, *_ = who
        self._heard_from(packed)

    def _other_stays(self, who: Sequence[Any]) -> bool:
        _, *stays = who
        return bool(stays and stays[0])

    @property
    def run(self) -> str:
        return self._home

    def _heard_from(self, packed: object) -> Who:
        who = Who.of(packed)
        self.site, self.label, self._home = who.site, self._links.site.label_of(who.site), who.home
        return who

    def _clear(self) -> None:
        self._queue.clear()
        self._queued = 0
        self.is_busy = False

    def _connect(self) -> None:
        super()._connect()
        if self.is_up:
            self._push([], self._links.site.rows())

    def _talk(self) -> None:
        with self._condition:
            while not self._queue and not self._links.closing.is_set():
                self.is_busy = False
                self._condition.wait()
            batch = self._batch()
        if self._links.closing.is_set():
            return
        said = [item for item in batch if isinstance(item, _Said)]
        puts = [item for item in batch if isinstance(item, _Put)]
        if said or puts:
            self._push(said, [row for item in puts for row in item.rows])
        for put in puts:
            put.kept(self.site)
        for item in batch:
            if isinstance(item, _Ask):
                self._ask(item)

    def _batch(self) -> list[_Said | _Put | _Ask]:
        batch: list[_Said | _Put | _Ask] = []
        size = 0
        while self._queue and len(batch) < _MOST_MESSAGES:
            length = len(item.piece) if isinstance(item := self._queue[0], _Said) else 0
            if batch and size + length > _CALL_CHARACTERS:
                break
            batch.append(self._queue.popleft())
            self._queued -= length
            size += length
        return batch

    def _push(self, said: Sequence[_Said], rows: Sequence[Row]) -> None:
        try:
            who, addresses = self._call("push", [list(item) for item in said], rows_to_wire(rows))
        except (TypeError, ValueError) as error:
            raise InvalidArgument(f"not an answer: {error}") from None
        self._links.site.answered(self._heard_from(who))
        self._heard()
        for address in addresses_of(addresses):
            self._links.met(address)

    def _ask(self, asked: _Ask) -> None:
        rows = rows_from_wire(self._call("beside"))
        site = self._links.site
        site.do(lambda: site.keep(rows))
        asked.answered(self.site)
