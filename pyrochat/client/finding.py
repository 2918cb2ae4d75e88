"""Where a room is, and what its server has to show there."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from pyrochat.client.answers import ROOMS, ask
from pyrochat.client.known import BY, KnownServer, KnownServers
from pyrochat.client.known_logs import KnownLogs
from pyrochat.pyro.naming import NameServer
from pyrochat.pyro.remote import RemoteObject
from pyrochat.pyro.tls import ClientTls
from pyrochat.trust.certificates import fingerprint
from pyrochat.values.addresses import Address, parse_at, shown_address
from pyrochat.values.errors import RoomNotFound, RoomUnreachable, ServerFault
from pyrochat.values.protocol import DEFAULT_PORT, SERVER_OBJECT, room_object
from pyrochat.values.rules import MAX_NAME_CHARACTERS, fold
from pyrochat.values.visible import one_line

_TIMEOUT_SECONDS = 10.0
_MOST_LISTED = 10


@dataclass(frozen=True, slots=True)
class RoomPlace:
    """A room as it was found. room: its own spelling. tls: what its certificate has to be, None for a plain port.

    known_as: under which name its server is remembered, None where it need not be. server_key: the key
    that the server has to have, None for any. log_known_as: under which name its log is remembered.
    """

    address: Address
    room: str
    tls: ClientTls | None
    known_as: str | None
    server_key: bytes | None
    log_known_as: str = ""


class Finder(Protocol):
    """Looks a room up, anew for each connection."""

    def find(self) -> RoomPlace:
        """Where the room is now; raises what keeps it from being found."""

    def known_log(self, place: RoomPlace) -> str:
        """The id of the log that the room at *place* had when this user was there last; empty where that is not known."""

    def remember(self, place: RoomPlace, server_key: bytes, certificate: bytes, log_id: str | None) -> None:
        """The server at *place* has shown *server_key*, *certificate* (DER; empty without TLS), and the room's log, if that was asked for."""

    def beside(self, room: str) -> Finder:
        """What finds *room* on the same server, with the same demands on it."""


class _Remembering:
    """What both ways of finding share: demands that come from what the user said, and from what is known.

    logs: None knows nothing of the rooms' logs.
    """

    def __init__(
        self, known: KnownServers, tls: ClientTls | None, logs: KnownLogs | None, accept_new_key: bool = False
    ) -> None:
        self._known = known
        self._tls = tls
        self._logs = logs
        self._accept_new_key = accept_new_key  # until the first join: from then on the server is known

    def _recall(self, place: str) -> KnownServer | None:
        return None if self._accept_new_key else self._known.get(place)

    def _demands(self, known: KnownServer | None) -> ClientTls | None:
        said = self._tls
        if said is not None and (said.fingerprint is not None or said.ca is not None):
            return said
        if known is not None and known.fingerprint:
            own = said or ClientTls()
            return ClientTls(bytes.fromhex(known.fingerprint), None, own.certificate, own.key)
        return said

    def known_log(self, place: RoomPlace) -> str:
        """See `Finder`."""
        return self._logs.get(place.log_known_as) if self._logs is not None else ""

    def remember(self, place: RoomPlace, server_key: bytes, certificate: bytes, log_id: str | None) -> None:
        """See `Finder`."""
        self._accept_new_key = False
        if self._logs is not None and log_id is not None:
            self._logs.remember(place.log_known_as, log_id)
        if place.known_as is not None:
            before = self._known.get(place.known_as)
            shown = before.fingerprint if before is not None and before.key == server_key.hex() else ""
            if place.tls is not None and place.tls.fingerprint is not None:
                shown = fingerprint(certificate).hex()
            self._known.remember(place.known_as, KnownServer(server_key.hex(), shown))


