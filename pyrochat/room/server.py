"""A server: rooms behind one port, known to the name server."""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import ssl
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pyrochat.core.pace import Pace
from pyrochat.core.places import Bounds
from pyrochat.core.rates import Rate
from pyrochat.core.registry import command_from_wire
from pyrochat.core.space import Storage
from pyrochat.pyro.budget import Budgets
from pyrochat.pyro.connecting import CONNECT_SECONDS, Connector
from pyrochat.pyro.daemon import Daemon
from pyrochat.pyro.forks import LeftToParent, leave_to_parent
from pyrochat.pyro.patched import check_not_patched
from pyrochat.pyro.tls import ServerTls
from pyrochat.room.chatroom import ChatRoom
from pyrochat.room.clock import wall_clock_us
from pyrochat.room.delivery.encoded_log import BlockReader
from pyrochat.room.delivery.multicast import Multicaster
from pyrochat.room.door.closed import ClosedRooms
from pyrochat.room.door.door import Access, Door
from pyrochat.room.door.limiter import Limiter
from pyrochat.room.door.names import Names
from pyrochat.room.door.registry import Registry
from pyrochat.room.door.shared_registry import SharedRegistry
from pyrochat.room.members_rooms import MembersRooms
from pyrochat.room.operating import OperatorSocket, Work
from pyrochat.room.rebuilding import rebuild_registry
from pyrochat.room.registration import Registration
from pyrochat.room.rooms import Rooms
from pyrochat.room.serverobject import ServerObject
from pyrochat.room.space import Disk
from pyrochat.room.status import RoomStatus
from pyrochat.room.turns import Turns
from pyrochat.threads import Defects, go_on
from pyrochat.trust.certificates import fingerprint, make_certificate
from pyrochat.trust.files import keep
from pyrochat.trust.keys import Key
from pyrochat.values.errors import CannotHost, InvalidArgument, InvalidRoomName, PyroChatError
from pyrochat.values.progress import Progress
from pyrochat.values.protocol import SERVER_OBJECT, Timing, checked_timing, room_object
from pyrochat.values.rules import checked_integer, checked_room_name, fold

if TYPE_CHECKING:
    from pyrochat.orders.cluster.cluster import Cluster
    from pyrochat.room.sites.hosting import Sites

log = logging.getLogger(__name__)

_FAREWELL_SECONDS = 2.0
MOST_DESCRIPTORS = 1 << 20


