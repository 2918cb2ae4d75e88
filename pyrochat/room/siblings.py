"""The other servers of the same rooms, as the name server and a look at them show them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from pyrochat.pyro.probing import PROBE_SECONDS, Presence, ProbeResult, look
from pyrochat.values.addresses import Address
from pyrochat.values.protocol import SERVER_OBJECT


class Siblings:
    """Asked for one round of looks: each server is looked at once, however many rooms it has.

    server_key: the one that all of them have, in hexadecimal; empty where this server has no siblings. sites: where the name
    server says that rooms are, by the room's object. seconds: see `look`. is_of_all: each of those has a key of its own.
    """

    def __init__(
        self, server_key: str, sites: Mapping[str, Sequence[Address]], seconds: float = PROBE_SECONDS,
        is_of_all: bool = False,
    ) -> None:  # fmt: skip
        self._server_key = server_key
        self._is_of_all = is_of_all
        self._registered = dict.fromkeys(chain.from_iterable(sites.values()))
        self._seconds = seconds
        self._seen: dict[Address, ProbeResult] = {}

    def lives_at(self, address: Address) -> bool:
        """Whether a sibling answers at *address*."""
        if not self._server_key:
            return False
        seen = self._look(address)
        is_sibling = seen.server_key == self._server_key or (self._is_of_all and address in self._registered)
        return seen.presence is Presence.SERVED and is_sibling

    def is_gone_from(self, address: Address) -> bool:
        """Whether nobody is at *address*, or only a sibling that hangs."""
        if not self._server_key:
            return False
        presence = self._look(address).presence
        return presence is Presence.ABSENT or (presence is Presence.SILENT and address in self._registered)

    def living(self, own: Address) -> Iterator[Address]:
        """Where siblings are that answer; *own* is left out."""
        return (address for address in self._registered if address != own and self.lives_at(address))

    def _look(self, address: Address) -> ProbeResult:
        if address not in self._seen:
            self._seen[address] = look(address, SERVER_OBJECT, self._seconds)
        return self._seen[address]
