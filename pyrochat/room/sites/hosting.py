"""What makes a server a site: its rooms' logs and orders, how they find other sites, and what those are told."""

import contextlib
import itertools
import logging
import queue
import threading
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from pyrochat.core.order import Order
from pyrochat.core.space import PEER_BYTES
from pyrochat.orders.graph.face import Face
from pyrochat.orders.graph.links import CausalLinks, CausalTimes
from pyrochat.orders.graph.looking import CausalLooking
from pyrochat.orders.graph.order import CausalOrder
from pyrochat.orders.sites.looking import FOUNDING_SECONDS, new_look_id
from pyrochat.orders.sites.wire import Dial
from pyrochat.pyro.daemon import Daemon
from pyrochat.pyro.naming import NameServer
from pyrochat.pyro.probing import Presence, look
from pyrochat.pyro.tls import ClientTls
from pyrochat.room.door.door import Door
from pyrochat.room.door.registry import Registry
from pyrochat.room.sites.dialing import PyroWire
from pyrochat.room.sites.siteobject import SiteObject
from pyrochat.storage.site_log import SqliteSiteLog, put_aside
from pyrochat.storage.sqlite_log import SqliteLog
from pyrochat.threads import Defects, go_on
from pyrochat.trust.keys import Key
from pyrochat.values.addresses import Address, parse_address, shown_address
from pyrochat.values.errors import InvalidArgument, PyroChatError
from pyrochat.values.progress import Progress
from pyrochat.values.protocol import DEFAULT_PORT, SERVER_OBJECT, room_object, site_object
from pyrochat.values.sites import SiteSeen

log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0


