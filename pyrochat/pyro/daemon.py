"""The daemon of a room's server: Pyro5's, with our transport, and no word too many to strangers."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable
from typing import Any

from Pyro5 import errors as pyro_errors
from Pyro5 import protocol, serializers, server
from Pyro5.callcontext import current_context

from pyrochat.pyro.connection import Connection
from pyrochat.pyro.transport import Transport
from pyrochat.pyro.wire import SERIALIZERS, SERPENT, whole_frame
from pyrochat.values.errors import CannotHost, InvalidInput, PortInUse, PyroChatError, Refused, ServerFull, wire_text

__all__ = ["Daemon", "caller", "callers_address", "callers_serializer", "expose", "take_callers_socket"]

log = logging.getLogger(__name__)

expose = server.expose

MAX_GREETING_BYTES = 64 * 1024
MAX_REQUEST_BYTES = 1024 * 1024


def caller() -> Connection:
    """The connection of the call that this thread is serving."""
    connection = current_context.client
    assert isinstance(connection, Connection)
    return connection


def callers_serializer() -> int:
    """The id of the serializer that the caller speaks."""
    serializer_id: int = current_context.serializer_id
    return serializer_id


def callers_address() -> str:
    """The numeric address of the caller."""
    return str(caller().sock.getpeername()[0])


def take_callers_socket() -> tuple[socket.socket, Exception]:
    """The caller's socket, to be kept; and what the method has to raise now, so that no answer is sent.

    The worker goes back to the pool, and the socket stays open.
    """
    return caller().detach(), pyro_errors.ConnectionClosedError("the connection has been turned around")


@server.expose
class DaemonFace:
    """What strangers may ask of the daemon itself: no list of objects, no description."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def ping(self) -> None:
        """Answer."""

    def get_metadata(self, object_id: str) -> dict[str, Any]:
        """What a proxy needs to know of an object; raises where there is none."""
        found = self._daemon.objectsById.get(object_id)
        if found is None:
            raise pyro_errors.DaemonError("room-not-found: there is no such room on this server")
        metadata: dict[str, Any] = server._get_exposed_members(found)
        return metadata


class Daemon(server.Daemon):  # type: ignore[misc]
    """A Pyro5 daemon on *host*:*port* (0: any free one).

    greet: called with ``(connection, handshake data)`` for each newcomer; returns ``(identity,
        answer)`` or raises. bid_farewell: called with the identity when a connection is gone.
    advertise: the host that stands in the URIs, where it is not *host*. Raises CannotHost.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        greet: Callable[[Connection, object], tuple[object, object]],
        bid_farewell: Callable[[Any], None],
        advertise: str | None = None,
        descriptor_limit: int = 1 << 20,
    ) -> None:
        listening = _listen(host, port)
        # Pyro5 picks a transport by its global configuration; given any connected socket it picks none.
        one, other = socket.socketpair()
        with one, other:
            super().__init__(connected_socket=one, interface=DaemonFace)
        self.transportServer = Transport(self, listening, descriptor_limit)
        self.port: int = listening.getsockname()[1]
        shown = advertise or host
        self.address = (shown, self.port)
        self.locationStr = f"[{shown}]:{self.port}" if ":" in shown else f"{shown}:{self.port}"
        self.transportServer.locationStr = self.locationStr
        self._greet = greet
        self._bid_farewell = bid_farewell

    def validateHandshake(self, connection: Connection, data: object) -> object:
        """Part of Pyro5's interface: bind an identity to *connection*."""
        try:
            connection.identity, answer = self._greet(connection, data)
        except PyroChatError as error:
            raise RuntimeError(wire_text(error)) from None
        return answer

    def clientDisconnect(self, connection: Connection) -> None:
        """Part of Pyro5's interface: *connection* is gone, or somebody has taken its socket."""
        if connection.identity is not None:
            self._bid_farewell(connection.identity)

    def refuse_when_full(self, connection: Connection) -> None:
        """Tell a newcomer, without reading from it, that there is no room for it."""
        self._refuse(
            connection,
            wire_text(ServerFull("the server has no descriptors left: try later, or ask its operator for more")),
        )

    def _refuse(self, connection: Connection, reason: str) -> None:
        payload = serializers.serializers["serpent"].dumps(reason)  # every Pyro5 client reads serpent
        try:
            connection.sock.setblocking(False)
            connection.sock.send(whole_frame(protocol.MSG_CONNECTFAIL, payload, SERPENT))
        except OSError as error:
            log.debug("could not tell a newcomer why it is refused: %s", error)

    def _handshake(self, connection: Connection, denied_reason: str | None = None) -> bool:
        """Part of Pyro5's interface: the first message of a newcomer; its header is looked at before it is read."""
        try:
            connection.check_header(SERIALIZERS, MAX_GREETING_BYTES)
        except pyro_errors.ProtocolError as error:
            self._refuse(connection, f"refused: {error}")
            return False
        return bool(super()._handshake(connection, denied_reason))

    def handleRequest(self, connection: Connection) -> None:
        """Part of Pyro5's interface: one call."""
        connection.check_header(SERIALIZERS, MAX_REQUEST_BYTES)
        super().handleRequest(connection)

    def _sendExceptionResponse(
        self, connection: Connection, seq: int, serializer_id: int, exc_value: BaseException,
        tbinfo: object, flags: int = 0, annotations: object = None,
    ) -> None:  # fmt: skip
        """Part of Pyro5: answer with an error. Ours goes out as a builtin, none with a traceback."""
        super()._sendExceptionResponse(connection, seq, serializer_id, _for_the_wire(exc_value), [], flags, annotations)


def _for_the_wire(error: BaseException) -> Exception:
    if isinstance(error, PyroChatError):
        kind = (
            ValueError
            if isinstance(error, InvalidInput)
            else PermissionError
            if isinstance(error, Refused)
            else RuntimeError
        )
        return kind(wire_text(error))
    if isinstance(error, pyro_errors.PyroError | TypeError | AttributeError):  # unknown object, method or argument
        return type(error)(str(error))
    log.error("a call failed", exc_info=error)
    return RuntimeError("internal-error: the server could not do this; its log says why")


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port < 65536:
        raise CannotHost(f"there is no port {port}: choose one from 1 to 65535, or 0 for any free one")
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise CannotHost(f"can't listen on {host}: {error.strerror or error}; choose another --host") from None
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(f"port {port} is in use: choose another with --port, or 0 for any free one") from None
        raise CannotHost(f"can't listen on {host}:{port}: {error.strerror}; choose another --host or --port") from None
    return sock