def descriptor_limit() -> int:
    """How many files this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_DESCRIPTORS if soft == resource.RLIM_INFINITY else min(soft, MOST_DESCRIPTORS)


_serving: weakref.WeakSet[Server] = weakref.WeakSet()


class Server:
    """Rooms, served until `close`. A context manager. In a child that was forked from its process it raises CannotHost.

    rooms: their names; those that were created in *data* while a server ran are hosted too. data: the folder for their logs. host, port: where to listen; port 0 takes any
    free one. advertise: the host that others reach it by, where that is not *host*.
    nameserver: whether to register with the Pyro name server (and to start one where none answers).
    accept_loss, progress: see `SqliteLog`. access: what those who come have to show. rate: how much one
    member may send. bounds: how many connections it holds; None: what the process's limit of open files lets it.
    storage: how much may be written. budgets: how much memory all peers together may take.
    tls: the certificate to show; True makes one, and keeps it beside the server's key. connect_seconds: until a
    client's own callback has to answer.
    key_file: where the server's key is, made on first use; one that stands in *data* goes before it, because
    clients know the room by it. None: in *data*.
    look_seconds: how often it looks whether its files are in their places, how far the logs have come (which it notes
    beside them), how full the disk is, and for bans. now_us: the clock that messages get their
    times from, in microseconds since 1970. pace: its other times and bounds. key: its key, in place of one in a file.
    cluster: the one that decides what comes next in the rooms, and has them on other servers too; it is taken over, and closed.
    sites: the rooms have no server, and this is a site of each; it is taken over, and closed.
    Raises CannotHost, LogInUse, LogUnreadable, LogDamaged, NameServerRefused, InvalidRoomName.
    """

    def __init__(
        self,
        rooms: Sequence[str],
        data: Path,
        *,
        host: str = "localhost",
        port: int = 0,
        advertise: str | None = None,
        nameserver: bool = True,
        timing: Timing | None = None,
        bounds: Bounds | None = None,
        accept_loss: bool = False,
        progress: Progress | None = None,
        access: Access | None = None,
        rate: Rate | None = None,
        storage: Storage | None = None,
        tls: ServerTls | bool = False,
        look_seconds: float = 0.5,
        connect_seconds: float = CONNECT_SECONDS,
        budgets: Budgets | None = None,
        now_us: Callable[[], int] = wall_clock_us,
        key_file: Path | None = None,
        pace: Pace | None = None,
        key: Key | None = None,
        cluster: Cluster | None = None,
        sites: Sites | None = None,
    ) -> None:
        check_not_patched(CannotHost)
        # Fixed now: rooms that are created later belong there too, wherever the program is by then.
        self.data = data = data.absolute()
        key_file = None if key_file is None else key_file.absolute()
        names = _checked_rooms(rooms)
        checked_integer(port, "a port", 0, 65_535)
        timing = checked_timing(timing)
        access, storage = access or Access(), storage or Storage()
        bounds = bounds or Bounds.within(descriptor_limit())
        self._closed = threading.Event()
        self._pace = pace = pace or Pace()
        self._look_seconds = look_seconds
        self._bans_due = False
        self._watch_ended = threading.Event()
        self._doorkeeper = threading.Thread(target=self._keep_watch, name="pyrochat-doorkeeper", daemon=True)
        self._cluster, self._shared, self._sites = cluster, None, sites
        if sites is not None and (access.new_rooms != "nobody" or accept_loss):
            raise InvalidArgument("a site hosts the rooms that it is started with, and none that members create")
        self._defects = Defects(log)
        self._budgets = budgets or Budgets.of()
        self._daemon: Daemon | None = None
        self._registration: Registration | None = None
        self._operator: OperatorSocket | None = None
        self._limiter = Limiter(rate or Rate(), storage.peer_bytes, pace)
        with contextlib.ExitStack() as undo:
            self._registry = Registry(data if sites is None else sites.registry_folder(data, names))
            undo.callback(self._registry.close)
            if cluster is not None:
                undo.callback(cluster.close)
                self._shared = _shared_registry(self._registry, cluster)
                undo.callback(self._shared.close)
            if sites is not None:
                sites.peer_bytes = storage.peer_bytes
                sites.take_over(self._registry)
            self._closed_rooms = ClosedRooms(self._registry.file)
            key = key or Key.kept_at(_own_file(data, "server-key.pem", key_file))
            self._names = Names(self._registry.key_of, bounds)
            self._reader = BlockReader()
            undo.callback(self._reader.close)
            self._turns = Turns()
            undo.callback(self._turns.close)
            self._connector = Connector(bounds, connect_seconds)
            undo.callback(self._connector.close)
            self._multicaster = Multicaster(self._budgets.unsent, pace)
            self._rooms = Rooms(
                data, key, self._registry, self._closed_rooms, self._names, self._multicaster, self._reader, timing,
                bounds.last_free_descriptor, Disk(data, storage.disk_reserve), storage.room_bytes, now_us, pace, cluster, sites,
            )  # fmt: skip
            if cluster is not None:
                cluster.tails = self._rooms.tails
            undo.pop_all()
        try:
            shown = _kept_certificate(data, key_file, [host, advertise]) if tls is True else (tls or None)
            self.certificate = shown.shown() if shown else b""
            seen = fingerprint(self.certificate) if shown else b""
            self._door = Door(
                self._registry, self._names, key, seen, access, self._limiter, sites is not None,
                sites is not None and sites.names_are_shared,
            )  # fmt: skip
            self._rooms.open(names, accept_loss=accept_loss, progress=progress)
            context = shown.context() if shown else None
            self._daemon = self._start_daemon(host, port, advertise, bounds, context)
            if cluster is not None:
                cluster.at = self.at
            if sites is not None:
                sites.serve(self.rooms, self._daemon, self._door, self.at, context is not None)
            self._doorkeeper.start()
            if nameserver:
                self._registration = self._registered(self._daemon, key, host)
            if sites is not None:  # others find this one while it looks for them
                self._rooms.open_sites(progress)
            self._rooms.open_remembered(self._registration)
            self._operator = OperatorSocket(data, self._works())
            _serving.add(self)
        except BaseException:
            self.close()
            raise

    def _start_daemon(
        self, host: str, port: int, advertise: str | None, bounds: Bounds, tls: ssl.SSLContext | None
    ) -> Daemon:
        daemon = Daemon(
            host, port, greet=self._door.greet, bid_farewell=self._door.bid_farewell, advertise=advertise,
            charge=self._limiter.charge, bounds=bounds, tls=tls, budgets=self._budgets, pace=self._pace,
        )  # fmt: skip
        try:
            offered = MembersRooms(self._rooms, self._closed_rooms, self._door, self._limiter)
            self._rooms.serve(
                daemon,
                lambda hosted: ChatRoom(hosted, offered, self._door, self._limiter, self._connector, self._turns),
            )
            daemon.register(ServerObject(offered, self._door), SERVER_OBJECT)
            threading.Thread(target=daemon.requestLoop, name="pyrochat-accept", daemon=True).start()
        except BaseException:
            daemon.end_unstarted()
            raise
        return daemon

    def _registered(self, daemon: Daemon, key: Key, host: str) -> Registration:
        """The rooms' place in the name server."""
        uris = {name: self.uri(name) for name in self.rooms}
        if self._sites is not None:
            site: str | None = self._sites.free_label(self.rooms)
        else:
            site = None if self._cluster is None else self._cluster.label
        return Registration(
            uris, self._uri_of(SERVER_OBJECT), daemon.address, key.public.hex(), host,
            site=site, is_of_all=self._sites is not None,
        )  # fmt: skip

    def _works(self) -> dict[str, Work]:
        """What the operator can have done while it serves."""
        works: dict[str, Work] = {"redact": self._rooms.redact}
        return works if self._cluster is None else works | {"rebuild": self._rebuild, "register": self._register}

    # -- what can be asked ----------------------------------------------------------------------------------

    @property
    def rooms(self) -> list[str]:
        """The names of the rooms."""
        return self._rooms.names

    @property
    def at(self) -> str:
        """``host:port``, to be given to ``join(at=…)``."""
        assert self._daemon is not None
        return str(self._daemon.locationStr)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        assert self._daemon is not None
        return self._daemon.port

    @property
    def connection_count(self) -> int:
        """How many connections there are on which the rooms are called; a session has another one."""
        assert self._daemon is not None
        return int(self._daemon.transportServer.connection_count)

    @property
    def listens_on(self) -> str:
        """The numeric address that it listens on, as the system has understood *host*."""
        assert self._daemon is not None
        return self._daemon.listens_on

    @property
    def started_nameserver(self) -> str | None:
        """``host:port`` of the name server that this server had to start; None where one was there."""
        return self._registration.embedded_at if self._registration else None

    def uri(self, room: str) -> str:
        """The Pyro URI of *room*."""
        return self._uri_of(room_object(room))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate that it shows, in hexadecimal; empty without TLS."""
        return fingerprint(self.certificate).hex() if self.certificate else ""

    @property
    def others(self) -> str:
        """Which servers of its cluster are there, for people; empty where it has none."""
        if self._cluster is None:
            return ""
        there = [peer.label for peer in self._cluster.liveness.peers()]
        return f"{len(there)} of {self._cluster.servers} servers are there: {', '.join(there)}"

    def status(self) -> list[RoomStatus]:
        """What goes on in each room that was used since the start; in all others nobody is."""
        return self._rooms.status()

    def __repr__(self) -> str:
        if isinstance(self._rooms, LeftToParent):
            return "<PyroChat server: the parent process's>"
        state = "closed" if self._closed.is_set() else f"at {self.at}"
        return f"<PyroChat server {state}: {', '.join(self.rooms)}>"

    def _uri_of(self, object_id: str) -> str:
        assert self._daemon is not None
        return str(self._daemon.uriFor(object_id))

    # -- what the operator of a cluster asks for ---------------------------------------------------------------

    def _rebuild(self, room: str | None) -> int | None:
        """Make the stream of *room* (None: of the register of names) anew; how many messages, or entries, it has."""
        assert self._cluster is not None
        return rebuild_registry(self._cluster, self._registry.file) if room is None else self._rooms.rebuild(room)

    def _register(self, command: list[object]) -> bool:
        """The operator wants something of the register of names."""
        self._registry.file.submit(command_from_wire(command))
        return True

    # -- what needs a look ----------------------------------------------------------------------------------------

    def _keep_watch(self) -> None:
        """See to the files of the rooms, and show those out whom the operator bans while the server runs."""
        go_on(
            lambda: not self._watch_ended.wait(self._look_seconds) and self._look_around(),
            "the doorkeeper", self._defects,
        )  # fmt: skip

    def _look_around(self) -> bool:
        self._rooms.look()
        with contextlib.suppress(PyroChatError):  # the registry has said it
            self._bans_due = self._registry.has_changed() or self._bans_due
            if self._bans_due:
                self._rooms.host_others()
                self._closed_rooms.look()
                self._show_out_the_banned()
                self._bans_due = False
        return True

    def _show_out_the_banned(self) -> None:
        members, keys = self._registry.bans()
        if self._sites is not None:
            self._sites.heed(members, keys)
        for member, key in self._names.in_use():
            if member in members or key in keys:
                log.info("%s is banned", member)
                for room in self._rooms.open_ones:
                    room.expel(member)
                self._door.show_out(member)

    # -- the end ------------------------------------------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the server is closed (seconds; None: for ever); True when it is."""
        return self._closed.wait(timeout)

    def admit_no_more(self) -> None:
        """From now on nobody joins a room who is not in it; who is there can finish. `close` comes next."""
        self._rooms.create_no_more()

    def close(self, farewell: str = "the server has been stopped") -> None:
        """Finish what is acknowledged, tell the members *farewell*, and stop. Idempotent."""
        if self._closed.is_set():
            return
        for step in self._last_steps(farewell):
            try:
                step()
            except Exception:  # what is left open for it would be worse
                log.exception("a part of the server could not be ended in order")

    def _last_steps(self, farewell: str) -> Iterator[Callable[[], object]]:
        """What ends the parts of the server, in this order, whichever of them there are."""
        yield self._rooms.create_no_more
        if self._sites is not None:
            yield self._sites.close
        yield self._watch_ended.set
        if self._operator is not None:
            yield self._operator.close
        if self._doorkeeper.is_alive():  # before the logs are closed: what SQLite then removes is not missing
            yield lambda: self._doorkeeper.join(_FAREWELL_SECONDS)
        if self._registration is not None:
            yield self._registration.close
        rooms = self._rooms.open_ones
        for room in rooms:  # all at once
            yield room.begin_to_close
        for room in rooms:
            yield room.close
        if self._sites is not None:
            yield self._sites.leave
        if self._daemon is not None:  # before the farewell: who hears it comes back at once
            yield self._daemon.shutdown
        yield self._connector.close
        yield lambda: self._multicaster.close(farewell, _FAREWELL_SECONDS)
        yield self._reader.close
        yield self._turns.close
        for room in self._rooms.open_ones:
            yield room.close_log
        if self._sites is not None:
            yield self._sites.end
        if self._shared is not None:
            yield self._shared.close
        if self._cluster is not None:
            yield self._cluster.close
        yield self._closed.set
        yield lambda: _serving.discard(self)
        yield self._registry.close

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(self._rooms, LeftToParent):
            self.close()


