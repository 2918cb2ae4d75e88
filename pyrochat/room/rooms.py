"""The rooms of one server: opened at its start, and, where members may create some, while it runs."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

from pyrochat.core.pace import Pace
from pyrochat.orders.local import LocalOrder
from pyrochat.pyro.daemon import Daemon
from pyrochat.room.clock import wall_clock_us
from pyrochat.room.delivery.encoded_log import BlockReader
from pyrochat.room.delivery.multicast import Multicaster
from pyrochat.room.door.names import Names
from pyrochat.room.door.registry import Registry
from pyrochat.room.registration import Registration
from pyrochat.room.room import Room
from pyrochat.room.space import Disk, RoomSpace
from pyrochat.storage.log_file import Progress, is_used, log_path
from pyrochat.storage.search_index import index_path
from pyrochat.storage.sqlite_log import SqliteLog
from pyrochat.storage.troubles import Troubles
from pyrochat.trust.keys import Key
from pyrochat.values.errors import CannotHost, LogProblem, NewRoomsRefused, PyroChatError, RoomClosing, ServerFull
from pyrochat.values.protocol import Timing, room_object
from pyrochat.values.rules import fold

__all__ = ["Rooms"]

log = logging.getLogger(__name__)

_ROOM_BYTES = 256 * 1024  # of an empty one, on disk
_PARTING_SECONDS = 2.0
_VERIFIED_AT_ONCE = 5000  # messages: some 20 ms of work
_MOST_WAITING = 8  # for a room that they create

Remote = Callable[[Room], object]


class Rooms:
    """The rooms of a server, in the order in which they came. Any thread may call.

    data: the folder of their logs. key: the server's. registry: remembers those that were created while a server ran.
    last_descriptor: none is created when this one is taken; a room needs about twelve. disk: what the folder is on.
    room_bytes: how large a log may become; 0: as large as it likes. now_us: the clock of all rooms, see `Room`.
    """

    def __init__(
        self, data: Path, key: Key, registry: Registry, names: Names, multicaster: Multicaster, reader: BlockReader,
        timing: Timing, last_descriptor: int, disk: Disk, room_bytes: int,
        now_us: Callable[[], int] = wall_clock_us, pace: Pace | None = None,
    ) -> None:  # fmt: skip
        self._pace = pace or Pace()
        self._data = data
        self._key = key
        self._disk = disk
        self._room_bytes = room_bytes
        self._now_us = now_us
        self._registry = registry
        self._names = names
        self._multicaster = multicaster
        self._reader = reader
        self._timing = timing
        self._last_descriptor = last_descriptor
        self._rooms: dict[str, Room] = {}  # by folded name; replaced, never changed: readers need no lock
        self._opening = threading.Lock()  # one room at a time is opened while the server runs
        self._queue = threading.Semaphore(_MOST_WAITING)  # each who waits holds a worker
        self._closing = False
        self._troubles = Troubles("rooms")
        self._daemon: Daemon | None = None
        self._remote: Remote | None = None
        self._registration: Registration | None = None

    # -- what is there ------------------------------------------------------------------------------------

    @property
    def all(self) -> list[Room]:
        """The rooms."""
        return list(self._rooms.values())

    @property
    def names(self) -> list[str]:
        """The names of the rooms."""
        return [room.name for room in self._rooms.values()]

    def look(self) -> None:
        """Now and then: see to the files of all rooms, and how full the disk is; verify a part of one log."""
        coming, verifies = 0, True
        for room in self.all:
            try:
                room.look()
                coming += room.space.look()
                if verifies and room.log.unverified:
                    verifies = False
                    room.verify_more(_VERIFIED_AT_ONCE)
            except Exception as error:  # a defect; the others are looked after all the same
                where = "".join(traceback.format_exception(error))
                self._troubles.say(
                    f"{room.name} {error!r}", f"can't look after room {room.name!r}\n{where}", logging.ERROR
                )
        self._disk.look(coming)

    def has(self, name: str) -> bool:
        """Whether there is a room of this name, however it is spelled."""
        return fold(name) in self._rooms

    # -- the start ----------------------------------------------------------------------------------------

    def open(self, name: str, *, accept_loss: bool, progress: Progress | None) -> None:
        """Open the log of room *name*, and its room. Raises what `SqliteLog` raises."""
        self._list(self._opened(name, accept_loss, progress))

    def _opened(self, name: str, accept_loss: bool = False, progress: Progress | None = None) -> Room:
        path = log_path(self._data, name)
        room_log = SqliteLog(path, name, accept_loss=accept_loss, progress=progress)
        try:
            space = RoomSpace(room_log, self._disk, self._room_bytes)
            return Room(
                room_log, LocalOrder(name, self._now_us), self._key, self._timing, self._names, self._multicaster, self._reader, index_path(path),
                space, self._pace, self._may_come_back,
            )  # fmt: skip
        except BaseException:
            room_log.close()
            raise

    def _may_come_back(self, member: str) -> bool:
        """Whether the folded name *member* is the name of a key that is let in."""
        key = self._registry.key_of(member)
        return key is not None and not self._registry.is_banned(member, key)

    def _list(self, room: Room) -> None:
        self._rooms = self._rooms | {fold(room.name): room}
        log.info("room %r is open, with %d messages", room.name, room.log.tail)

    def serve(self, daemon: Daemon, remote: Remote) -> None:
        """Let *daemon* serve what *remote* makes of each room, now and later."""
        self._daemon, self._remote = daemon, remote
        for room in self.all:
            daemon.register(remote(room), room_object(room.name))

    def open_remembered(self, registration: Registration | None) -> None:
        """Open the rooms that were created before; from now on others can be created.

        registration: keeps the rooms in the name server, if anything does. A room that can't be opened keeps
        no other from being served: the log says why.
        """
        self._registration = registration
        for remembered in self._registry.rooms():
            if not self.has(remembered.name):
                try:
                    self._open_while_running(remembered.name)
                except PyroChatError as error:
                    log.error("room %r, which was created here before, is not hosted: %s", remembered.name, error)

    # -- while the server runs ----------------------------------------------------------------------------

    def create(self, name: str, creator: str) -> None:
        """Open room *name*, and again at each start of a server in this data folder. Idempotent.

        Raises NewRoomsRefused, ServerFull, DiskFull, NameServerRefused, CannotHost, LogUnavailable, RoomClosing; nothing
        is left of the room then.
        """
        if not self._queue.acquire(blocking=False):
            raise NewRoomsRefused("other rooms are being opened: try again in a moment")
        try:
            if not self._opening.acquire(timeout=self._pace.patience_seconds):
                raise NewRoomsRefused("other rooms are being opened: try again in a moment")
            try:
                if not self.has(name):
                    self._check_space()
                    self._create(name, creator)
            finally:
                self._opening.release()
        finally:
            self._queue.release()

    def _create(self, name: str, creator: str) -> None:
        with contextlib.ExitStack() as undo:
            if not self._registry.has_room(name):
                if is_used(log_path(self._data, name)):
                    raise NewRoomsRefused(
                        f"room {name!r} was hosted here before: its operator opens it again (pyrochat-server --room {name})"
                    )
                self._registry.remember_room(name, creator)
                undo.callback(self._forget, name)
            try:
                self._open_while_running(name)
            except (CannotHost, LogProblem) as error:  # it names our files, which are nobody's business
                log.error("room %r could not be opened for %s: %s", name, creator, error)
                raise CannotHost(f"room {name!r} can't be opened here: the server's log says why") from None
            undo.pop_all()
        log.info("room %r was created by %s", name, creator)

    def _check_space(self) -> None:
        if len(self._rooms) >= self._pace.most_rooms:
            raise NewRoomsRefused(f"this server has {len(self._rooms)} rooms, and takes no more: use one of them")
        descriptor = self._last_descriptor
        with contextlib.suppress(OSError):
            descriptor = os.open(os.devnull, os.O_RDONLY)  # the lowest that is free
            os.close(descriptor)
        if descriptor >= self._last_descriptor:
            raise ServerFull("the server has no descriptors left for another room: ask its operator for more")
        if refusal := self._disk.refusal(_ROOM_BYTES):
            raise refusal

    def _forget(self, name: str) -> None:
        with contextlib.suppress(PyroChatError):  # it is hosted at the next start, then
            self._registry.forget_room(name)

    def _open_while_running(self, name: str) -> None:
        """All the steps to a room that is served, or none."""
        assert self._daemon is not None
        assert self._remote is not None
        with contextlib.ExitStack() as undo:
            self.check_open()
            if self._registration is not None:
                self._registration.add(name, str(self._daemon.uriFor(room_object(name))))
                undo.callback(self._registration.withdraw, name)
            room = self._opened(name)
            undo.callback(self._abandon, room)
            self.check_open()
            self._daemon.register(self._remote(room), room_object(room.name))
            self._list(room)
            undo.pop_all()

    def check_open(self) -> None:
        """Raise RoomClosing where nothing is opened, and nobody new let in, any more."""
        if self._closing:
            raise RoomClosing("the server is being stopped: try again when it is back")

    def _abandon(self, room: Room) -> None:
        room.close()
        self._multicaster.forget(room)
        room.close_log()

    # -- the end ------------------------------------------------------------------------------------------

    def create_no_more(self) -> None:
        """Wait for a room that is being opened (2 s at the most), and open no other, nor let anybody new in."""
        self._closing = True
        if self._opening.acquire(timeout=_PARTING_SECONDS):
            self._opening.release()
