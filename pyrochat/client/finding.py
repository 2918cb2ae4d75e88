"""Where a room is, and what its server has to show there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, Protocol

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
from pyrochat.values.addresses import MOST_PLACES, Address, parse_address, parse_places, shown_address
from pyrochat.values.errors import NameServerNotFound, RoomNotFound, RoomUnreachable, ServerFault, Unavailable
from pyrochat.values.protocol import DEFAULT_PORT, SERVER_OBJECT, room_object
from pyrochat.values.rules import MAX_NAME_CHARACTERS, fold
from pyrochat.values.visible import one_line

_TIMEOUT_SECONDS = 10.0
_MOST_LISTED = 10


class Candidate(NamedTuple):
    """A place where a room may be. find: looks for it there, and waits so many seconds for an answer at the most; raises what
    keeps it from being found."""

    address: Address
    find: Callable[[float], RoomPlace]


class Finder(Protocol):
    """Says where a room may be. It has no state of its own that a search would change: several threads may ask."""

    def candidates(self) -> list[Candidate]:
        """Where the room may be now, at least one place, the best first; raises what keeps it from being found."""

    def known_log(self, place: RoomPlace) -> str:
        """The id of the log that the room at *place* had when this user was there last; empty where that is not known."""

    def remember(
        self, place: RoomPlace, server_key: bytes, certificate: bytes, log_id: str | None, servers: Sequence[Address] = ()
    ) -> None:  # fmt: skip
        """The server at *place* has shown *server_key*, *certificate* (DER; empty without TLS), and the room's log, if that was asked for. servers: all that have the room, where those are several."""

    def beside(self, room: str, places: Sequence[RoomPlace]) -> Finder:
        """What finds *room* on the same server, with the same demands on it. places: where this room was found, the best first."""


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

    def remember(
        self, place: RoomPlace, server_key: bytes, certificate: bytes, log_id: str | None, servers: Sequence[Address] = ()
    ) -> None:  # fmt: skip
        """See `Finder`."""
        self._accept_new_key = False
        if self._logs is not None and log_id is not None:
            self._logs.remember(place.log_known_as, log_id)
        if place.known_as is not None:
            before = self._known.get(place.known_as)
            shown = before.fingerprint if before is not None and before.key == server_key.hex() else ""
            if place.tls is not None and place.tls.fingerprint is not None:
                shown = fingerprint(certificate).hex()
            addresses = tuple(sorted(map(shown_address, servers)))
            if not servers and before is not None and before.key == server_key.hex():
                addresses = before.addresses  # who only posts is told of none
            self._known.remember(place.known_as, KnownServer(server_key.hex(), shown, addresses))


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
        return replace(place, closed=self._object_id, log_known_as=f"{self._object_id} at {place.base}")

    def find(self, place: RoomPlace, room: str, seconds: float = _TIMEOUT_SECONDS) -> RoomPlace | None:
        """The closed room that is called *room* on the server at *place*; None where there is none for us.

        Raises RoomNotFound where there are several, and what `Credentials.enter` raises.
        """
        server, _ = self._credentials.enter(replace(place, closed=SERVER_OBJECT), None, seconds)
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

    def beside_open_ones(self, place: RoomPlace, room: str, between: str, seconds: float) -> RoomPlace:
        """Room *room* on the server at *place*: an open one, or else a closed one. between: in what its log is known as.

        Raises RoomNotFound, ServerFault, and what `find` raises.
        """
        if (known := self.known(place)) is not None:
            return known
        try:
            spelling = _spelling_at(place.address, room, place.tls, seconds)
        except RoomNotFound:
            closed = self.find(place, room, seconds)
            if closed is None:
                raise
            return closed
        return replace(place, room=spelling, log_known_as=f"{fold(spelling)}{between}{place.base}")


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
        self._room = room

    def beside(self, room: str, places: Sequence[RoomPlace]) -> Finder:
        """See `Finder`."""
        addresses = list(dict.fromkeys([*(place.address for place in places), *self._places]))[:MOST_PLACES]
        tls = places[0].tls if places else self._tls
        return AtAddress(",".join(map(shown_address, addresses)), room, self._credentials, self._known, tls, self._logs)

    def candidates(self) -> list[Candidate]:
        """See `Finder`."""
        return [Candidate(address, partial(self._find_at, address)) for address in self._places]

    def _find_at(self, address: Address, seconds: float) -> RoomPlace:
        known_as = shown_address(address)
        tls = self._demands(self._recall(known_as))
        pinned = tls is not None and tls.fingerprint is not None
        place = RoomPlace(address, self._room, tls, known_as if pinned else None, None, known_as, known_as)
        return self._closed.beside_open_ones(place, self._room, " at ", seconds)


