"""The calling side: a connection to a remote object, and calls on it.

A slim counterpart of Pyro5's Proxy for our own client: it doesn't connect again behind our back,
raises only our own errors whatever the server sends (a stock proxy raises any exception that it is
told to, `SystemExit` included), has no owner thread, and takes TLS contexts of its own (later).
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

from Pyro5 import core, protocol, serializers
from Pyro5 import errors as pyro_errors

from pyrochat.pyro.connection import Connection
from pyrochat.pyro.wire import MSGPACK, request_frame, whole_frame
from pyrochat.values.errors import (
    CallbackUnreachable,
    InvalidArgument,
    PyroChatError,
    RoomSilent,
    RoomUnreachable,
    from_wire_text,
)

__all__ = ["RemoteObject", "parse_address", "parse_uri"]


def parse_address(text: str, default_port: int) -> tuple[str, int]:
    """``host``, ``host:port`` or ``[ipv6]:port`` as ``(host, port)``; raises InvalidArgument."""
    host, separator, port = text.rpartition(":")
    if not separator or (":" in host and not host.endswith("]")) or text.endswith("]"):
        host, port = text, str(default_port)
    host = host.strip("[]")
    if not host.strip(":") or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise InvalidArgument(f"{text!r} is no address: write it as host:port")
    return host, int(port)


def parse_uri(text: str) -> tuple[tuple[str, int], str]:
    """A ``PYRO:object@host:port`` as ``((host, port), object)``; raises CallbackUnreachable for any other URI."""
    try:
        uri = core.URI(text)
    except pyro_errors.PyroError as error:
        raise CallbackUnreachable(f"{text!r} is no Pyro URI: {error}") from None
    if uri.protocol != "PYRO" or uri.sockname or not uri.host:
        raise CallbackUnreachable(f"{text!r} has to be a PYRO:object@host:port")
    return (uri.host, uri.port), uri.object


class RemoteObject:
    """A connected remote object. One call at a time; concurrent callers wait for each other.

    greeting: what the server answered to the handshake. Raises RoomUnreachable where nothing answers,
    and whatever error of ours the server refuses with.
    """

    def __init__(
        self, address: tuple[str, int], object_id: str, handshake: object,
        *, timeout: float, serializer_id: int = MSGPACK,
    ) -> None:  # fmt: skip
        self.address = address
        self._object_id = object_id
        self._serializer_id = serializer_id
        self._sequence = 0
        self._call_mutex = threading.Lock()
        self._timeout = timeout
        try:
            sock = socket.create_connection(address, timeout)
        except TimeoutError:
            raise RoomSilent(
                f"{address[0]}:{address[1]} doesn't answer: is the address right, and its port open?"
            ) from None
        except OSError as error:
            raise RoomUnreachable(
                f"nothing answers at {address[0]}:{address[1]} ({error.strerror or error}): "
                "is the server running there?"
            ) from None
        self._connection = Connection(sock, object_id)
        sock.settimeout(timeout)
        with self._call_mutex:
            self.greeting = self._handshake(handshake)

    def _handshake(self, data: object) -> object:
        serializer = serializers.serializers_by_id[self._serializer_id]
        payload = serializer.dumps({"handshake": data, "object": self._object_id})
        frame = whole_frame(protocol.MSG_CONNECT, payload, self._serializer_id)
        reply = self._exchange(frame, [protocol.MSG_CONNECTOK, protocol.MSG_CONNECTFAIL])
        answer = self._load(reply)
        if reply.type == protocol.MSG_CONNECTFAIL:
            self._abandon()
            raise _error_for(str(answer))
        return answer.get("handshake") if isinstance(answer, dict) else None

    def call(self, method: str, *arguments: object) -> object:
        """Call *method* and return its result; raises RoomUnreachable or what the server raised."""
        with self._call_mutex:
            self._sequence = (self._sequence + 1) & 0xFFFF
            reply = self._exchange(self._request(method, arguments), [protocol.MSG_RESULT])
            if reply.seq != self._sequence:
                self._abandon()
                raise RoomUnreachable("the server's answers are out of step: the connection was closed")
            answer = self._load(reply)
        if reply.flags & protocol.FLAGS_EXCEPTION:
            raise _error_for(str(answer))
        return answer

    def call_and_turn_around(self, method: str, *arguments: object) -> socket.socket:
        """Call *method*, which takes this connection and doesn't answer; returns the socket, to be served on."""
        with self._call_mutex:
            with self._abandoned_on_error():
                self._connection.send(self._request(method, arguments))
            return self._connection.detach()

    def release(self) -> socket.socket:
        """Hand over the socket, with no call under way; whoever takes it closes it."""
        with self._call_mutex:
            return self._connection.detach()

    def close(self) -> None:
        """Close the connection, unless it was turned around. Any thread may do that; a waiting call fails.

        While a call waits, the socket is only shut down, and the call closes it: a descriptor that is closed under
        a thread may be another connection's by the time that the thread reads from it.
        """
        if self._connection.detached:
            return
        shut_down(self._connection.sock)
        if self._call_mutex.acquire(blocking=False):
            try:
                self._connection.close()
            finally:
                self._call_mutex.release()

    def _abandon(self) -> None:
        """The connection is of no use any more; for the thread whose call it is."""
        assert self._call_mutex.locked()
        self._connection.close()

    def _request(self, method: str, arguments: tuple[object, ...]) -> bytes:
        return request_frame(self._object_id, method, arguments, self._serializer_id, self._sequence)

    def _exchange(self, frame: bytes, expected: list[int]) -> protocol.ReceivingMessage:
        with self._abandoned_on_error():
            self._connection.send(frame)
            return protocol.recv_stub(self._connection, expected)

    @contextlib.contextmanager
    def _abandoned_on_error(self) -> Iterator[None]:
        where = f"{self.address[0]}:{self.address[1]}"
        try:
            yield
        except pyro_errors.TimeoutError:
            self._abandon()
            raise RoomSilent(f"{where} did not answer within {self._timeout:g} s") from None
        except (pyro_errors.PyroError, OSError, ValueError) as error:
            self._abandon()
            raise RoomUnreachable(f"the connection to {where} was lost ({error})") from None
        except BaseException:  # Ctrl-C in the middle: the answer would be taken for the next call's
            self._abandon()
            raise

    def _load(self, reply: protocol.ReceivingMessage) -> object:
        try:
            answer: object = serializers.serializers_by_id[reply.serializer_id].loads(reply.data)
        except Exception as error:
            self._abandon()
            raise RoomUnreachable(f"the server's answer can't be read ({error})") from None
        return answer


def shut_down(sock: socket.socket) -> None:
    """End both directions, so that a thread that waits on *sock* wakes up."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # not connected any more


def _error_for(text: str) -> PyroChatError:
    return from_wire_text(text) or RoomUnreachable(f"the server refused: {text}")
