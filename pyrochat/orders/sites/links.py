"""Links: to every other site of a room one thread, which dials it, meets it, and calls it with what is to be said.

What that is, and what is made of the answers, each order says. Nothing here has to arrive.
"""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar

from pyrochat.clock import monotonic
from pyrochat.orders.sites.founders import GivingUp, gives_way, other_room
from pyrochat.orders.sites.wire import Dial, Wire
from pyrochat.threads import Defects, go_on
from pyrochat.values.errors import OtherLog, PyroChatError, RoomClosing
from pyrochat.values.sites import SiteSeen

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LinkTimes:
    """retry_seconds: until an address is tried again, and most_retry_seconds where nobody was ever there. double_seconds: where this
    site itself was, or one that is linked already."""

    retry_seconds: float = 0.5
    most_retry_seconds: float = 5.0
    double_seconds: float = 10.0


class Own(NamedTuple):
    """A site, to itself. root: what the room grew from, in hexadecimal. who: what it says of itself in each call."""

    id: str
    label: str
    root: str
    who: str


L = TypeVar("L", bound="Link")


class Links(ABC, Generic[L]):
    """Of one room. at: where others reach this site, ``host:port``; empty where they can't. most_sites: of a room.

    tell: lets people know of something. remember: is given where the next start has to look, too. give_up: see `GivingUp`.
    """

    most_sites: int

    def __init__(
        self, dial: Dial, at: str, times: LinkTimes, tell: Callable[[str], None],
        remember: Callable[[Sequence[str]], None],
    ) -> None:  # fmt: skip
        self.dial = dial
        self.at = at
        self.times = times
        self.tell = tell
        self.remember = remember
        self.give_up = GivingUp()
        self.defects = Defects(log)
        self.closing = threading.Event()
        self._mutex = threading.Lock()  # guards the next one
        self._links: dict[str, L] = {}

    @abstractmethod
    def own(self) -> Own:
        """This site, as it is now. Any thread."""

    @abstractmethod
    def stays(self) -> bool:
        """Whether this room can't be given up for one of its name that others have founded. Any thread."""

    @abstractmethod
    def _link(self, address: str) -> L:
        """A new link, not started."""

    def is_shown(self, link: L) -> bool:
        """Whether *link* leads to a site of its own."""
        return not link.is_double

    def called(self, address: str) -> None:
        """A site at *address* has called: it is there now. Any thread."""
        with self._mutex:
            known = self._links.get(address)
        if known is None:
            self.met(address)
        else:
            known.retry_soon()

    def met(self, address: str) -> None:
        """There may be a site at *address*. Any thread."""
        with self._mutex:
            if address in ("", self.at) or address in self._links or self.closing.is_set():
                return
            if len(self._links) >= 2 * self.most_sites:
                return
            link = self._links[address] = self._link(address)
        link.start()

    @property
    def links(self) -> list[L]:
        """All of them."""
        with self._mutex:
            return list(self._links.values())

    @property
    def up(self) -> list[L]:
        """Those that are connected."""
        return [link for link in self.links if link.is_up]

    @property
    def addresses(self) -> list[str]:
        """Where sites are that were reached, this one's first."""
        reached = [link.address for link in self.links if link.heard_at is not None]
        return [self.at, *reached] if self.at else reached

    def is_linked(self, link: "Link") -> bool:
        """Whether another than *link* leads there already."""
        return any(other is not link and other.run == link.run for other in self.up)

    def seen(self) -> list[SiteSeen]:
        """All sites, this one first."""
        now = monotonic()
        others = [
            SiteSeen(link.label or link.address, link.address, None if link.heard_at is None else now - link.heard_at)
            for link in self.links
            if self.is_shown(link)
        ]
        return [SiteSeen(self.own().label, self.at, 0.0), *sorted(others)]

    def close(self) -> None:
        """End all links; doesn't wait for those that are in a call. Idempotent."""
        self.closing.set()
        for link in self.links:
            link.close()


