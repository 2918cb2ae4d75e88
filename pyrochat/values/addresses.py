"""Addresses as people write them: ``host:port``, with brackets around IPv6. Pure functions; nothing is looked up."""

from pyrochat.values.errors import InvalidArgument
from pyrochat.values.protocol import room_object
from pyrochat.values.rules import fold

Address = tuple[str, int]
"""A host, without brackets, and a port."""

_URI = "PYRO:"
MOST_PLACES = 16  # of one room's servers


def shown_address(address: Address) -> str:
    """``host:port``, ``[ipv6]:port``: what `parse_address` reads."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_address(text: str, default_port: int) -> Address:
    """``host``, ``host:port`` or ``[ipv6]:port`` as ``(host, port)``; raises InvalidArgument."""
    host, separator, port = text.rpartition(":")
    if not separator or (":" in host and not host.endswith("]")) or text.endswith("]"):
        host, port = text, str(default_port)
    host = host.removeprefix("[").removesuffix("]")
    if not (_can_be_host(host) and port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        raise InvalidArgument(f"{text!r} is no address: write it as host:port")
    return host, int(port)


def parse_at(text: str, room: str | None, default_port: int) -> Address:
    """The address in what ``--at`` was given: an address, or the URI that a server prints, ``PYRO:pyrochat.ROOM@HOST:PORT``.

    room: the one that is wanted; None for any. Raises InvalidArgument, also where the URI is of another room.
    """
    if not isinstance(text, str):
        raise InvalidArgument(f"an address has to be text, host:port, not {text!r:.40}")
    if "@" not in text:
        return parse_address(text, default_port)
    object_id, _, address = text.removeprefix(_URI).rpartition("@")
    if not text.startswith(_URI) or not object_id.startswith(room_object("")):
        raise InvalidArgument(f"{text!r} is no room's URI: it looks like {_URI}{room_object('ROOM')}@HOST:PORT")
    named = object_id.removeprefix(room_object(""))
    if room is not None and fold(named) != fold(room):
        raise InvalidArgument(
            f'{text!r} is the URI of room {named!r}, not of {room!r}: say room="{named}", or give host:port'
        )
    return parse_address(address, default_port)


def parse_places(text: str, room: str | None, default_port: int) -> list[Address]:
    """The addresses, one or several with commas between them, in what ``--at`` was given; each as `parse_at` reads it.

    Raises InvalidArgument, also for more than 16.
    """
    if not isinstance(text, str):
        raise InvalidArgument(f"an address has to be text, host:port, not {text!r:.40}")
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > MOST_PLACES:
        raise InvalidArgument(f"{len(parts)} addresses are given: {MOST_PLACES} are the most")
    return list(dict.fromkeys(parse_at(part, room, default_port) for part in parts))


def checked_host(text: str) -> str:
    """A host, without the brackets of IPv6; raises InvalidArgument for what can't be one, as ``a..b``."""
    host = text.removeprefix("[").removesuffix("]")
    if not _can_be_host(host):
        raise InvalidArgument(f"{text!r} is no host: give a name or an address, without a port")
    return host


def _can_be_host(text: str) -> bool:
    """Whether *text* may be one. A name has to be encoded for the resolver (IDNA, RFC 3490), which refuses some."""
    try:
        text.encode("idna")
    except UnicodeError:
        return False
    return bool(text.strip(":")) and text.isprintable() and not {*" @/[]"} & {*text}