class Sites:
    """label: what this site wants to be called. peers: ``host:port`` of other sites, as the user names them. password: of the rooms.
    uses_nameserver: look there for others. seconds: until a room is founded. Raises InvalidArgument.

    wire: what calls other sites. peer_bytes: what is taken of one server's sites within a day. names_are_shared: whether all sites have one
    register of names. give_up: called with a room that others have founded too, and with what says whether it has to stay after all: begins
    it anew, in a thread of its own.
    """

    wire: type[PyroWire] = PyroWire
    names_are_shared = False
    peer_bytes = PEER_BYTES

    def __init__(
        self, label: str, peers: Sequence[str] = (), password: str | None = None, uses_nameserver: bool = True,
        seconds: float = FOUNDING_SECONDS, times: CausalTimes | None = None,
    ) -> None:  # fmt: skip
        self.label = label
        self._peers = [shown_address(parse_address(peer, DEFAULT_PORT)) for peer in peers]
        self._password = password
        self._uses_nameserver = uses_nameserver
        self._seconds = seconds
        self._times = times
        self._closing = threading.Event()
        self._defects = Defects(log)
        self._names: queue.SimpleQueue[tuple[Registry, str, str] | None] = queue.SimpleQueue()  # that were heard of
        self._keeper = threading.Thread(target=self._keep_names, name="pyrochat-names", daemon=True)
        self._faces: dict[str, Face] = {}
        self._links: dict[str, CausalLinks] = {}
        self._at = ""
        self.give_up: Callable[[str, Callable[[], bool]], None] = lambda room, stays: None
        self._tls: ClientTls | None = None
        self.bans: tuple[frozenset[str], frozenset[str]] = frozenset(), frozenset()

    def serve(self, rooms: Sequence[str], daemon: Daemon, door: Door, at: str, speaks_tls: bool) -> None:
        """Let *daemon* serve what the sites of *rooms* answer to others. at: where these reach it."""
        self._at = at
        self._keeper.start()
        self._tls = ClientTls(is_proved=True) if speaks_tls else None
        for room in rooms:
            face = self._faces[room] = Face(new_look_id())
            daemon.register(SiteObject(site_object(room), face, door), site_object(room))

    @staticmethod
    def log(path: Path, room: str, progress: Progress | None = None) -> SqliteSiteLog:
        """The log of *room*. Raises what `SqliteLog` raises."""
        return SqliteSiteLog(path, room, progress)

    @property
    def addresses(self) -> list[str]:
        """Where clients of this site come, ``host:port``, if what they say may have to wait for others."""
        return []

    def registry_folder(self, data: Path, rooms: Sequence[str]) -> Path:
        """Where the register of names of *rooms* is. Raises InvalidArgument."""
        return data

    def take_over(self, registry: Registry) -> None:
        """Others may decide what changes in *registry*."""
        self.heed(*registry.bans())

    def heed(self, members: Collection[str], keys: Collection[bytes]) -> None:
        """These are banned here: what they say elsewhere from now on is not shown."""
        self.bans = frozenset(members), frozenset(key.hex() for key in keys)

    def dialing(self, name: str, key: Key) -> Dial:
        """What connects this site, whose server has *key*, to others of the room *name*."""
        return lambda address: self.wire(
            parse_address(address, 0), site_object(name), self.label, key, self._password, self._tls
        )

    def opened(
        self, name: str, path: Path, key: Key, now_us: Callable[[], int], registry: Registry, progress: Progress | None
    ) -> tuple[SqliteLog, Order, Callable[[], None]]:  # fmt: skip
        """The log of the room *name*, its order, and what has to follow once that was started. Raises PyroChatError."""
        room_log = self.log(path, name, progress)
        try:
            return room_log, *self.order(name, room_log, key, now_us, registry)
        except BaseException:
            room_log.close()
            raise

    def give_way(self, path: Path, room: str, stays: Callable[[], bool]) -> None:
        """*room*, whose log is at *path*, was closed, to be begun anew as a site of others', unless *stays* says that it has to
        stay: then it goes on. Raises OSError, PyroChatError."""
        if not stays():
            put_aside(path, room)

    def order(
        self, name: str, room_log: SqliteSiteLog, key: Key, now_us: Callable[[], int], registry: Registry
    ) -> tuple[CausalOrder, Callable[[], None]]:
        """The order of the room *name*, and what has to follow once it was started: then others are linked.

        Waits until a site is found, or the room is founded. Raises PyroChatError.
        """
        order = CausalOrder(name, now_us, room_log, key, self.label)
        order.intake.day_bytes = self.peer_bytes
        order.is_banned = lambda member, public: (
            member in self.bans[0] or (public is not None and public in self.bans[1])
        )
        order.joined = lambda member, public: self._names.put((registry, member, public))
        face, known = self._faces[name], order.peers()
        face.order = None

        def candidates() -> list[str]:
            return [*self._peers, *known, *self._registered(name)]

        dial = self.dialing(name, key)

        def give_up(address: str) -> None:
            self._peers.append(address)
            self.give_up(name, lambda: order.has_texts)

        looking = None
        if order.site is None and order.was_in:
            order.begin_again()
        elif order.site is None:
            seeking = CausalLooking(order, face, dial, self._at, candidates, self._seconds, self._closing)
            looking = seeking if seeking.look() else None

        def follow() -> None:
            if looking is not None:
                looking.catch_up()
            links = self._links[name] = CausalLinks(order, dial, self._at, [], self._times)
            links.give_up.then = give_up  # before anybody is met who may have founded it too
            for peer in candidates():
                links.met(peer)
            face.called, face.met, face.addresses = links.called, links.met, lambda: links.addresses
            face.order = order

        return order, follow

    def _registered(self, room: str) -> list[str]:
        """Where the name server says that sites of *room* are."""
        if not self._uses_nameserver:
            return []
        with contextlib.suppress(PyroChatError):
            _, sites = NameServer().listed(room_object(room))
            return [shown_address(address) for address in sites.get(room_object(room), ())]
        return []

    def free_label(self, rooms: Sequence[str]) -> str:
        """What this site is called in the name server, where another may have its label."""
        labels = itertools.chain([self.label], (f"{self.label}~{number}" for number in itertools.count(2)))
        there: dict[str, Address] = {}
        with contextlib.suppress(PyroChatError):
            there = NameServer().site_names(room_object(""))

        def is_free(name: str) -> bool:
            address = there.get(name)
            if address is None or shown_address(address) == self._at:
                return True
            return look(address, SERVER_OBJECT, _LOOK_SECONDS).presence is Presence.ABSENT

        return next(label for label in labels if all(is_free(f"{room_object(room)}@{label}") for room in rooms))

    def seen(self, room: str) -> list[SiteSeen]:
        """The sites of *room*, this one first."""
        links = self._links.get(room)
        return [] if links is None else links.seen()

    def leave(self) -> None:
        """Nothing more is handed in here; the others still reach this site."""

    def end(self) -> None:
        """Nothing more is asked of this site. Idempotent."""

    def close(self) -> None:
        """Look for nobody any more. Idempotent."""
        self._closing.set()
        for links in self._links.values():
            links.close()
        self._names.put(None)
        if self._keeper.is_alive():
            self._keeper.join(_LOOK_SECONDS)

    def _keep_names(self) -> None:
        """The register's file may be somebody else's for a while: no room waits for it."""
        go_on(self._keep_name, "keeping names", self._defects)

    def _keep_name(self) -> bool:
        heard = self._names.get()
        if heard is not None:
            _claim(*heard)
        return heard is not None


def _claim(registry: Registry, name: str, public: str) -> None:
    """Keep *name* for the key that has it at another site."""
    try:
        registry.claim(name, bytes.fromhex(public))
    except (PyroChatError, ValueError) as error:
        log.warning("the name %s of a member at another site: %s", name, error)


def checked_label(label: object) -> str:
    """A site's label: 1 to 32 letters, digits, ``-`` and ``_``. Raises InvalidArgument."""
    if isinstance(label, str) and 0 < len(label) <= 32 and all(c.isalnum() or c in "-_" for c in label):
        return label
    raise InvalidArgument(f"a site's label has 1 to 32 letters, digits, - and _, not {label!r:.50}")