class Link(ABC):
    """To the site at one address. state: what a site of such a room says that it is."""

    state: str

    def __init__(self, links: Links[Any], address: str) -> None:
        self.address = address
        self.site = ""  # who is there, once that is known
        self.label = ""
        self.heard_at: float | None = None
        self.is_double = False  # ourselves, or a site that is linked already
        self._links = links
        self._wire: Wire | None = None
        self._condition = threading.Condition()  # guards what is queued
        self._woken = threading.Event()
        self._failures = 0
        self._other_room_told = False
        self._thread = threading.Thread(target=self._run, name=f"pyrochat-link-{address}", daemon=True)

    @property
    def run(self) -> str:
        """Who is there; where a site has another name each time it is started, that."""
        return self.site

    def start(self) -> None:
        """Begin to call."""
        self._thread.start()

    @property
    def is_up(self) -> bool:
        """Whether there is a connection."""
        return self._wire is not None

    def retry_soon(self) -> None:
        """Somebody there has called: where there is no connection, try again now. Any thread."""
        if self._wire is None:
            self._woken.set()

    def close(self) -> None:
        """See `Links.close`."""
        self._woken.set()
        with self._condition:
            self._condition.notify()
        if (wire := self._wire) is not None:
            wire.close()

    # -- what an order says, in the thread --------------------------------------------------------------------

    @abstractmethod
    def _know(self, who: Sequence[Any]) -> None:
        """Set `site` and `label` from what the site there says of itself when it is met. Raises InvalidArgument."""

    @abstractmethod
    def _talk(self) -> None:
        """Say what is to be said, or wait until there is something. Raises PyroChatError where the connection is of no use."""

    @abstractmethod
    def _clear(self) -> None:
        """Forget what is queued: it was for a connection that is gone. With the condition."""

    @abstractmethod
    def _other_stays(self, who: Sequence[Any]) -> bool:
        """The same as `Links.stays`, of another room whose site says *who* it is."""

    def _meet_other_room(self, root: str, who: Sequence[Any]) -> NoReturn:
        """The site there, which says *who* it is, is in a room that grew from *root*. Raises OtherLog where both stay, RoomClosing."""
        if gives_way(self._links.own().root, self._links.stays(), root, self._other_stays(who)):
            self._links.give_up(self.address)
        raise RoomClosing("one of the two rooms is given up")

    # -- the thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        go_on(self._step, "a link to another site", self._links.defects, is_ours=False)
        if self._wire is not None:
            self._wire.close()

    def _step(self) -> bool:
        if self._links.closing.is_set():
            return False
        try:
            if self._wire is None:
                self._connect()
            else:
                self._talk()
            self._failures = 0
        except RoomClosing:  # here or there
            self._lost()
        except PyroChatError as error:
            log.debug("the site at %s: %s", self.address, error)
            if isinstance(error, OtherLog):
                self._tell_other_room()
            self._lost()
        return not self._links.closing.is_set()

    def _connect(self) -> None:
        links = self._links
        if self.is_double:
            self._rest(links.times.double_seconds)
        wire = links.dial(self.address)
        try:
            state, root, *who = wire.call("meet", links.at)
            if state != self.state:
                raise RoomClosing("it looks for the room itself")
            own = links.own()
            if root != own.root:
                self._meet_other_room(str(root), who)
            self._know(who)
            self.is_double = self.site == own.id or links.is_linked(self)
            if self.is_double:
                wire.close()
                return
        except BaseException:
            wire.close()
            raise
        with self._condition:
            self._wire = wire
            self._clear()

    def _call(self, method: str, *arguments: object) -> Any:
        assert self._wire is not None
        own = self._links.own()
        return self._wire.call(method, own.root, own.who, *arguments)

    def _heard(self) -> None:
        is_first, self.heard_at = self.heard_at is None, monotonic()
        if is_first:
            self._links.remember([address for address in self._links.addresses if address != self._links.at])

    def _lost(self) -> None:
        with self._condition:
            wire, self._wire = self._wire, None
            self._clear()
        if wire is not None:
            wire.close()
        self._failures += 1
        times = self._links.times
        most = times.retry_seconds if self.heard_at is not None else times.most_retry_seconds
        self._rest(min(times.retry_seconds * self._failures, most))

    def _rest(self, seconds: float) -> None:
        if not self._links.closing.is_set():
            self._woken.wait(seconds)
            self._woken.clear()

    def _tell_other_room(self) -> None:
        if not self._other_room_told:
            self._other_room_told = True
            self._links.tell(other_room(self.address))
