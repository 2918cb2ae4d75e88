"""The calling side: a connection to a remote object, and calls on it.

A slim counterpart of Pyro5's Proxy for our own client: it doesn't connect again behind our back,
raises only our own errors whatever the server sends (a stock proxy raises any exception that it is
told to, `SystemExit` included), has no owner thread, and takes TLS contexts of its own (later).
"""

from __future__ import annotations

import socket
import threading

from Pyro5 import core, protocol, serializers
from Pyro5 import errors as pyro_errors

from pyrochat.pyro.connection import Connection
from pyrochat.pyro.wire import MSGPACK, request_frame, whole_frame
from pyrochat.values.errors import CallbackUnreachable, PyroChatError, RoomSilent, RoomUnreachable, from_wire_text

__all__ = ["RemoteObject", "parse_address", "parse_uri"]


def parse_address(text: str, default_port: int) -> tuple[str, int]:
    """``host``, ``host:port`` or ``[ipv6]:port`` as ``(host, port)``; raises RoomUnreachable."""
    host, separator, port = text.rpartition(":")
    if not separator or (":" in host and not host.endswith("]")) or text.endswith("]"):
        host, port = text, str(default_port)
    host = host.strip("[]")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise RoomUnreachable(f"{text!r} is no address: write it as host:port")
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
        try:
            self.greeting = self._handshake(handshake)
        except BaseException:
            self.close()
            raise

    def _handshake(self, data: object) -> object:
        serializer = serializers.serializers_by_id[self._serializer_id]
        payload = serializer.dumps({"handshake": data, "object": self._object_id})
        frame = whole_frame(protocol.MSG_CONNECT, payload, self._serializer_id)
        reply = self._exchange(frame, [protocol.MSG_CONNECTOK, protocol.MSG_CONNECTFAIL])
        answer = self._load(reply)
        if reply.type == protocol.MSG_CONNECTFAIL:
            raise _error_for(str(answer))
        return answer.get("handshake") if isinstance(answer, dict) else None

    def call(self, method: str, *arguments: object) -> object:
        """Call *method* and return its result; raises RoomUnreachable or what the server raised."""
        with self._call_mutex:
            self._sequence = (self._sequence + 1) & 0xFFFF
            reply = self._exchange(self._request(method, arguments), [protocol.MSG_RESULT])
            if reply.seq != self._sequence:
                self.close()
                raise RoomUnreachable("the server's answers are out of step: the connection was closed")
            answer = self._load(reply)
        if reply.flags & protocol.FLAGS_EXCEPTION:
            raise _error_for(str(answer))
        return answer

    def call_and_turn_around(self, method: str, *arguments: object) -> socket.socket:
        """Call *method*, which takes this connection and doesn't answer; returns the socket, to be served on."""
        with self._call_mutex:
            self._connection.send(self._request(method, arguments))
            return self._connection.detach()

    def release(self) -> socket.socket:
        """Hand over the socket, with no call under way; whoever takes it closes it."""
        with self._call_mutex:
            return self._connection.detach()

    def close(self) -> None:
        """Close the connection, unless it was turned around. Any thread may do that; a waiting call fails."""
        if not self._connection.detached:
            shut_down(self._connection.sock)
        self._connection.close()

    def _request(self, method: str, arguments: tuple[object, ...]) -> bytes:
        return request_frame(self._object_id, method, arguments, self._serializer_id, self._sequence)

    def _exchange(self, frame: bytes, expected: list[int]) -> protocol.ReceivingMessage:
        try:
            self._connection.send(frame)
            return protocol.recv_stub(self._connection, expected)
        except pyro_errors.TimeoutError:
            self.close()
            raise RoomSilent(f"{self.address[0]}:{self.address[1]} did not answer within {self._timeout:g} s") from None
        except (pyro_errors.PyroError, OSError, ValueError) as error:
            self.close()
            raise RoomUnreachable(f"the connection to {self.address[0]}:{self.address[1]} was lost ({error})") from None
        except BaseException:  # Ctrl-C in the middle: the answer would be taken for the next call's
            self.close()
            raise

    def _load(self, reply: protocol.ReceivingMessage) -> object:
        try:
            answer: object = serializers.serializers_by_id[reply.serializer_id].loads(reply.data)
        except Exception as error:
            self.close()
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
