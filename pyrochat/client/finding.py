"""Where a room is, and what its server has to show there."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from pyrochat.client.answers import CLOSED_ROOMS, ROOMS, ask
from pyrochat.client.credentials import Credentials
from pyrochat.client.known import BY, KnownServer, KnownServers
from pyrochat.client.known_logs import KnownLogs
from pyrochat.client.place import RoomPlace
from pyrochat.core.closed_names import found_by, names_of
from pyrochat.pyro.naming import NameServer
from pyrochat.pyro.remote import RemoteObject
from pyrochat.pyro.tls import ClientTls
from pyrochat.trust.certificates import fingerprint
from pyrochat.values.addresses import Address, parse_places, shown_address
from pyrochat.values.errors import RoomNotFound, RoomUnreachable, ServerFault
from pyrochat.values.protocol import DEFAULT_PORT, SERVER_OBJECT, room_object
from pyrochat.values.rules import MAX_NAME_CHARACTERS, fold
from pyrochat.values.visible import one_line

_TIMEOUT_SECONDS = 10.0
_MOST_LISTED = 10


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

    credentials: shown to the server where the room is none of its open ones. logs: None knows nothing of the rooms' logs.
    """

    def __init__(
        self, credentials: Credentials, known: KnownServers, tls: ClientTls | None, logs: KnownLogs | None,
        accept_new_key: bool = False,
    ) -> None:  # fmt: skip
        self._credentials = credentials
        self._closed = _Closed(credentials)
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


