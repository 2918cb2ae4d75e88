"""The daemon of a room's server: Pyro5's, with our transport, and no word too many to strangers."""

from __future__ import annotations

import errno
import logging
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

from Pyro5 import core, protocol, server
from Pyro5 import errors as pyro_errors
from Pyro5.callcontext import current_context
from Pyro5.errors import ProtocolError

from pyrochat.core.pace import Pace
from pyrochat.core.places import Bounds
from pyrochat.pyro.bounded_log import BoundedLog
from pyrochat.pyro.budget import Budgets
from pyrochat.pyro.connection import Connection
from pyrochat.pyro.dispatch import CALL_BOUNDS, FIRST_CALL_BOUNDS, Pending, answer_frame, clean, expose
from pyrochat.pyro.frames import Frame, whole_frame
from pyrochat.pyro.listener import BACKLOG
from pyrochat.pyro.serializers import MSGPACK, SERPENT, call_prefix, decode_value, encode_failure, encode_value
from pyrochat.pyro.transport import Transport
from pyrochat.threads import Defects
from pyrochat.values.addresses import shown_address
from pyrochat.values.errors import (
    CannotHost,
    InvalidArgument,
    PortInUse,
    PyroChatError,
    Refused,
    RoomNotFound,
    ServerFull,
)
from pyrochat.values.rules import MAX_NAME_CHARACTERS
from pyrochat.values.wire_errors import wire_text

log = logging.getLogger(__name__)

MAX_REQUEST_BYTES = 1024 * 1024  # in a message of somebody who is trusted
MOST_QUICK_BYTES = 4096  # read in the thread that watches all connections
_GATHERING_SECONDS = 1.5e-9  # for each byte of a request, in that thread; measured


def caller() -> Connection:
    """The connection of the call that this thread is serving."""
    connection = current_context.client
    assert isinstance(connection, Connection)
    return connection


def callers_serializer() -> int:
    """The id of the serializer that the caller speaks."""
    serializer_id: int = current_context.serializer_id
    return serializer_id


def take_callers_socket() -> tuple[socket.socket, Exception]:
    """The caller's socket, to be kept; and what the method has to raise now, so that no answer is sent.

    The worker goes back to the pool, and the socket stays open.
    """
    return caller().detach(), pyro_errors.ConnectionClosedError("the connection has been turned around")


