"""Which machines a cluster has, as an operator writes them."""

import re
import socket
from collections.abc import Sequence
from typing import NamedTuple

from pyrochat.values.addresses import checked_host, parse_address, shown_address
from pyrochat.values.errors import InvalidArgument

ROUTE_PORT = 6222
BROKER_PORT = 4222  # of brokers that others start
_URL = re.compile(r"(?:nats|tls)://", re.ASCII | re.IGNORECASE)
_NODE = re.compile(r"(\[[^\]]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?", re.ASCII)
_LAST_PORT = 65_533  # two more follow it
_MOST = 9


class Node(NamedTuple):
    """A machine with a broker. port: where brokers meet; clients come one above it, and two above it, on loopback only, it says how
    it is."""

    host: str
    port: int = ROUTE_PORT

    @property
    def client_port(self) -> int:
        """For room servers."""
        return self.port + 1

    @property
    def monitor_port(self) -> int:
        """On loopback."""
        return self.port + 2

    @property
    def monitor_host(self) -> str:
        """A loopback address: nobody else sees how it is."""
        return self.host if self.host.startswith("127.") else "127.0.0.1"

    @property
    def name(self) -> str:
        """What the broker is called."""
        return self.at(self.port)

    def at(self, port: int) -> str:
        """``host:port``, as nats-server and its clients read it."""
        return shown_address((self.host, port))


def is_there_already(text: str) -> bool:
    """Whether *text* names brokers that somebody else starts, ``nats://…``."""
    return _URL.match(text.strip()) is not None


def urls(text: str) -> list[str]:
    """The addresses of brokers that are there. Raises InvalidArgument."""
    found = []
    for part in (part.strip() for part in text.split(",")):
        match = _URL.match(part)
        if match is None:
            raise InvalidArgument(
                f"cluster= takes nats://HOST:PORT,nats://…, or the machines' names, not {part[:80]!r} among them"
            )
        if "@" in part:  # others see what is on a command line
            raise InvalidArgument(
                "a broker's address can't hold credentials: put them into a file, cluster_credentials="
            )
        scheme = match[0].lower()
        found.append(f"{scheme}{shown_address(parse_address(part[len(scheme) :].rstrip('/'), BROKER_PORT))}")
    if len(set(found)) < len(found):
        raise InvalidArgument("cluster= names a broker twice")
    return found


def nodes(text: str) -> list[Node]:
    """The machines in ``A[:PORT],B[:PORT],C``, IPv6 in brackets. Raises InvalidArgument."""
    found: list[Node] = []
    for part in (part.strip() for part in text.split(",")):
        match = _NODE.fullmatch(part)
        if match is None or not 0 < int(match[2] or ROUTE_PORT) <= _LAST_PORT:
            raise InvalidArgument(
                "cluster= takes the machines as HOST or HOST:PORT ([HOST]:PORT for IPv6, the port at most "
                f"{_LAST_PORT}), with commas between them, not {part[:80]!r}"
            )
        found.append(Node(checked_host(match[1].strip("[]")), int(match[2] or ROUTE_PORT)))
    if len(set(found)) < len(found):
        raise InvalidArgument("cluster= names a machine twice")
    if len(found) > _MOST:
        raise InvalidArgument(f"a cluster has {_MOST} machines at the most: three or five are enough for what may fail")
    return found


def oneself(all_nodes: Sequence[Node], advertise: str | None) -> Node:
    """Which of *all_nodes* this machine is: the one that is called as it is advertised, else the one whose address is local.

    Raises InvalidArgument.
    """
    named = [node for node in all_nodes if node.host == advertise]
    found = named or [node for node in all_nodes if _is_local(node.host)]
    if len(found) != 1:
        names = ", ".join(node.host for node in all_nodes)
        what, verb = ("none of the machines", "is") if not found else ("several of the machines", "may be")
        raise InvalidArgument(
            f"{what} {names} {verb} this one: say which it is with advertise=, as it is written in cluster="
        )
    return found[0]


def _is_local(host: str) -> bool:
    """Whether one can listen there."""
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM):
            with socket.socket(family, kind, protocol) as trial:
                trial.bind(address)
                return True
    except OSError:
        pass
    return False