def serving_from(data: Path) -> Server | None:
    """The server of this process that has its logs in *data*."""
    return next((server for server in list(_serving) if server.data == data.absolute()), None)


def _leave_all_to_parent() -> None:
    """In a child of the process: nobody serves here, and what is open is the parent's."""
    for server in list(_serving):
        leave_to_parent(server, lambda: CannotHost("this server belongs to the parent process: host in the child"))
    _serving.clear()


os.register_at_fork(after_in_child=_leave_all_to_parent)


def _checked_rooms(rooms: Sequence[str]) -> list[str]:
    """The names of a server's rooms. Raises InvalidRoomName."""
    names = [checked_room_name(room) for room in rooms]
    if not names:
        raise InvalidRoomName("a server needs at least one room: name it")
    if len({fold(name) for name in names}) < len(names):
        raise InvalidRoomName("the same room is named twice")
    return names


def _shared_registry(registry: Registry, cluster: Cluster) -> SharedRegistry:
    """The registry that the servers of *cluster* share; one that is new here waits for a majority of them."""
    if registry.file.standing is None:
        cluster.identity(waits=True)
    shared = SharedRegistry(registry.file, cluster.registry_order())
    if not shared.catch_up():
        log.warning(
            "no majority of the cluster's machines answers: what is here can be read, and nothing is taken until one does"
        )
    if shared.error is not None:
        shared.close()
        raise CannotHost(str(shared.error))
    return shared


def _own_file(data: Path, name: str, elsewhere: Path | None) -> Path:
    """The file *name* in *data* where it is there, or nothing says that it is *elsewhere*."""
    own = data / name
    return own if elsewhere is None or own.exists() else elsewhere


def _kept_certificate(data: Path, key_file: Path | None, hosts: Sequence[str | None]) -> ServerTls:
    """The server's certificate, kept as its key is, and made on first use. Raises Unavailable."""
    path = _own_file(data, "tls.pem", None if key_file is None else key_file.with_name("server-tls.pem"))
    keep(path, lambda: make_certificate(sorted({"localhost", *filter(None, hosts)})))
    return ServerTls(path, path)
