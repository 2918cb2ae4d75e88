"""Who is behind an address that a name server gives: an old entry may lead to the dead, or to somebody else by now."""

import enum
import logging
import socket
import ssl
import threading
from dataclasses import dataclass

from Pyro5 import protocol
from Pyro5.errors import PyroError

from pyrochat.pyro.connection import Connection
from pyrochat.pyro.frames import Frame, whole_frame
from pyrochat.pyro.remote import SMALL
from pyrochat.pyro.serializers import MSGPACK, decode_value, encode_value
from pyrochat.values.addresses import Address, shown_address
from pyrochat.values.errors import PyroChatError, RoomNotFound, UntrustedServer
from pyrochat.values.wire_errors import code_in

log = logging.getLogger(__name__)

PROBE_SECONDS = 2.0
_STEPS = 4  # connecting, greeting, asking in another language, and its answer
_OTHER_LANGUAGE = b"GET / HTTP/1.0\r\n\r\n"  # what speaks HTTP, SMTP, IRC … answers this, and not Pyro5's frames
_PYRO = b"PYRO"  # how each of Pyro5's frames begins


class Presence(enum.Enum):
    """ABSENT: nobody serves the object there. SERVED: somebody does. SILENT: something takes connections and hangs."""

    ABSENT = enum.auto()
    SERVED = enum.auto()
    SILENT = enum.auto()


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What was seen at an address. server_key: in hexadecimal, empty where it was not said. is_here: on this machine."""

    presence: Presence
    server_key: str = ""
    is_here: bool = False


def look(address: Address, object_id: str, seconds: float = PROBE_SECONDS) -> ProbeResult:
    """Whether a Pyro server serves *object_id* at *address*; within four times *seconds*.

    A resolver may take longer than that, and a name may have many addresses: what can't be reached by then is absent.
    """
    seen = [ProbeResult(Presence.ABSENT)]
    thread = threading.Thread(
        target=lambda: seen.append(_look(address, object_id, seconds)), name="pyrochat-probe", daemon=True
    )
    thread.start()
    thread.join(_STEPS * seconds)
    return seen[-1]


def is_here(host: str) -> bool:
    """Whether *host* is this machine: a socket can be bound to its address."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as sock:
            sock.bind(address)
    except (OSError, ValueError):  # IDNA refuses some hosts with a UnicodeError
        return False
    return True


def _look(address: Address, object_id: str, seconds: float) -> ProbeResult:
    try:
        with socket.create_connection(address, seconds) as sock:
            is_here = sock.getsockname()[0] == sock.getpeername()[0]
            reply = _greeted(sock, object_id, seconds)
        if reply is None:
            return ProbeResult(Presence.SILENT if _hangs(address, seconds) else Presence.ABSENT, is_here=is_here)
        answer = _answer(reply)
        if reply.type != protocol.MSG_CONNECTOK and code_in(str(answer)) == UntrustedServer.code:  # it speaks TLS
            reply = _greeted_over_tls(address, object_id, seconds) or reply
            answer = _answer(reply)
    except (OSError, ValueError, PyroError, PyroChatError):  # IDNA refuses some hosts with a UnicodeError
        return ProbeResult(Presence.ABSENT)
    if reply.type == protocol.MSG_CONNECTOK:
        greeting = answer.get("handshake") if isinstance(answer, dict) else None
        return ProbeResult(Presence.SERVED, str(greeting.get("key", "")) if isinstance(greeting, dict) else "", is_here)
    code = code_in(answer) if isinstance(answer, str) else ""
    if code in ("", RoomNotFound.code):
        return ProbeResult(Presence.ABSENT, is_here=is_here)
    log.info("%s at %s is refused (%s), so its server is alive", object_id, shown_address(address), code)
    return ProbeResult(Presence.SERVED, is_here=is_here)


def _answer(reply: Frame) -> object:
    return decode_value(reply.payload, reply.serializer_id, SMALL.bounds)


def _greeted_over_tls(address: Address, object_id: str, seconds: float) -> Frame | None:
    """The same over TLS, with whomever; None where that can't be: then it is not known which rooms there are."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing is told that anybody may not hear
    try:
        with socket.create_connection(address, seconds) as plain, context.wrap_socket(plain) as sock:
            return _greeted(sock, object_id, seconds)
    except (OSError, PyroError):
        return None


def _greeted(sock: socket.socket, object_id: str, seconds: float) -> Frame | None:
    """What answers a greeting for *object_id*; None where nothing does in time.

    Not by `RemoteObject`: that believes no server which says that it wants TLS, and here it matters that one says so.
    """
    connection = Connection(sock, SMALL.bytes)
    payload = encode_value({"handshake": "hello", "object": object_id}, MSGPACK)
    connection.send(whole_frame(protocol.MSG_CONNECT, payload, MSGPACK), seconds)
    return connection.wait_frame(seconds)


def _hangs(address: Address, seconds: float) -> bool:
    """Whether what did not answer a greeting answers nothing else either, or at last in Pyro5's own frames."""
    try:
        with socket.create_connection(address, seconds) as sock:
            sock.sendall(_OTHER_LANGUAGE)
            try:
                return sock.recv(len(_PYRO)) == _PYRO
            except TimeoutError:
                return True
    except (OSError, ValueError):
        return False
