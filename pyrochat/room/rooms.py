"""The rooms of one server: those that its operator names, and those that members have created.

A room costs something while it is used. The first that are named are opened at the start, so that what is wrong with
their logs is said there; all others when somebody comes, or because somebody was in them when the last server ended.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pyrochat.clock import monotonic
from pyrochat.core.order import Order
from pyrochat.core.pace import Pace
from pyrochat.orders.local import LocalOrder
from pyrochat.pyro.daemon import Daemon
from pyrochat.room.clock import wall_clock_us
from pyrochat.room.delivery.encoded_log import BlockReader
from pyrochat.room.delivery.multicast import Multicaster
from pyrochat.room.door.closed import ClosedRooms
from pyrochat.room.door.names import Names
from pyrochat.room.door.registry import Registry
from pyrochat.room.hosted import Hosted
from pyrochat.room.rebuilding import rebuild
from pyrochat.room.registration import Registration
from pyrochat.room.room import Room
from pyrochat.room.space import Disk, RoomSpace
from pyrochat.room.status import RoomStatus
from pyrochat.storage.log_file import file_stem, is_used, log_path, was_in_use
from pyrochat.storage.search_index import index_path
from pyrochat.storage.sqlite_log import SqliteLog
from pyrochat.storage.troubles import Troubles
from pyrochat.trust.keys import Key
from pyrochat.values.errors import (
    CannotHost,
    LogProblem,
    NewRoomsRefused,
    NotYours,
    PyroChatError,
    RoomClosing,
    ServerFull,
)
from pyrochat.values.progress import Progress
from pyrochat.values.protocol import Timing, room_object
from pyrochat.values.rules import fold

if TYPE_CHECKING:
    from pyrochat.orders.cluster.cluster import Cluster
    from pyrochat.room.sites.hosting import Sites

log = logging.getLogger(__name__)

ROOM_BYTES = 256 * 1024  # of an empty one, on disk
_PARTING_SECONDS = 2.0
_VERIFIED_AT_ONCE = 5000  # messages: some 20 ms of work
_OPENED_AT_THE_START = 20
_LOOKED_INTO_AT_ONCE = 20  # logs: some 10 ms of work
_MOST_WAITING = 8  # for a room that they create

Remote = Callable[[Hosted], object]


class Rooms:
    """The rooms of a server, in the order in which they came. Any thread may call.

    data: the folder of their logs. key: the server's. registry: remembers those that were created while a server ran;
    closed: those of them that are not for everybody, and are known by their ids here.
    last_descriptor: none is created when this one is taken; a room needs about twelve. disk: what the folder is on.
    room_bytes: how large a log may become; 0: as large as it likes. now_us: the clock of all rooms, see `Room`.
    cluster: decides in their place what comes next in them, and has the same rooms on other servers. sites: they have no
    server, and this is a site of each.
    """

    def __init__(
        self, data: Path, key: Key, registry: Registry, closed: ClosedRooms, names: Names, multicaster: Multicaster, reader: BlockReader,
        timing: Timing, last_descriptor: int, disk: Disk, room_bytes: int,
        now_us: Callable[[], int] = wall_clock_us, pace: Pace | None = None, cluster: Cluster | None = None,
        sites: Sites | None = None,
    ) -> None:  # fmt: skip
        self._cluster = cluster
        self.sites = sites
        self._pace = pace or Pace()
        self._data = data
        self._key = key
        self._disk = disk
        self._room_bytes = room_bytes
        self._now_us = now_us
        self._registry = registry
        self._closed = closed
        self._names = names
        self._multicaster = multicaster
        self._reader = reader
        self._timing = timing
        self._last_descriptor = last_descriptor
        self._rooms: dict[str, Hosted] = {}  # by folded name; replaced, never changed: readers need no lock
        self._not_looked_into: deque[Hosted] = deque()  # somebody may have been there when the last server ended
        self._opening = threading.Lock()  # one room at a time is opened while the server runs
        self._queue = threading.Semaphore(_MOST_WAITING)  # each who waits holds a worker
        self._closing = False
        self._troubles = Troubles("rooms")
        self._daemon: Daemon | None = None
        self._remote: Remote | None = None
        self._registration: Registration | None = None

    # -- what is there ------------------------------------------------------------------------------------

    @property
    def open_ones(self) -> list[Room]:
        """The rooms that are open now."""
        return [room for hosted in self._rooms.values() if (room := hosted.room) is not None]

    def status(self) -> list[RoomStatus]:
        """What goes on in each room that was used since the start."""
        return [status for hosted in self._rooms.values() if (status := hosted.status()) is not None]

    @property
    def names(self) -> list[str]:
        """The names of all rooms that are open to everybody."""
        return [hosted.name for hosted in self._rooms.values() if not hosted.is_closed]

    def look(self) -> None:
        """Now and then: see to the files of the open rooms, and how full the disk is; verify a part of one log."""
        coming, verifies = 0, True
        self._look_into()
        for hosted in self._rooms.values():
            try:
                hosted.rest()
                room = hosted.room
                if room is None:
                    continue
                room.look()
                coming += room.space.look()
                if verifies and room.log.unverified:
                    verifies = False
                    room.verify_more(_VERIFIED_AT_ONCE)
            except Exception as error:  # a defect; the others are looked after all the same
                where = "".join(traceback.format_exception(error))
                self._troubles.say(
                    f"{hosted.name} {error!r}", f"can't look after room {hosted.name!r}\n{where}", logging.ERROR
                )
        self._disk.look(coming)

    def has(self, name: str) -> bool:
        """Whether there is a room of this name, however it is spelled."""
        return fold(name) in self._rooms

    def redact(self, room: str, id: int) -> bool | None:
        """The operator deletes message *id* of *room*; None where there is no such room here. See `Room.redact`."""
        hosted = self._rooms.get(fold(room))
        if hosted is None:
            return None
        if self.sites is not None:
            raise NotYours(
                "in a room without a server a text is deleted by its author, at any site, and by nobody else"
            )
        hosted.opened().redact(id)
        return True

    def rebuild(self, room: str) -> int | None:
        """Make the stream of *room* anew from the log here; how many messages it has. None where there is no such room here."""
        hosted = self._rooms.get(fold(room))
        if hosted is None or self._cluster is None:
            return None
        opened, path = hosted.opened(), log_path(self._data, hosted.name)
        return rebuild(self._cluster, file_stem(hosted.name), opened.log.tail, lambda: opened.entry, path)

    # -- the start ----------------------------------------------------------------------------------------

    def open(self, names: Sequence[str], *, accept_loss: bool, progress: Progress | None) -> None:
        """Host the rooms *names*, the first of them open already. Raises what `SqliteLog` raises."""
        for number, name in enumerate(names):
            is_first = self.sites is None and (accept_loss or number < _OPENED_AT_THE_START)
            if is_first and self._cluster is not None and not log_path(self._data, name).exists():
                self._cluster.identity(file_stem(name), waits=True)
            self._list(self._hosted(name, self._opened(name, accept_loss, progress) if is_first else None))

    def _hosted(self, name: str, room: Room | None = None, title: str | None = None) -> Hosted:
        name = name if room is None else room.name  # as it is spelled in its log
        hosted = Hosted(name, lambda: self._opened_again(name, title), self._end, self._pace.idle_seconds, room)
        if room is None and self.sites is None:
            self._not_looked_into.append(hosted)
        return hosted

    def open_sites(self, progress: Progress | None) -> None:
        """Open all rooms, of which this is a site: the server serves already, because other sites ask it while it looks for them.

        Raises PyroChatError.
        """
        assert self.sites is not None
        self.sites.give_up = self._give_up_site
        for hosted in list(self._rooms.values()):
            hosted.open_with(partial(self._opened_site, self.sites, hosted.name, progress))

    def _opened_site(self, sites: Sites, name: str, progress: Progress | None) -> Room:
        path = log_path(self._data, name)
        with contextlib.ExitStack() as undo:
            room_log, order, follow = sites.opened(name, path, self._key, self._now_us, self._registry, progress)
            undo.callback(room_log.close)
            room = self._made(room_log, order, path)
            undo.callback(room.close)
            follow()
            undo.pop_all()
        log.info("room %r is open, with %d messages", name, room_log.tail)
        return room

    def _give_up_site(self, name: str, stays: Callable[[], bool]) -> None:
        """Others have founded the room *name* too, and here nobody has said anything: begin it anew, as a site of theirs."""
        threading.Thread(target=self._begin_anew, args=(name, stays), name="pyrochat-refounding", daemon=True).start()

    def _begin_anew(self, name: str, stays: Callable[[], bool]) -> None:
        sites = self.sites
        assert sites is not None
        hosted, path = self._rooms[fold(name)], log_path(self._data, name)

        def end(room: Room) -> None:
            room.send_away()
            self._end(room)
            sites.give_way(path, name, stays)  # who was quicker keeps the room

        log.warning("room %r: others have founded it too: nobody has said anything here, so it is theirs", name)
        try:
            self.check_open()
            hosted.reopen(end, partial(self._opened_site, sites, name, None))
        except (PyroChatError, OSError) as error:
            log.error("room %r can't be begun anew: %s", name, error)

    def _made(self, room_log: SqliteLog, order: Order, path: Path, closed: str | None = None) -> Room:
        """closed: the id of the room, if it is one."""
        space = RoomSpace(room_log, self._disk, self._room_bytes)
        order.bound(space.let_in)
        return Room(
            room_log, order, self._key, self._timing, self._names, self._multicaster, self._reader, index_path(path),
            space, self._pace, partial(self._may_come_back, closed),
        )  # fmt: skip

    def _opened_again(self, name: str, title: str | None = None) -> Room:
        """For somebody who comes: what is wrong with our files is nobody's business. Raises CannotHost, RoomClosing."""
        self.check_open()
        try:
            return self._opened(name, title=title)
        except (CannotHost, LogProblem) as error:
            log.error("room %r can't be opened: %s", name, error)
            raise CannotHost(f"room {title or name!r} can't be opened here: the server's log says why") from None

    def _look_into(self) -> None:
        """Open those rooms in which somebody was when the last server ended: whoever doesn't come back leaves them."""
        for _ in range(min(_LOOKED_INTO_AT_ONCE, len(self._not_looked_into))):
            hosted = self._not_looked_into.popleft()
            with contextlib.suppress(PyroChatError):  # the log says it
                hosted.open_where(partial(was_in_use, log_path(self._data, hosted.name)))

    def _opened(
        self, name: str, accept_loss: bool = False, progress: Progress | None = None, title: str | None = None
    ) -> Room:
        """title: of a closed one."""
        path = log_path(self._data, name)
        shared = None if self._cluster is None else "" if path.exists() else self._cluster.identity(file_stem(name))
        room_log = SqliteLog(path, title or name, accept_loss=accept_loss, progress=progress, shared=shared)
        try:
            order: Order = (
                LocalOrder(name, self._now_us) if self._cluster is None else self._cluster.order(name, file_stem(name))
            )
            room = self._made(room_log, order, path, None if title is None else name)
        except BaseException:
            room_log.close()
            raise
        log.info("room %r is open, with %d messages", name, room_log.tail)
        return room

    def _may_come_back(self, closed: str | None, member: str) -> bool:
        """Whether the folded name *member* is the name of a key that is let in. closed: the id of the room, if it is one."""
        key = self._registry.key_of(member)
        is_let_in = closed is None or self._closed.key_of(closed, member) == key
        return is_let_in and key is not None and not self._registry.is_banned(member, key)

    def _list(self, hosted: Hosted) -> None:
        self._rooms = self._rooms | {fold(hosted.name): hosted}

    def serve(self, daemon: Daemon, remote: Remote) -> None:
        """Let *daemon* serve what *remote* makes of each room, now and later."""
        self._daemon, self._remote = daemon, remote
        for hosted in self._rooms.values():
            daemon.register(remote(hosted), room_object(hosted.name))

    def open_remembered(self, registration: Registration | None) -> None:
        """Host the rooms that were created before; from now on others can be created.

        registration: keeps the rooms in the name server, if anything does. A room that can't be hosted keeps
        no other from being served: the log says why.
        """
        self._registration = registration
        self.host_remembered()

    def host_remembered(self) -> None:
        """Host the rooms of the registry that are not hosted yet."""
        if self.sites is not None:  # what was created here before is of another order
            return
        registration = self._registration
        uris = {room.name: self._uri(room.name) for room in self._registry.rooms() if not self.has(room.name)}
        refused = {} if registration is None or not uris else registration.add(uris)
        for name in uris:
            if name in refused:
                log.error("room %r, which was created here before, is not hosted: %s", name, refused[name])
            else:
                self._serve(self._hosted(name))
        for room in self._closed.all():
            if room.room not in self._rooms:
                self._serve(self._hosted(room.room, title=room.title))

    def host_others(self) -> None:
        """Host what other servers have created meanwhile."""
        with self._opening:
            self.host_remembered()

    def addresses(self) -> list[str]:
        """Where the rooms are, ``host:port``, this server's first; none, where it is the only one that has them."""
        if self.sites is not None:
            return self.sites.addresses
        if self._cluster is None:
            return []
        others = [peer.at for peer in self._cluster.liveness.peers() if peer.at not in ("", self._cluster.at)]
        return [self._cluster.at, *others]

    def tails(self) -> dict[str, int]:
        """How many messages each room has that is open now, by the name of its files."""
        rooms = self._rooms.values()
        return {file_stem(hosted.name): room.log.tail for hosted in rooms if (room := hosted.room) is not None}

    # -- while the server runs ----------------------------------------------------------------------------

    def create(self, name: str, creator: str) -> None:
        """Open room *name*, and again at each start of a server in this data folder. Idempotent.

        Raises NewRoomsRefused, ServerFull, DiskFull, NameServerRefused, CannotHost, LogUnavailable, RoomClosing; nothing
        is left of the room then.
        """
        with self._turn():
            if not self.has(name):
                self.check_space()
                self._create(name, creator)

    def host_closed(self, room: str, title: str) -> None:
        """Serve the closed room of this id from now on; it opens with the first call. Idempotent. Raises NewRoomsRefused."""
        with self._turn():
            if room not in self._rooms:
                self._serve(self._hosted(room, title=title))
                log.info("a closed room was created: %s", room)

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """One after the other; whoever waits for others holds a worker. Raises NewRoomsRefused."""
        if not self._queue.acquire(blocking=False):
            raise NewRoomsRefused("other rooms are being opened: try again in a moment")
        try:
            if not self._opening.acquire(timeout=self._pace.patience_seconds):
                raise NewRoomsRefused("other rooms are being opened: try again in a moment")
            try:
                yield
            finally:
                self._opening.release()
        finally:
            self._queue.release()

    def tell(self, member: str, text: str) -> None:
        """Say *text* to the folded name *member*, in one of the rooms where it is."""
        for room in self.open_ones:
            if room.tell(member, text):
                return

    def _create(self, name: str, creator: str) -> None:
        with contextlib.ExitStack() as undo:
            if not self._registry.has_room(name):
                if is_used(log_path(self._data, name)):
                    raise NewRoomsRefused(
                        f"room {name!r} was hosted here before: its operator opens it again (pyrochat-server --room {name})"
                    )
                self._registry.remember_room(name, creator)
                undo.callback(self._forget, name)
            self._add(name)
            undo.pop_all()
        log.info("room %r was created by %s", name, creator)

    def check_space(self) -> None:
        """Raise ServerFull, DiskFull where there is no place for another room."""
        descriptor = self._last_descriptor
        with contextlib.suppress(OSError):
            descriptor = os.open(os.devnull, os.O_RDONLY)  # the lowest that is free
            os.close(descriptor)
        if descriptor >= self._last_descriptor:
            raise ServerFull("the server has no descriptors left for another room: ask its operator for more")
        if refusal := self._disk.refusal(ROOM_BYTES):
            raise refusal

    def _forget(self, name: str) -> None:
        with contextlib.suppress(PyroChatError):  # it is hosted at the next start, then
            self._registry.forget_room(name)

    def _add(self, name: str) -> None:
        """All the steps to a room that is open and served, or none."""
        with contextlib.ExitStack() as undo:
            self.check_open()
            if self._registration is not None:
                for error in self._registration.add({name: self._uri(name)}).values():
                    raise error
                undo.callback(self._registration.withdraw, name)
            room = self._opened_again(name)
            undo.callback(self._end, room)
            self.check_open()
            self._serve(self._hosted(name, room))
            undo.pop_all()

    def _serve(self, hosted: Hosted) -> None:
        assert self._daemon is not None
        assert self._remote is not None
        self._daemon.register(self._remote(hosted), room_object(hosted.name))
        self._list(hosted)

    def _uri(self, name: str) -> str:
        assert self._daemon is not None
        return str(self._daemon.uriFor(room_object(name)))

    def check_open(self) -> None:
        """Raise RoomClosing where nothing is opened, and nobody new let in, any more."""
        if self._closing:
            raise RoomClosing("the server is being stopped: try again when it is back")

    def _end(self, room: Room) -> None:
        """Nobody is in it."""
        log.info("room %r rests: nobody uses it", room.name)
        room.close()
        self._multicaster.forget(room)
        room.close_log()

    # -- the end ------------------------------------------------------------------------------------------

    def create_no_more(self) -> None:
        """Wait for rooms that are being opened (2 s at the most), and open no other, nor let anybody new in."""
        self._closing = True
        give_up_at = monotonic() + _PARTING_SECONDS
        if self._opening.acquire(timeout=_PARTING_SECONDS):
            self._opening.release()
        for hosted in self._rooms.values():
            hosted.settle(max(0.0, give_up_at - monotonic()))