class ByNameServer(_Remembering):
    """A room that the name server knows. Anyone can rewrite that, so the room's server is remembered by its key."""

    def __init__(
        self, room: str, credentials: Credentials, known: KnownServers, tls: ClientTls | None,
        logs: KnownLogs | None = None, accept_new_key: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(credentials, known, tls, logs, accept_new_key)
        self._room = room

    def beside(self, room: str, places: Sequence[RoomPlace]) -> Finder:
        """See `Finder`."""
        return _Beside(self, room, self._credentials, places)

    def candidates(self) -> list[Candidate]:
        """See `Finder`. The places of all servers that have the room; the one first that stands under its own name. Without a
        name server, those that are known from an earlier time.
        """
        nameserver = NameServer()
        prefix, own = room_object(""), room_object(self._room)
        try:
            entries, sites = nameserver.listed(own)
        except NameServerNotFound:
            if known := self._known_from_earlier(nameserver):
                return known
            raise
        if own not in entries and own not in sites:  # it may be spelled otherwise
            entries, sites = nameserver.listed(prefix)
        for name in [*entries, *sites]:
            spelling = name.removeprefix(prefix)
            if name != SERVER_OBJECT and _is_same(spelling, self._room):
                addresses = [entries.get(name), *sites.get(name, ())]
                found = list(dict.fromkeys(address for address in addresses if address is not None))[:MOST_PLACES]
                if not found:
                    raise RoomUnreachable(
                        f"what the name server at {nameserver} says of room {spelling!r} is no address: its server has "
                        "to be started, or started again"
                    )
                return [self._candidate(self._place(address, spelling, nameserver)) for address in found]
        if (server := entries.get(SERVER_OBJECT)) is not None:
            place = self._place(server, self._room, nameserver)
            closed = self._closed.known(place) or self._closed.find(place, self._room)
            if closed is not None:
                return [self._candidate(closed)]
        rooms = sorted({name.removeprefix(prefix) for name in [*entries, *sites] if name != SERVER_OBJECT})
        known_rooms = f"it knows {_listed(rooms)}" if rooms else "it knows no room: start one with pyrochat-server"
        raise RoomNotFound(f"the name server at {nameserver} knows no room {self._room!r}; {known_rooms}")

    def _known_from_earlier(self, nameserver: NameServer) -> list[Candidate]:
        known = self._recall(f"{fold(self._room)}{BY}{nameserver}")
        addresses = [parse_address(address, 0) for address in known.addresses] if known is not None else []
        return [Candidate(address, partial(self._find_at, address, nameserver)) for address in addresses]

    def _find_at(self, address: Address, nameserver: NameServer, seconds: float) -> RoomPlace:
        place = self._place(address, self._room, nameserver)
        found = self._closed.beside_open_ones(place, self._room, " at ", seconds)
        return found if found.closed is not None else replace(found, log_known_as=place.log_known_as)

    @staticmethod
    def _candidate(place: RoomPlace) -> Candidate:
        return Candidate(place.address, lambda seconds: place)

    def _place(self, address: Address, room: str, nameserver: NameServer) -> RoomPlace:
        known_as = f"{fold(room)}{BY}{nameserver}"
        known = self._recall(known_as)
        key = bytes.fromhex(known.key) if known else None
        if self._tls is not None and self._tls.fingerprint is not None:
            key = None  # the user says which server it is now
        return RoomPlace(address, room, self._demands(known), known_as, key, known_as, known_as)


class _Beside:
    """A room on the server on which *finder* finds another: at *places*, or wherever the name server says that it is now."""

    def __init__(self, finder: Finder, room: str, credentials: Credentials, places: Sequence[RoomPlace]) -> None:
        self._finder = finder
        self._room = room
        self._credentials = credentials
        self._closed = _Closed(credentials)
        self._places = places

    def candidates(self) -> list[Candidate]:
        """See `Finder`."""
        near = [Candidate(place.address, partial(self._near, place)) for place in self._places]
        try:
            found = [Candidate(found.address, partial(self._beside, found)) for found in self._finder.candidates()]
        except Unavailable:
            if not near:
                raise
            return near
        there = {candidate.address for candidate in near}
        return near + [candidate for candidate in found if candidate.address not in there]

    def _beside(self, found: Candidate, seconds: float) -> RoomPlace:
        return self._near(found.find(seconds), seconds)

    def _near(self, place: RoomPlace, seconds: float) -> RoomPlace:
        if fold(self._room) == fold(place.room):  # that room itself, anew
            return place
        place = replace(place, room=self._room, closed=None)
        return self._closed.beside_open_ones(place, self._room, " beside ", seconds)

    def known_log(self, place: RoomPlace) -> str:
        """See `Finder`."""
        return self._finder.known_log(place)

    def remember(
        self, place: RoomPlace, server_key: bytes, certificate: bytes, log_id: str | None, servers: Sequence[Address] = ()
    ) -> None:  # fmt: skip
        """See `Finder`."""
        self._finder.remember(place, server_key, certificate, log_id, servers)

    def beside(self, room: str, places: Sequence[RoomPlace]) -> Finder:
        """See `Finder`."""
        return _Beside(self._finder, room, self._credentials, places)


def _spelling_at(address: Address, room: str, tls: ClientTls | None, seconds: float) -> str:
    server = RemoteObject(address, SERVER_OBJECT, "hello", timeout=seconds, tls=tls)
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
