"""Going round the servers that have a room: one that answers nobody, or does not let us in, is followed by the next at once."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace

from pyrochat.client.finding import Candidate, Finder
from pyrochat.client.place import RoomPlace
from pyrochat.pyro.remote import RemoteObject
from pyrochat.values.addresses import MOST_PLACES, Address, shown_address
from pyrochat.values.errors import (
    NameServerNotFound,
    PyroChatError,
    Refused,
    RoomUnreachable,
    Unavailable,
    VersionMismatch,
)
from pyrochat.values.protocol import SERVER_OBJECT
from pyrochat.values.rules import fold

_TIMEOUT_SECONDS = 10.0
_PASSING_SECONDS = 3.0  # for a server, where others have the room too
_LOOK_SECONDS = 1.0


class Round:
    """For one client of one room. finder: says where that may be, anew for each round.

    Every address that was heard of is remembered, and tried too where several servers share the room, or the name server is
    gone. It has to show the key that the one has proved that has let us in. What that one has named is tried first.

    is_cluster: whether several servers share the room, as the one says that has let us in.
    """

    def __init__(self, finder: Finder) -> None:
        self._finder = finder
        self._untried: tuple[Candidate, ...] = ()  # of this round; replaced as a whole: two threads may look
        self._heard: tuple[Address, ...] = ()  # the newest first
        self._let_in: RoomPlace | None = None  # by this one, last
        self._is_turned_away = False
        self._errors: list[PyroChatError] = []  # of this round
        self.is_cluster = False

    def find(self) -> RoomPlace:
        """The next place at which the room is found; raises what keeps it from being found at all that are left."""
        if not self._untried:
            self._errors = []
            self._untried = tuple(self._candidates())
        error: RoomUnreachable | None = None
        while self._untried:
            candidate, *rest = self._untried
            self._untried = tuple(rest)
            try:
                return candidate.find(self.seconds)
            except RoomUnreachable as unreachable:
                error = error or unreachable
                self._errors.append(unreachable)
        assert error is not None
        raise error

    def _candidates(self) -> list[Candidate]:
        """The places of a new round. The one that has let us in last is the first of them, or the last; see `turn_away`."""
        error: Unavailable | None = None
        try:
            found = self._finder.candidates()
        except Unavailable as unavailable:
            found, error = [], unavailable
        there = [candidate.address for candidate in found]
        if self._let_in is not None and (self.is_cluster or isinstance(error, NameServerNotFound)):
            found += [self._remembered(address) for address in self._heard if address not in there]
        self._hear(there)
        if error is not None and not found:
            raise error
        last = None if self._let_in is None else self._let_in.address
        return sorted(found, key=lambda candidate: (candidate.address == last) == self._is_turned_away)

    def _hear(self, addresses: Sequence[Address]) -> None:
        self._heard = tuple(dict.fromkeys([*addresses, *self._heard]))[:MOST_PLACES]

    def _remembered(self, address: Address) -> Candidate:
        assert self._let_in is not None
        place = replace(self._let_in, address=address)
        return Candidate(address, lambda seconds: place)

    def let_in(
        self, place: RoomPlace, server_key: bytes, certificate: bytes, log_id: str | None, servers: Sequence[Address] = ()
    ) -> None:  # fmt: skip
        """The server at *place* has proved *server_key*, and has let us in. servers: where the room is too, as it says.

        certificate, log_id: see `Finder.remember`.
        """
        self._finder.remember(place, server_key, certificate, log_id, servers)
        self._let_in = replace(place, server_key=server_key)
        self.is_cluster = bool(servers)
        self._hear([place.address, *servers])
        others = self._heard if self.is_cluster else ()  # one that hears no others for a while has them all the same
        self._untried = tuple(self._remembered(address) for address in others if address != place.address)
        self._errors, self._is_turned_away = [], False

    def turn_away(self) -> None:
        """The server that has let us in is of no use now: in the next round all others come first."""
        self._is_turned_away = True

    @property
    def seconds(self) -> float:
        """How long a server may take to answer a greeting."""
        return _PASSING_SECONDS if self.is_cluster else _TIMEOUT_SECONDS

    @property
    def next(self) -> str:
        """``host:port`` of the place that comes next in this round; empty at its end."""
        untried = self._untried
        return shown_address(untried[0].address) if untried else ""

    @property
    def count(self) -> int:
        """How many places are known."""
        return len(self._heard)

    def failed(self, error: PyroChatError) -> bool:
        """Nobody has let us in at the last place, because of *error*; whether there is hope: another place in this round, or
        one that may let us in later. Whom a room refuses for good, nobody else lets in.
        """
        self._errors.append(error)
        if self._untried:
            return True
        errors, self._errors = self._errors, []
        is_refused = any(
            isinstance(one, Refused) and not isinstance(one, VersionMismatch) and not one.may_pass for one in errors
        )
        return not is_refused and any(one.may_pass for one in errors)

    def turn_to_one_that_answers(self) -> bool:
        """While we are connected: let another server that is there be the next; False where none is."""
        untried = self._untried
        for candidate in untried:
            place = candidate.find(_LOOK_SECONDS)
            with contextlib.suppress(PyroChatError):
                RemoteObject(place.address, SERVER_OBJECT, "hello", timeout=_LOOK_SECONDS, tls=place.tls).close()
                self._untried = (candidate, *(other for other in untried if other is not candidate))
                return True
        return False

    def known_log(self, place: RoomPlace) -> str:
        """See `Finder`."""
        return self._finder.known_log(place)

    def beside(self, room: str) -> Finder:
        """What finds *room* on the servers of this one."""
        let_in = self._let_in
        if let_in is not None and fold(room) == fold(let_in.room) and not self.is_cluster:
            let_in = None  # that room itself, anew: another server may have taken the place of ours
        places = [] if let_in is None else [replace(let_in, address=address) for address in self._in_turn()]
        return self._finder.beside(room, places)

    def _in_turn(self) -> list[Address]:
        assert self._let_in is not None
        heard = self._heard if self.is_cluster else ()
        return list(dict.fromkeys([self._let_in.address, *heard]))
