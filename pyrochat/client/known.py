"""The servers that this user knows: their keys, and the fingerprints of their certificates.

A file of its own in the configuration folder. An entry is made at the first join, and from then on the
server has to be the same; only the user takes an entry back.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import filelock

from pyrochat.asides import aside_logger
from pyrochat.trust.files import make_folder, read_json, write_private
from pyrochat.values.addresses import parse_address, shown_address
from pyrochat.values.errors import InvalidArgument, Unavailable
from pyrochat.values.rules import decoded_hex, fold

BY = " by "
"""Between a room and the name server at which it was found, in the name of a place."""

log = aside_logger(__name__)

_LOCK_SECONDS = 5.0
_DIGITS = 64  # of a key and of a fingerprint


@dataclass(frozen=True, slots=True)
class KnownServer:
    """key: the server's public key. fingerprint: SHA-256 of its certificate, empty without TLS. Both in hexadecimal.
    addresses: ``host:port`` of each server that has the room and this key, where those are several.
    """

    key: str
    fingerprint: str = ""
    addresses: tuple[str, ...] = ()


class KnownServers:
    """What the file *path* holds. Raises Unavailable where it can't be used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_said = False

    def get(self, place: str) -> KnownServer | None:
        """What is known of *place* (an address, or a room at a name server)."""
        return self.all().get(place)

    def all(self) -> dict[str, KnownServer]:
        """Every place that is known."""
        try:
            entries: Any = read_json(self._path)
            return {
                _bracketed(place): KnownServer(
                    _digits(entry["key"]),
                    entry["fingerprint"] and _digits(entry["fingerprint"]),
                    tuple(map(_address, entry.get("addresses", ()))),
                )
                for place, entry in entries.items()
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unavailable(
                f"can't read {self._path} ({getattr(error, 'strerror', None) or error}): it says which servers you know; mend it, or move it away"
            ) from None

    def remember(self, place: str, server: KnownServer) -> None:
        """Know *server* at *place* from now on. A file that can't be changed keeps nobody out: it is said, once."""
        before = self.get(place)
        if before == server:
            return
        try:
            self._change(lambda known: known.__setitem__(place, server))
        except Unavailable as error:
            if not self._is_said:
                self._is_said = True
                log.warning("the server at %s is not remembered: the next join knows nothing of it (%s)", place, error)

    def forget(self, place: str) -> None:
        """Know nothing of *place*, as `all` has it, or of a room, at whichever name server. Raises InvalidArgument."""
        known = self.all()
        places = [place] if place in known else [one for one in known if fold(one.rpartition(BY)[0]) == fold(place)]
        if not places:
            raise InvalidArgument(f"no server is known as {place!r}: see pyrochat servers list")
        self._change(lambda known: [known.pop(one, None) for one in places])

    def _change(self, change: Callable[[dict[str, KnownServer]], object]) -> None:
        try:
            make_folder(self._path.parent)
            with filelock.FileLock(f"{self._path}.lock", timeout=_LOCK_SECONDS, mode=0o600):
                known = self.all()
                change(known)
                text = json.dumps({place: asdict(server) for place, server in known.items()}, indent=1)
                write_private(self._path, text.encode())
        except (OSError, filelock.Timeout) as error:
            raise Unavailable(f"can't change {self._path} ({getattr(error, 'strerror', None) or error})") from None


def _bracketed(place: str) -> str:
    """*place* as it is spelled now; it was written without the brackets of IPv6 addresses once."""
    before, space, address = place.rpartition(" ")
    host, _, port = address.rpartition(":")
    if ":" in host and "[" not in host and port.isdecimal():
        return f"{before}{space}{shown_address((host, int(port)))}"
    return place


def _address(value: str) -> str:
    return shown_address(parse_address(value, 0))


def _digits(value: str) -> str:
    if decoded_hex(value, _DIGITS // 2) is None:
        raise ValueError(f"a key or fingerprint has {_DIGITS} hexadecimal digits")
    return value