class AtAddress(_Remembering):
    """A room at ``host:port``, or at the URI that its server prints. Its server is remembered where its certificate is pinned. Raises InvalidArgument."""

    def __init__(
        self, at: str, room: str, known: KnownServers, tls: ClientTls | None, logs: KnownLogs | None = None,
        accept_new_key: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(known, tls, logs, accept_new_key)
        self._address = parse_at(at, room, DEFAULT_PORT)
        self._room = room

    def beside(self, room: str) -> Finder:
        """See `Finder`."""
        return AtAddress(shown_address(self._address), room, self._known, self._tls, self._logs)

    def find(self) -> RoomPlace:
        """See `Finder`."""
        known_as = shown_address(self._address)
        tls = self._demands(self._recall(known_as))
        pinned = tls is not None and tls.fingerprint is not None
        spelling = _spelling_at(self._address, self._room, tls)
        return RoomPlace(
            self._address, spelling, tls, known_as if pinned else None, None, f"{fold(spelling)} at {known_as}"
        )


class ByNameServer(_Remembering):
    """A room that the name server knows. Anyone can rewrite that, so the room's server is remembered by its key."""

    def __init__(
        self, room: str, known: KnownServers, tls: ClientTls | None, logs: KnownLogs | None = None,
        accept_new_key: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(known, tls, logs, accept_new_key)
        self._room = room

    def beside(self, room: str) -> Finder:
        """See `Finder`."""
        return _Beside(self, room)

    def find(self) -> RoomPlace:
        """See `Finder`."""
        nameserver = NameServer()
        prefix, own = room_object(""), room_object(self._room)
        entries = nameserver.entries(own)
        if own not in entries:  # it may be spelled otherwise
            entries = nameserver.entries(prefix)
        for name, address in entries.items():
            spelling = name.removeprefix(prefix)
            if name != SERVER_OBJECT and _is_same(spelling, self._room):
                if address is None:
                    raise RoomUnreachable(
                        f"what the name server at {nameserver} says of room {spelling!r} is no address: its server has "
                        "to be started, or started again"
                    )
                known_as = f"{fold(spelling)}{BY}{nameserver}"
                known = self._recall(known_as)
                key = bytes.fromhex(known.key) if known else None
                if self._tls is not None and self._tls.fingerprint is not None:
                    key = None  # the user says which server it is now
                return RoomPlace(address, spelling, self._demands(known), known_as, key, known_as)
        rooms = sorted(name.removeprefix(prefix) for name in entries if name != SERVER_OBJECT)
        known_rooms = f"it knows {_listed(rooms)}" if rooms else "it knows no room: start one with pyrochat-server"
        raise RoomNotFound(f"the name server at {nameserver} knows no room {self._room!r}; {known_rooms}")


class _Beside:
    """A room on the server on which *finder* finds another, wherever the name server says that it is now."""

    def __init__(self, finder: Finder, room: str) -> None:
        self._finder = finder
        self._room = room

    def find(self) -> RoomPlace:
        """See `Finder`."""
        place = self._finder.find()
        spelling = _spelling_at(place.address, self._room, place.tls)
        if fold(spelling) == fold(place.room):  # that room itself, anew
            return place
        return replace(place, room=spelling, log_known_as=f"{fold(spelling)} beside {place.log_known_as}")

    def known_log(self, place: RoomPlace) -> str:
        """See `Finder`."""
        return self._finder.known_log(place)

    def remember(self, place: RoomPlace, server_key: bytes, certificate: bytes, log_id: str | None) -> None:
        """See `Finder`."""
        self._finder.remember(place, server_key, certificate, log_id)

    def beside(self, room: str) -> Finder:
        """See `Finder`."""
        return _Beside(self._finder, room)


def _spelling_at(address: Address, room: str, tls: ClientTls | None) -> str:
    server = RemoteObject(address, SERVER_OBJECT, "hello", timeout=_TIMEOUT_SECONDS, tls=tls)
    with contextlib.closing(server):
        rooms = ask(server, ROOMS)
    for name in rooms:
        if _is_same(name, room):
            return name
    if not rooms:
        raise ServerFault(f"{shown_address(address)} is no PyroChat server")
    raise RoomNotFound(f"there is no room {room!r} at {shown_address(address)}; it has {_listed(rooms)}")


def _is_same(name: str, room: str) -> bool:
    return len(name) <= 2 * MAX_NAME_CHARACTERS and fold(name) == fold(room)  # what is longer fills `fold`'s cache


def _listed(rooms: Sequence[str]) -> str:
    """The first of *rooms*, as somebody says that they are called."""
    shown = ", ".join(one_line(name, MAX_NAME_CHARACTERS) for name in rooms[:_MOST_LISTED])
    return f"{shown} and {len(rooms) - _MOST_LISTED:,} more" if len(rooms) > _MOST_LISTED else shown
