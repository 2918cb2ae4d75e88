"""What makes a server a site of a totally ordered room: the same as `hosting`, with Lamport's order.

The room and its register of names are two streams of one group of sites: so whose a name is is decided once, for all of them.
"""

import logging
import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from pyrochat.core.order import Order
from pyrochat.core.registry import RegistryCommand, command_from_wire, command_to_wire
from pyrochat.orders.lamport.deleting import rules
from pyrochat.orders.lamport.face import Face
from pyrochat.orders.lamport.links import LamportLinks
from pyrochat.orders.lamport.looking import LamportLooking
from pyrochat.orders.lamport.site import LamportSite, SiteTimes
from pyrochat.orders.lamport.stream import SiteStream
from pyrochat.orders.replicated.entries import Origin, has_texts, read, to_bytes
from pyrochat.orders.replicated.order import ReplicatedOrder
from pyrochat.orders.sites.looking import new_look_id
from pyrochat.pyro.daemon import Daemon
from pyrochat.pyro.tls import ClientTls
from pyrochat.room.door.door import Door
from pyrochat.room.door.registry import Registry
from pyrochat.room.door.shared_registry import SharedRegistry
from pyrochat.room.sites.hosting import Sites
from pyrochat.room.sites.orderedobject import OrderedSiteObject
from pyrochat.storage.data_folder import open_data_folder
from pyrochat.storage.log_file import file_stem
from pyrochat.storage.member_disk import SqliteMemberDisk
from pyrochat.storage.registry_log import RegistryLog
from pyrochat.storage.site_log import put_aside
from pyrochat.storage.sqlite_log import SqliteLog
from pyrochat.trust.keys import Key
from pyrochat.values.errors import CannotHost, InvalidArgument, LogUnavailable, LogUnreadable, RoomClosing
from pyrochat.values.progress import Progress
from pyrochat.values.protocol import site_object
from pyrochat.values.rules import fold
from pyrochat.values.sites import SiteSeen

log = logging.getLogger(__name__)

_REGISTRY = "names"
_ROOM = "room"
_FOLDER = "lamport"
_FILE = "sites.sqlite3"
_LEAVING_SECONDS = 2.0


class _GivenUpError(Exception):
    """The room is given up before it was open."""


