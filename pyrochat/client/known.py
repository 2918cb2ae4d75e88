"""The servers that this user knows: their keys, and the fingerprints of their certificates.

A file of its own in the configuration folder. An entry is made at the first join, and from then on the
server has to be the same; only the user takes an entry back.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import filelock

from pyrochat.trust.files import write_private
from pyrochat.values.errors import InvalidArgument, Unavailable
from pyrochat.values.rules import decoded_hex

__all__ = ["KnownServer", "KnownServers"]

_LOCK_SECONDS = 5.0
_DIGITS = 64  # of a key and of a fingerprint


@dataclass(frozen=True, slots=True)
class KnownServer:
    """key: the server's public key. fingerprint: SHA-256 of its certificate, empty without TLS. Both in hexadecimal."""

    key: str
    fingerprint: str = ""


class KnownServers:
    """What the file *path* holds. Raises Unavailable where it can't be used."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, place: str) -> KnownServer | None:
        """What is known of *place* (an address, or a room at a name server)."""
        return self.all().get(place)

    def all(self) -> dict[str, KnownServer]:
        """Every place that is known."""
        try:
            entries = json.loads(self._path.read_text())
            return {
                str(place): KnownServer(_digits(entry["key"]), entry["fingerprint"] and _digits(entry["fingerprint"]))
                for place, entry in entries.items()
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unavailable(
                f"can't read {self._path} ({error}): it says which servers you know; mend it, or move it away"
            ) from None

    def remember(self, place: str, server: KnownServer) -> None:
        """Know *server* at *place* from now on."""
        if self.get(place) != server:
            self._change(lambda known: known.__setitem__(place, server))

    def forget(self, place: str) -> None:
        """Know nothing of *place*. Raises InvalidArgument where nothing is known."""
        if place not in self.all():
            raise InvalidArgument(f"no server is known as {place!r}: see pyrochat servers list")
        self._change(lambda known: known.pop(place, None))

    def _change(self, change: object) -> None:
        assert callable(change)
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            with filelock.FileLock(f"{self._path}.lock", timeout=_LOCK_SECONDS, mode=0o600):
                known = self.all()
                change(known)
                text = json.dumps({place: asdict(server) for place, server in known.items()}, indent=1)
                write_private(self._path, text.encode())
        except (OSError, filelock.Timeout) as error:
            raise Unavailable(f"can't change {self._path} ({error})") from None


def _digits(value: str) -> str:
    if decoded_hex(value, _DIGITS // 2) is None:
        raise ValueError(f"a key or fingerprint has {_DIGITS} hexadecimal digits")
    return value
