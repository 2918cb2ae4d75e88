"""The Pyro name server: finding it, and asking it.

Always asked directly, at PYRO_NS_HOST and PYRO_NS_PORT as Pyro5 reads them, never by broadcast: who is
on another machine names it, or the room's address. Connections are short: a stock name server has a
thread for each.
"""

import contextlib
import logging
import os
from collections.abc import Collection, Iterable, Mapping

from Pyro5 import config, core

from pyrochat.pyro.remote import SMALL, Most, RemoteObject
from pyrochat.pyro.serializers import SERPENT, ValueBounds
from pyrochat.values.addresses import Address, parse_address, shown_address
from pyrochat.values.errors import (
    InvalidArgument,
    NameServerNotFound,
    NameServerSilent,
    PyroChatError,
    RoomNotFound,
    RoomSilent,
    ServerFault,
    Unavailable,
)
from pyrochat.values.protocol import room_object

log = logging.getLogger(__name__)

_TIMEOUT_SECONDS = 3.0
_MANY_NAMES = Most(1 << 20, ValueBounds(65_536, 4))  # 10,000 names with an address each
EMBEDDED_GREETING = "hello from a PyroChat server"
"""What an `EmbeddedNameServer` answers a greeting with; Pyro5's own says something else."""


ROOM_METADATA = "pyrochat.room:"
"""What says of ``pyrochat.<room>@<site>`` which room it is."""


def _read_entry(value: object) -> tuple[str, list[str]]:
    """URI and metadata of an entry."""
    match value:
        case [uri, list() | tuple() | set() | frozenset() as metadata]:
            return str(uri), [text for text in metadata if isinstance(text, str)]
        case [uri, *_]:
            return str(uri), []
    return str(value), []


class NameServer:
    """The name server at *address* (default: where Pyro5's configuration says).

    is_embedded: whether the one that answered last was in a PyroChat server's process, and ends with that.
    """

    def __init__(self, address: Address | None = None) -> None:
        self.address = address or (config.NS_HOST, config.NS_PORT)
        self.is_embedded = False

    def __str__(self) -> str:
        return shown_address(self.address)

    def _call(self, method: str, *arguments: object, most: Most = SMALL) -> object:
        [answer] = self._calls([(method, *arguments)], most)
        return answer

    def _calls(self, calls: Iterable[tuple[object, ...]], most: Most = SMALL) -> list[object]:
        """The answers to *calls*, each a method's name and its arguments, on one connection."""
        try:
            remote = RemoteObject(
                self.address, core.NAMESERVER_NAME, "hello", timeout=_TIMEOUT_SECONDS, serializer_id=SERPENT
            )
        except RoomSilent:
            raise NameServerSilent(f"the name server at {self} doesn't answer") from None
        except PyroChatError:
            raise NameServerNotFound(
                f"no name server answers at {self}: start one with ./nameserver.sh, "
                'or name the room\'s address (at="HOST:PORT")'
            ) from None
        with contextlib.closing(remote):
            self.is_embedded = remote.greeting == EMBEDDED_GREETING
            try:
                return [remote.call(str(method), *arguments, most=most) for method, *arguments in calls]
            except ServerFault as error:
                raise self._useless(error) from None

    def _useless(self, why: object) -> Unavailable:
        return Unavailable(f'the name server at {self} is of no use ({why}): name the room\'s address (at="HOST:PORT")')

    def is_there(self) -> bool:
        """Whether it answers; raises NameServerSilent where something is there and doesn't."""
        try:
            self._call("ping")
        except NameServerSilent:
            raise
        except PyroChatError:
            return False
        return True

    def lookup(self, name: str) -> Address:
        """The ``(host, port)`` that is registered for *name*; raises NameServerNotFound or RoomNotFound."""
        address = self.entries(name).get(name)
        if address is None:
            raise RoomNotFound(f"the name server at {self} knows no {name!r}")
        return address

    def entries(self, prefix: str) -> dict[str, Address | None]:
        """All names that begin with *prefix*, and the ``(host, port)`` of each.

        None: nobody can get there. It is a unix socket, or no address at all. Raises NameServerNotFound, and Unavailable
        where the answer is no list of names, or too large.
        """
        return self.listed(prefix)[0]

    def listed(self, prefix: str) -> tuple[dict[str, Address | None], dict[str, list[Address]]]:
        """The same; and where the rooms are that several servers have, by the name of the room's object."""
        answer = self._call("list", prefix, None, True, most=_MANY_NAMES)
        if not isinstance(answer, dict):
            raise self._useless("it answers no list of names")
        found: dict[str, Address | None] = {}
        sites: dict[str, list[Address]] = {}
        for name, value in answer.items():
            if not isinstance(name, str) or not name.startswith(prefix):
                continue
            uri, metadata = _read_entry(value)
            try:
                address = parse_address(uri.rpartition("@")[2], 0)
            except InvalidArgument:
                address = None
            rooms = [room for text in metadata if (room := text.removeprefix(ROOM_METADATA)) != text]
            if not rooms:
                found[name] = address
            elif address is not None:
                sites.setdefault(room_object(rooms[0]), []).append(address)
        return found, sites

    def site_names(self, prefix: str) -> dict[str, Address]:
        """The names, which begin with *prefix*, of rooms' single servers, and the address of each; as `listed`."""
        answer = self._call("list", prefix, None, True, most=_MANY_NAMES)
        found: dict[str, Address] = {}
        for name, value in answer.items() if isinstance(answer, dict) else ():
            uri, metadata = _read_entry(value)
            if isinstance(name, str) and any(text.startswith(ROOM_METADATA) for text in metadata):
                with contextlib.suppress(InvalidArgument):
                    found[name] = parse_address(uri.rpartition("@")[2], 0)
        return found

    def listed_of(self, names: Collection[str]) -> tuple[dict[str, Address | None], dict[str, list[Address]]]:
        """As `listed`: at least those of *names*."""
        return self.listed(os.path.commonprefix(list(names)))  # noqa: RUF071 - names have no components

    def register(self, uris: Mapping[str, str], rooms: Mapping[str, str] = {}) -> None:
        """Register each URI under its name, whatever stood there; raises NameServerNotFound. rooms: of those names that are one
        of several servers' of a room, which room that is."""
        self._calls([
            ("register", name, uri, False, [f"{ROOM_METADATA}{rooms[name]}"] if name in rooms else None)
            for name, uri in uris.items()
        ])  # fmt: skip

    def remove(self, names: Collection[str], address: Address) -> None:
        """Take those of *names* out that still stand for *address*; raises NameServerNotFound."""
        everything = self._call("list", os.path.commonprefix(list(names)), None, True, most=_MANY_NAMES)  # noqa: RUF071
        found = everything if isinstance(everything, dict) else {}
        shown = shown_address(address)
        if ours := [("remove", name) for name in names if _read_entry(found.get(name))[0].rpartition("@")[2] == shown]:
            self._calls(ours)
