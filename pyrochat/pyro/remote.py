"""The calling side: a connection to a remote object, and calls on it.

A slim counterpart of Pyro5's Proxy for our own client: it doesn't connect again behind our back,
raises only our own errors whatever the server sends (a stock proxy raises any exception that it is
told to, `SystemExit` included), takes no more of an answer than its caller says, has no owner thread, and
speaks TLS with demands of its own.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import NamedTuple

from Pyro5 import core, protocol
from Pyro5 import errors as pyro_errors

from pyrochat.pyro.connection import Connection, shut_down
from pyrochat.pyro.frames import Frame, TooLarge, whole_frame
from pyrochat.pyro.serializers import MSGPACK, ValueBounds, decode_value, encode_value
from pyrochat.pyro.tls import ClientTls, certificate_of
from pyrochat.pyro.wire import request_frame
from pyrochat.values.addresses import Address, shown_address
from pyrochat.values.errors import (
    CallbackUnreachable,
    InvalidArgument,
    PyroChatError,
    RoomSilent,
    RoomUnreachable,
    ServerFault,
    UntrustedServer,
)
from pyrochat.values.visible import one_line
from pyrochat.values.wire_errors import from_wire_text

_MOST_ERROR_CHARACTERS = 500
_CERTIFICATE_ALERTS = ("CERTIFICATE_REQUIRED", "ALERT_UNKNOWN_CA", "BAD_CERTIFICATE", "CERTIFICATE_EXPIRED")


class Most(NamedTuple):
    """The most that is taken of an answer. bytes: on the wire, of one frame. bounds: of the values in it."""

    bytes: int
    bounds: ValueBounds


SMALL = Most(65_536, ValueBounds(4_096, 8))
"""For all that comes before a server has shown who it is, and for most of what comes after."""


def parse_uri(text: str) -> tuple[Address, str]:
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

    tls: what is demanded of the server's certificate; None speaks plainly. greeting: what the server
    answered to the handshake. certificate: the server's, in DER; empty without TLS.
    Raises RoomUnreachable where nothing answers, UntrustedServer, whatever error of ours the server
    refuses with, and ServerFault for whatever else it says.
    """

    def __init__(
        self, address: Address, object_id: str, handshake: object,
        *, timeout: float, serializer_id: int = MSGPACK, tls: ClientTls | None = None,
    ) -> None:  # fmt: skip
        self.address = address
        self._object_id = object_id
        self._serializer_id = serializer_id
        self._sequence = 0
        self._call_mutex = threading.Lock()
        self._calling: int | None = None  # the thread that holds it
        self._timeout = timeout
        sock = _connected(address, timeout, tls)
        self.certificate = certificate_of(sock)
        self._connection = Connection(sock, SMALL.bytes)
        with self._turn(timeout):
            self.greeting = self._handshake(handshake)

    def _handshake(self, data: object) -> object:
        payload = encode_value({"handshake": data, "object": self._object_id}, self._serializer_id)
        reply = self._exchange(whole_frame(protocol.MSG_CONNECT, payload, self._serializer_id), SMALL, self._timeout)
        answer = self._load(reply, SMALL)
        if reply.type == protocol.MSG_CONNECTOK:
            return answer.get("handshake") if isinstance(answer, dict) else None
        self._abandon()
        raise _error_for(answer)

    @contextlib.contextmanager
    def _turn(self, seconds: float) -> Iterator[None]:
        """The connection for one call; raises RoomSilent where others have it for *seconds*.

        A signal's handler may want to call in the middle of a call of its own thread's, which would wait for itself.
        """
        if self._calling == threading.get_ident():
            raise RoomSilent("the connection is in the middle of the call that was interrupted")
        if not self._call_mutex.acquire(timeout=seconds):
            raise RoomSilent(f"{shown_address(self.address)} keeps another call waiting")
        try:
            self._calling = threading.get_ident()
            yield
        finally:
            self._calling = None
            self._call_mutex.release()

    def call(self, method: str, *arguments: object, most: Most = SMALL, seconds: float | None = None) -> object:
        """Call *method* and return its result, of which *most* is taken, within *seconds* (None: as long as for any).

        Raises RoomUnreachable where the connection is lost, what the server raised where that is an error of ours,
        ServerFault for any other, and where the answer can't be read, is no answer, or is larger than *most*.
        """
        seconds = self._timeout if seconds is None else seconds
        with self._turn(seconds):
            self._sequence = (self._sequence + 1) & 0xFFFF
            reply = self._exchange(self._request(method, arguments), most, seconds)
            if reply.type != protocol.MSG_RESULT or reply.sequence != self._sequence:
                self._abandon()
                raise ServerFault(f"the server's answers are out of step at {method}(): the connection was closed")
            answer = self._load(reply, most)
        if reply.flags & protocol.FLAGS_EXCEPTION:
            raise _error_for(_said(answer))
        return answer

    def call_and_turn_around(self, method: str, *arguments: object) -> socket.socket:
        """Call *method*, which takes this connection and doesn't answer; returns the socket, to be served on."""
        with self._turn(self._timeout):
            with self._abandoned_on_error(self._timeout):
                self._connection.send(self._request(method, arguments), self._timeout)
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

    def _exchange(self, frame: bytes, most: Most, seconds: float) -> Frame:
        self._connection.reader.most_bytes = most.bytes
        with self._abandoned_on_error(seconds):
            self._connection.send(frame, seconds)
            reply = self._connection.wait_frame(seconds)
            if reply is None:
                raise pyro_errors.TimeoutError("no answer")
            return reply

    @contextlib.contextmanager
    def _abandoned_on_error(self, seconds: float) -> Iterator[None]:
        where = shown_address(self.address)
        try:
            yield
        except pyro_errors.TimeoutError:
            self._abandon()
            raise RoomSilent(f"{where} did not answer within {seconds:g} s") from None
        except TooLarge as error:
            self._abandon()
            raise ServerFault(f"{where} answers more than is taken ({error})") from None
        except (pyro_errors.PyroError, OSError, ValueError) as error:
            self._abandon()
            if any(alert in str(error) for alert in _CERTIFICATE_ALERTS):
                raise UntrustedServer(
                    f"{where} demands a certificate that it can trust from you: give one with tls_cert= and tls_key="
                ) from None
            raise RoomUnreachable(f"the connection to {where} was lost ({error})") from None
        except BaseException:  # Ctrl-C in the middle: the answer would be taken for the next call's
            self._abandon()
            raise

    def _load(self, reply: Frame, most: Most) -> object:
        try:
            return decode_value(reply.payload, reply.serializer_id, most.bounds)
        except InvalidArgument as error:
            self._abandon()
            raise ServerFault(
                f"the answer of {shown_address(self.address)} is of no use ({str(error).partition(': ')[0]})"
            ) from None


def _connected(address: Address, timeout: float, tls: ClientTls | None) -> socket.socket:
    where = shown_address(address)
    try:
        sock = socket.create_connection(address, timeout)
    except TimeoutError:
        raise RoomSilent(f"{where} doesn't answer: is the address right, and its port open?") from None
    except OSError as error:
        raise RoomUnreachable(
            f"nothing answers at {where} ({error.strerror or error}): is the server running there?"
        ) from None
    except ValueError:  # IDNA's UnicodeError, for one
        raise RoomUnreachable(f"{one_line(where, 100)} is no address: write it as host:port") from None
    if tls is None:
        return sock
    try:
        return tls.wrap(sock, address)
    except BaseException:
        sock.close()
        raise


def _said(answer: object) -> object:
    """What an exception says, as Pyro5's serializers write it: nothing is rebuilt, `SystemExit` included."""
    match answer:
        case {"args": [first, *_]}:
            return first
    return answer


def _error_for(said: object) -> PyroChatError:
    """The error that a server has refused with, in one line that any terminal and any log can take."""
    text = one_line(said, _MOST_ERROR_CHARACTERS) if isinstance(said, str) else "and doesn't say why"
    return from_wire_text(text) or ServerFault(f"the server refused: {text}")