@expose
class DaemonFace:
    """What strangers may ask of the daemon itself: no list of objects, no description."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def ping(self) -> None:
        """Answer."""

    def get_metadata(self, object_id: str) -> dict[str, Any]:
        """What a proxy needs to know of an object; raises RoomNotFound where there is none."""
        found = self._daemon.objectsById.get(object_id) if isinstance(object_id, str) else None
        if found is None:
            raise RoomNotFound("there is no such room on this server")
        metadata: dict[str, Any] = server._get_exposed_members(found)
        return metadata


class Daemon(server.Daemon):  # type: ignore[misc]
    """A Pyro5 daemon on *host*:*port* (0: any free one).

    greet: called with ``(connection, handshake data)`` for each newcomer; binds an identity to the
        connection and returns the answer, or raises. bid_farewell: called with the connection when it
        is gone and has an identity.
    charge: called with a connection and the seconds of a core that one of its calls has taken; with 0.0 for a newcomer.
    bounds: how many connections there may be.
    advertise: the host that stands in the URIs, where it is not *host*. tls: a context for the port.
    budgets: for what peers make the server keep. transport: makes the transport.
    Raises CannotHost.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        greet: Callable[[Connection, object], object],
        bid_farewell: Callable[[Connection], None],
        advertise: str | None = None,
        charge: Callable[[Connection, float], None] = lambda connection, seconds: None,
        bounds: Bounds | None = None,
        tls: ssl.SSLContext | None = None,
        budgets: Budgets | None = None,
        transport: type[Transport] = Transport,
        pace: Pace | None = None,
    ) -> None:
        self._quick: tuple[bytes, ...] = ()
        listening = _listen(host, port)
        try:
            # Pyro5 picks a transport by its global configuration; given any connected socket it picks none.
            one, other = socket.socketpair()
            with one, other:
                super().__init__(connected_socket=one, interface=DaemonFace)
            self.transportServer = transport(self, listening, bounds or Bounds(), tls, budgets, pace)
        except BaseException:
            listening.close()
            raise
        self.listens_on: str = listening.getsockname()[0]
        self.port: int = listening.getsockname()[1]
        shown = advertise or host
        self.address = (shown, self.port)
        self.locationStr = shown_address(self.address)
        self.transportServer.locationStr = self.locationStr
        self._greet = greet
        self._bid_farewell = bid_farewell
        self.charge = charge
        self._defects = Defects(log)
        self._refusals = BoundedLog(log)

    # -- what the transport asks for --------------------------------------------------------------------

    def greet(self, connection: Connection, frame: Frame) -> None:
        """Answer the first message of a newcomer. Raises ProtocolError where it is refused."""
        if frame.type != protocol.MSG_CONNECT:
            raise ProtocolError("a connection begins with a greeting")
        begun, data = time.thread_time(), None
        try:
            match decode_value(frame.payload, frame.serializer_id, FIRST_CALL_BOUNDS):
                case {"object": str(object_id), "handshake": data}:
                    metadata = self.objectsById[core.DAEMON_NAME].get_metadata(object_id)
                    answer = {"handshake": self._greet(connection, data), "meta": metadata}
                case _:
                    raise InvalidArgument("a greeting has to name an object")
            payload = encode_value(answer, frame.serializer_id)
        except PyroChatError as error:
            if isinstance(error, Refused):
                self._tell_refusal(connection, data.get("name") if isinstance(data, dict) else None, error)
            raise ProtocolError(wire_text(error)) from None
        except Exception as error:  # a defect: the newcomer is told, and the log says more
            self._defects.tell("greeting a newcomer", error)
            raise ProtocolError("internal-error: the server could not do this; its log says why") from None
        finally:
            self._charge_for(connection, frame, begun)
        self._trust(connection)
        self.transportServer.heard(connection)
        connection.post(whole_frame(protocol.MSG_CONNECTOK, payload, frame.serializer_id, frame.sequence))

    def _charge_for(self, connection: Connection, frame: Frame, begun: float) -> None:
        """Put down what serving *frame* has cost since *begun*, this thread's time, and what it has cost to gather it."""
        self.charge(connection, time.thread_time() - begun + len(frame.payload) * _GATHERING_SECONDS)

    def meet(self, connection: Connection) -> None:
        """A newcomer, who has said nothing yet: it rests where others like it have used up what they share."""
        self.charge(connection, 0.0)

    def is_quick(self, frame: Frame) -> bool:
        """Whether *frame* is a call, and nothing else, of a method that never waits, and is soon read.

        All of it counts. A batch, whatever it calls itself, runs other methods; of a flag that is new nobody knows
        what it does.
        """
        payload = frame.payload
        return (
            frame.type == protocol.MSG_INVOKE
            and frame.serializer_id == MSGPACK
            and not frame.flags & ~protocol.FLAGS_ONEWAY
            and len(payload) <= MOST_QUICK_BYTES
            and payload.startswith(self._quick)
        )

    def serve(self, connection: Connection, frame: Frame) -> Pending | None:
        """Answer a call; returns the request if its result comes later: then *connection* is pending."""
        current_context.client = connection
        current_context.serializer_id = frame.serializer_id
        is_stranger = not connection.vouched
        begun = time.thread_time()
        proved, bounds = (
            connection.trusted or connection.settled,
            CALL_BOUNDS if connection.trusted else FIRST_CALL_BOUNDS,
        )
        name = getattr(connection.identity, "name", None)  # now: who fails to prove it has none afterwards
        answer = answer_frame(
            frame, self.objectsById, proved, bounds,
            refused=lambda error: self._tell_refusal(connection, name, error),
        )  # fmt: skip
        self._trust(connection)
        if is_stranger:
            self.transportServer.heard(connection)
        self._charge_for(connection, frame, begun)
        if isinstance(answer, Pending):
            return answer
        if answer is not None:
            connection.post(answer)
        return None

    def register(self, obj: object, objectId: str, force: bool = False, weak: bool = False) -> object:
        """Part of Pyro5's interface: serve *obj* as *objectId*."""
        uri = super().register(obj, objectId, force, weak)
        methods = [name for name, method in vars(type(obj)).items() if getattr(method, "is_quick", False)]
        self._quick += tuple(call_prefix(objectId, name) for name in methods)
        return uri

    def _tell_refusal(self, connection: Connection, name: object, error: Refused) -> None:
        who = f"{name[:MAX_NAME_CHARACTERS]} at " if isinstance(name, str) else ""
        where = connection.peer_address
        self._refusals.tell(
            f"refusals ({error.code})", connection.peer, "refused %s%s: %s", who, where, wire_text(error)
        )

    @staticmethod
    def _trust(connection: Connection) -> None:
        if connection.trusted:
            connection.reader.most_bytes = MAX_REQUEST_BYTES

    def shutdown(self) -> None:
        """Part of Pyro5's interface: stop, without the pause that Pyro5 makes."""
        self.transportServer.shutdown()

    def end_unstarted(self) -> None:
        """The same, where no thread has come to run `requestLoop`, which closes what it watches when it ends."""
        self.shutdown()
        self.requestLoop()

    def clientDisconnect(self, connection: Connection) -> None:
        """Part of Pyro5's interface: *connection* is gone, or somebody has taken its socket."""
        if connection.identity is not None:
            self._bid_farewell(connection)

    def refusal(self, connection: Connection, reason: str) -> bytes:
        """The frame that tells *connection* why it is closed."""
        if connection.identity is None:
            payload = encode_value(clean(reason), SERPENT)  # every Pyro5 client reads serpent
            return whole_frame(protocol.MSG_CONNECTFAIL, payload, SERPENT)
        reader = connection.reader
        payload = encode_failure(pyro_errors.ProtocolError(clean(reason)), reader.serializer_id)
        return whole_frame(
            protocol.MSG_RESULT, payload, reader.serializer_id, reader.sequence, protocol.FLAGS_EXCEPTION
        )

    def refusal_when_full(self, connection: Connection) -> bytes:
        """The frame that tells a newcomer that there is no place for it."""
        error = ServerFull("the server has no descriptors left: try later, or ask its operator for more")
        self._tell_refusal(connection, None, error)
        return self.refusal(connection, wire_text(error))


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port < 65536:
        raise CannotHost(f"there is no port {port}: choose one from 1 to 65535, or 0 for any free one")
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise CannotHost(f"can't listen on {host}: {error.strerror or error}; choose another host=") from None
    except ValueError:  # IDNA's UnicodeError, for one
        raise CannotHost(f"can't listen on {host!r}: it is no host's name or address; choose another host=") from None
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(BACKLOG)  # here somebody is found who has bound to the same port just now
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(f"port {port} is in use: choose another with port=, or 0 for any free one") from None
        raise CannotHost(
            f"can't listen on {shown_address((host, port))}: {error.strerror}; choose another host= or port="
        ) from None
    return sock
