"""A server: rooms behind one port, known to the name server."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from pyrochat.pyro.connection import Connection
from pyrochat.pyro.daemon import Daemon
from pyrochat.room.chatroom import ChatRoom, ServerObject
from pyrochat.room.identity import Identity
from pyrochat.room.log_file import Progress, log_path
from pyrochat.room.multicast import Multicaster
from pyrochat.room.names import Names
from pyrochat.room.registration import Registration
from pyrochat.room.room import Room
from pyrochat.room.sqlite_log import SqliteLog
from pyrochat.room.status import RoomStatus
from pyrochat.room.stretches import BlockReader
from pyrochat.values.errors import InvalidArgument, InvalidRoomName, VersionMismatch
from pyrochat.values.protocol import PROTOCOL_VERSION, SERVER_OBJECT, Timing, room_object
from pyrochat.values.rules import checked_name, checked_room_name, fold

__all__ = ["Server"]

log = logging.getLogger(__name__)

_FAREWELL_SECONDS = 2.0


class Server:
    """Rooms, served until `close`. A context manager.

    rooms: their names. data: the folder for their logs. host, port: where to listen; port 0 takes any
    free one. advertise: the host that others reach it by, where that is not *host*.
    nameserver: whether to register with the Pyro name server (and to start one where none answers).
    accept_loss, progress: see `SqliteLog`.
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
        descriptor_limit: int = 1 << 20,
        accept_loss: bool = False,
        progress: Progress | None = None,
    ) -> None:
        names = [checked_room_name(room) for room in rooms]
        if not names:
            raise InvalidRoomName("a server needs at least one room: name it with --room")
        if len({fold(name) for name in names}) < len(names):
            raise InvalidRoomName("the same room is named twice")
        self._names = Names()
        self._closed = threading.Event()
        self._multicaster = Multicaster()
        self._reader = BlockReader()
        self._rooms: dict[str, Room] = {}
        self._daemon: Daemon | None = None
        self._registration: Registration | None = None
        try:
            for name in names:
                room_log = SqliteLog(log_path(data, name), name, accept_loss=accept_loss, progress=progress)
                self._rooms[name] = Room(room_log, timing or Timing(), self._names, self._multicaster, self._reader)
            self._daemon = self._start_daemon(host, port, advertise, descriptor_limit)
            if nameserver:
                uris = {name: self.uri(name) for name in names}
                self._registration = Registration(uris, self._uri_of(SERVER_OBJECT), self._daemon.address, host)
        except BaseException:
            self.close()
            raise

    def _start_daemon(self, host: str, port: int, advertise: str | None, descriptor_limit: int) -> Daemon:
        daemon = Daemon(
            host, port, greet=self._greet, bid_farewell=self._bid_farewell, advertise=advertise,
            descriptor_limit=descriptor_limit,
        )  # fmt: skip
        for name, room in self._rooms.items():
            daemon.register(ChatRoom(room), room_object(name))
        daemon.register(ServerObject(lambda: list(self._rooms)), SERVER_OBJECT)
        threading.Thread(target=daemon.requestLoop, name="pyrochat-accept", daemon=True).start()
        return daemon

    # -- what can be asked ----------------------------------------------------------------------------------

    @property
    def rooms(self) -> list[str]:
        """The names of the rooms."""
        return list(self._rooms)

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
    def started_nameserver(self) -> str | None:
        """``host:port`` of the name server that this server had to start; None where one was there."""
        return self._registration.embedded_at if self._registration else None

    def uri(self, room: str) -> str:
        """The Pyro URI of *room*."""
        return self._uri_of(room_object(room))

    def status(self) -> list[RoomStatus]:
        """What goes on in each room."""
        return [room.status() for room in self._rooms.values()]

    def __repr__(self) -> str:
        state = "closed" if self._closed.is_set() else f"at {self.at}"
        return f"<PyroChat server {state}: {', '.join(self._rooms)}>"

    def _uri_of(self, object_id: str) -> str:
        assert self._daemon is not None
        return str(self._daemon.uriFor(object_id))

    # -- who comes and goes -----------------------------------------------------------------------------------

    def _greet(self, connection: Connection, data: object) -> tuple[object, object]:
        """The handshake: bind the name that a newcomer gives to its connection."""
        answer = {"version": PROTOCOL_VERSION}
        if not isinstance(data, dict) or "name" not in data:
            return "nobody", answer  # may ask which rooms there are
        version = data.get("version", PROTOCOL_VERSION)
        if version != PROTOCOL_VERSION:
            raise VersionMismatch(
                f"this server speaks version {PROTOCOL_VERSION} of PyroChat's protocol, the client {version}: "
                "upgrade the older one"
            )
        name = checked_name(data["name"])
        secret, session_id = data.get("secret"), data.get("session")
        if not isinstance(secret, str | None) or not isinstance(session_id, str | None):
            raise InvalidArgument("secret and session have to be text")
        hashed = hashlib.sha256(secret.encode()).digest() if secret else None
        identity = Identity(name, fold(name), hashed, session_id)
        self._names.claim(identity.member, hashed, identity)
        return identity, answer

    def _bid_farewell(self, identity: object) -> None:
        if isinstance(identity, Identity):
            self._names.release(identity.member, identity)

    # -- the end ------------------------------------------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the server is closed (seconds; None: for ever); True when it is."""
        return self._closed.wait(timeout)

    def close(self, farewell: str = "the server has been stopped") -> None:
        """Finish what is acknowledged, tell the members *farewell*, and stop. Idempotent."""
        if self._closed.is_set():
            return
        if self._registration is not None:
            self._registration.close()
        for room in self._rooms.values():
            room.close()
        if self._daemon is not None:  # before the farewell: who hears it comes back at once
            self._daemon.shutdown()
        self._multicaster.close(farewell, _FAREWELL_SECONDS)
        self._reader.close()
        for room in self._rooms.values():
            room.close_log()
        self._closed.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