class _Closed:
    """Looks for a closed room of a server, which says only to those who may enter it that there is one. Once it is found it
    keeps its object id, however it is called.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._object_id: str | None = None

    def known(self, place: RoomPlace) -> RoomPlace | None:
        """The room on the server at *place*, where it was found before."""
        if self._object_id is None:
            return None
        return replace(place, closed=self._object_id, log_known_as=f"{self._object_id} at {place.log_known_as}")

    def find(self, place: RoomPlace, room: str) -> RoomPlace | None:
        """The closed room that is called *room* on the server at *place*; None where there is none for us.

        Raises RoomNotFound where there are several, and what `Credentials.enter` raises.
        """
        server, _ = self._credentials.enter(replace(place, closed=SERVER_OBJECT), None, _TIMEOUT_SECONDS)
        with contextlib.closing(server):
            try:
                titles, open_ones = ask(server, CLOSED_ROOMS), ask(server, ROOMS)
            except ServerFault:  # an older server, which has none
                return None
        names = names_of(titles, open_ones)
        found = found_by(room, names, titles)
        if len(found) > 1:
            raise RoomNotFound(f"several rooms are called {room!r} here: say {' or '.join(names[id] for id in found)}")
        self._object_id = found[0] if found else None
        return self.known(place)

    def beside_open_ones(self, place: RoomPlace, room: str, between: str) -> RoomPlace:
        """Room *room* on the server at *place*: an open one, or else a closed one. between: in what its log is known as.

        Raises RoomNotFound, ServerFault, and what `find` raises.
        """
        if (known := self.known(place)) is not None:
            return known
        try:
            spelling = _spelling_at(place.address, room, place.tls)
        except RoomNotFound:
            closed = self.find(place, room)
            if closed is None:
                raise
            return closed
        return replace(place, room=spelling, log_known_as=f"{fold(spelling)}{between}{place.log_known_as}")


class AtAddress(_Remembering):
    """A room at ``host:port``, or at the URI that its server prints; or at the first of several that is there. Its server is
    remembered where its certificate is pinned. Raises InvalidArgument.
    """

    def __init__(
        self, at: str, room: str, credentials: Credentials, known: KnownServers, tls: ClientTls | None,
        logs: KnownLogs | None = None, accept_new_key: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(credentials, known, tls, logs, accept_new_key)
        self._places = parse_places(at, room, DEFAULT_PORT)
        self._at = 0  # the place that was tried last
        self._is_proven = True  # it was not, or it has let us in
        self._room = room

    def beside(self, room: str) -> Finder:
        """See `Finder`."""
        own, *others = map(shown_address, [*self._places[self._at :], *self._places[: self._at]])
        return AtAddress(",".join([own, *others]), room, self._credentials, self._known, self._tls, self._logs)

    def remember(self, place: RoomPlace, server_key: bytes, certificate: bytes, log_id: str | None) -> None:
        """See `Finder`."""
        self._is_proven = True
        super().remember(place, server_key, certificate, log_id)

    def find(self) -> RoomPlace:
        """See `Finder`. A place that has not let us in, or where nobody answers, is followed by the next."""
        if not self._is_proven:
            self._at = (self._at + 1) % len(self._places)
        self._is_proven = False
        error: RoomUnreachable | None = None
        for _ in self._places:
            try:
                return self._find_at(self._places[self._at])
            except RoomUnreachable as unreachable:
                error = error or unreachable
                self._at = (self._at + 1) % len(self._places)
        assert error is not None
        raise error

    def _find_at(self, address: Address) -> RoomPlace:
        known_as = shown_address(address)
        tls = self._demands(self._recall(known_as))
        pinned = tls is not None and tls.fingerprint is not None
        place = RoomPlace(address, self._room, tls, known_as if pinned else None, None, known_as)
        return self._closed.beside_open_ones(place, self._room, " at ")


class ByNameServer(_Remembering):
    """A room that the name server knows. Anyone can rewrite that, so the room's server is remembered by its key."""

    def __init__(
        self, room: str, credentials: Credentials, known: KnownServers, tls: ClientTls | None,
        logs: KnownLogs | None = None, accept_new_key: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(credentials, known, tls, logs, accept_new_key)
        self._room = room

    def beside(self, room: str) -> Finder:
        """See `Finder`."""
        return _Beside(self, room, self._credentials)

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
                return self._place(address, spelling, nameserver)
        if (server := entries.get(SERVER_OBJECT)) is not None:
            place = self._place(server, self._room, nameserver)
            closed = self._closed.known(place) or self._closed.find(place, self._room)
            if closed is not None:
                return closed
        rooms = sorted(name.removeprefix(prefix) for name in entries if name != SERVER_OBJECT)
        known_rooms = f"it knows {_listed(rooms)}" if rooms else "it knows no room: start one with pyrochat-server"
        raise RoomNotFound(f"the name server at {nameserver} knows no room {self._room!r}; {known_rooms}")

    def _place(self, address: Address, room: str, nameserver: NameServer) -> RoomPlace:
        known_as = f"{fold(room)}{BY}{nameserver}"
        known = self._recall(known_as)
        key = bytes.fromhex(known.key) if known else None
        if self._tls is not None and self._tls.fingerprint is not None:
            key = None  # the user says which server it is now
        return RoomPlace(address, room, self._demands(known), known_as, key, known_as)


class _Beside:
    """A room on the server on which *finder* finds another, wherever the name server says that it is now."""

    def __init__(self, finder: Finder, room: str, credentials: Credentials) -> None:
        self._finder = finder
        self._room = room
        self._credentials = credentials
        self._closed = _Closed(credentials)

    def find(self) -> RoomPlace:
        """See `Finder`."""
        place = self._finder.find()
        if fold(self._room) == fold(place.room):  # that room itself, anew
            return place
        return self._closed.beside_open_ones(replace(place, room=self._room, closed=None), self._room, " beside ")

    def known_log(self, place: RoomPlace) -> str:
        """See `Finder`."""
        return self._finder.known_log(place)

    def remember(self, place: RoomPlace, server_key: bytes, certificate: bytes, log_id: str | None) -> None:
        """See `Finder`."""
        self._finder.remember(place, server_key, certificate, log_id)

    def beside(self, room: str) -> Finder:
        """See `Finder`."""
        return _Beside(self._finder, room, self._credentials)


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