class OrderedSites(Sites):
    """See `Sites`. pace: its times."""

    names_are_shared = True
    pace: SiteTimes | None = None
    _site: LamportSite | None = None
    _net: LamportLinks | None = None
    _register: SharedRegistry | None = None
    _is_open = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._mutex = threading.Lock()  # guards `_is_open` and the next one, where both count
        self._given_up = threading.Event()  # others have founded the room too, and it is theirs

    @property
    def addresses(self) -> list[str]:
        return [self._at]

    def registry_folder(self, data: Path, rooms: Sequence[str]) -> Path:
        if len(rooms) > 1:
            raise InvalidArgument("a site of the order lamport has one room: host another one with another data=")
        open_data_folder(data)
        self._folder = data / _FOLDER / file_stem(rooms[0])
        return self._folder

    def take_over(self, registry: Registry) -> None:
        registry.file.decide = _not_yet

    def serve(self, rooms: Sequence[str], daemon: Daemon, door: Door, at: str, speaks_tls: bool) -> None:
        self._at = at
        self._tls = ClientTls(is_proved=True) if speaks_tls else None
        self._door = Face(new_look_id())
        for room in rooms:
            daemon.register(OrderedSiteObject(site_object(room), self._door, door), site_object(room))

    def opened(
        self, name: str, path: Path, key: Key, now_us: Callable[[], int], registry: Registry, progress: Progress | None
    ) -> tuple[SqliteLog, Order, Callable[[], None]]:  # fmt: skip
        self._registry = registry
        while True:
            self._given_up.clear()
            self._is_open = False
            site = self._started(name, key, now_us)
            try:
                self._register = self._followed(site, registry)
                stream = SiteStream(site, _ROOM)
                identity = "" if path.exists() else self._identity(stream)
                break
            except _GivenUpError:
                self.give_way(path, name, site.stays)
        room_log = SqliteLog(path, name, progress=progress, shared=identity)
        order = ReplicatedOrder(name, stream, site.home, site.me, site.is_alive, upgrade=site.version)
        order.rests, order.rules = False, rules(stream)

        def follow() -> None:
            if self._has_become(is_open=True):
                self.give_up(name, site.stays)

        return room_log, order, follow

    def _started(self, name: str, key: Key, now_us: Callable[[], int]) -> LamportSite:
        """The site, which takes part. Waits until another is found, or the room is founded. Raises PyroChatError."""
        disk = SqliteMemberDisk(self._folder / _FILE, name)
        known = disk.peers()

        def candidates() -> list[str]:
            return [*self._peers, *known, *self._registered(name)]

        dial = self.dialing(name, key)
        try:
            site = LamportSite(disk, key, self.label, now_us, self._at, self.pace, has_texts)
            if disk.root is None:
                LamportLooking(site, self._door, dial, fold(name), candidates, self._seconds, self._closing).look()
            site.start()
        except BaseException:
            disk.close()
            raise
        self._site = site
        links = self._net = LamportLinks(site, dial, [])
        links.give_up.then = lambda address: self._hear_of_founders(name, site, address)
        for peer in candidates():
            links.met(peer)
        self._door.called, self._door.met, self._door.addresses = links.called, links.met, lambda: links.addresses
        self._door.site = site
        return site

    def _hear_of_founders(self, name: str, site: LamportSite, address: str) -> None:
        """Others have founded the room too, at *address*, and it is theirs."""
        self._peers.append(address)
        if self._has_become(is_given_up=True):
            self.give_up(name, site.stays)

    def _has_become(self, is_open: bool = False, is_given_up: bool = False) -> bool:
        """Whether the room is open and given up, with what it has become now; for whichever of the two comes last."""
        with self._mutex:
            self._is_open = self._is_open or is_open
            if is_given_up:
                self._given_up.set()
            return self._is_open and self._given_up.is_set()

    def give_way(self, path: Path, room: str, stays: Callable[[], bool]) -> None:
        assert self._site is not None
        self._door.site = None
        if self._register is not None:
            self._register.close()
            self._register = None
        self.end()
        self.take_over(self._registry)
        if not stays():
            if path.exists():
                put_aside(path, room)
            put_aside(self._folder / _FILE, room)
            RegistryLog(self._registry.file).forget()

    def _followed(self, site: LamportSite, registry: Registry) -> SharedRegistry:
        stream = SiteStream(site, _REGISTRY)
        if registry.file.standing is None:
            self._identity(stream)
        order = ReplicatedOrder(
            "names", stream, site.home, site.me, site.is_alive, to_wire=command_to_wire, from_wire=command_from_wire
        )  # fmt: skip
        shared = SharedRegistry(registry.file, order)
        if not shared.catch_up():
            log.warning("no quorum of the sites is here: what is here can be read, and nothing is taken until one is")
        if shared.error is not None:
            shared.close()
            raise CannotHost(str(shared.error))
        return shared

    def _identity(self, stream: SiteStream) -> str:
        """The identity of the log of *stream*, which begins now where nobody has begun it. Waits for a quorum, however long that
        takes."""
        is_told = False
        while not self._closing.is_set():
            if self._given_up.is_set():
                raise _GivenUpError
            try:
                origin = read(stream.begin(to_bytes(Origin(str(uuid.uuid4())))))
            except LogUnavailable as error:
                if not is_told:
                    log.warning("waiting for the other sites: %s", error)
                is_told = True
                continue
            if not isinstance(origin, Origin):
                raise LogUnreadable("the stream does not begin as one of this version of PyroChat: upgrade it")
            return origin.identity
        raise RoomClosing("the server is being stopped")

    def seen(self, room: str) -> list[SiteSeen]:
        return [] if self._net is None else self._net.seen()

    def close(self) -> None:
        self._closing.set()

    def leave(self) -> None:
        if self._register is not None:
            self._register.close()
        if self._site is not None and self._net is not None:
            self._site.leave(_LEAVING_SECONDS)
            self._net.flush(_LEAVING_SECONDS / 4)

    def end(self) -> None:
        if self._net is not None:
            self._net.close()
        if self._site is not None:
            self._site.close()


def _not_yet(command: RegistryCommand) -> NoReturn:
    raise RoomClosing("this site is not in the room yet: try again in a moment")
