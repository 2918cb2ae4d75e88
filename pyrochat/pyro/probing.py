"""Who is behind an address that a name server gives: an old entry may lead to the dead, or to somebody else by now."""

from __future__ import annotations

import contextlib
import enum
import logging
import socket
import threading
from dataclasses import dataclass

from pyrochat.pyro.remote import RemoteObject
from pyrochat.values.addresses import Address, shown_address
from pyrochat.values.errors import PyroChatError, RoomNotFound, RoomSilent, RoomUnreachable, ServerFault

__all__ = ["PROBE_SECONDS", "Presence", "ProbeResult", "is_here", "look"]

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
    except (OSError, ValueError):  # IDNA refuses some hosts with a UnicodeError
        return ProbeResult(Presence.ABSENT)
    try:
        remote = RemoteObject(address, object_id, "hello", timeout=seconds)
    except RoomSilent:
        return ProbeResult(Presence.SILENT if _hangs(address, seconds) else Presence.ABSENT, is_here=is_here)
    except (RoomUnreachable, RoomNotFound, ServerFault):
        return ProbeResult(Presence.ABSENT)
    except PyroChatError as error:
        log.info("%s at %s refuses (%s), so it is alive", object_id, shown_address(address), error)
        return ProbeResult(Presence.SERVED, is_here=is_here)
    with contextlib.closing(remote):
        greeting = remote.greeting if isinstance(remote.greeting, dict) else {}
        return ProbeResult(Presence.SERVED, str(greeting.get("key", "")), is_here)


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
