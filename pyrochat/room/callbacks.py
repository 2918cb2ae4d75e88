"""Joining with a callback in a daemon of the client's own: it is connected to before the session is opened."""

import ipaddress
from collections.abc import Callable

from pyrochat.pyro.connecting import Connecting, Connector
from pyrochat.pyro.connection import Connection
from pyrochat.pyro.dispatch import Later
from pyrochat.pyro.link import Link
from pyrochat.pyro.remote import parse_uri
from pyrochat.room.door.identity import Identity
from pyrochat.room.opening import Opening
from pyrochat.room.room import Room
from pyrochat.values.errors import CallbackUnreachable, InvalidArgument


def callback_of(uri: object, connection: Connection, serializer_id: int) -> Connecting:
    """The callback at *uri*, to be connected to: at the caller's own address, whatever host's name stands there.

    Names are not looked up: that would wait, for whomever a stranger likes. Raises CallbackUnreachable.
    """
    if connection.is_secure:
        raise CallbackUnreachable(
            "a callback of your own is not called over TLS: use PyroChat's client, or the plain port of another server"
        )
    if not isinstance(uri, str):
        raise CallbackUnreachable("the callback has to be a URI in text: str(daemon.register(callback))")
    (host, port), object_id = parse_uri(uri)
    own = connection.peer_address
    if _address(host) not in (None, _address(own)):
        raise CallbackUnreachable(f"the callback has to be at the caller's own address {own}, not at {host}")
    if not 0 < port < 65536:
        raise CallbackUnreachable(f"there is no port {port}")
    try:
        return Connecting((own, port), object_id, serializer_id)
    except ValueError:  # a lone surrogate in it
        raise CallbackUnreachable("the callback's URI has a character that can't be sent") from None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that *host* is; None for a name."""
    try:
        address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


class CallbackJoin(Later):
    """`ChatRoom.join` of a client with a callback of its own: no thread waits while that is connected to.

    opened: called, in whichever thread, with the id of the session that was opened. taken_up: the session that the
    client had, and the log's tail; None where it needs a new one.
    """

    def __init__(
        self, room: Room, identity: Identity, connecting: Connecting, connector: Connector,
        opened: Callable[[str], None], taken_up: tuple[str, int] | None,
    ) -> None:  # fmt: skip
        self._room = room
        self._identity = identity
        self._connecting = connecting
        self._connector = connector
        self._opened = opened
        self._taken_up = taken_up
        self._opening: Opening | None = None
        self._error: Exception | None = None
        self._tell: Callable[[], None] | None = None

    def then(self, call: Callable[[], None]) -> None:
        """See `Later`; only now the callback is connected to."""
        self._tell = call
        self._connecting.then(self._open)
        self._connector.connect(self._connecting)

    def _open(self) -> None:
        """In the connector's thread: the callback is there, or is not."""
        assert self._tell is not None
        try:
            self._connecting.result()
            self._opening = None if self._taken_up is not None else self._room.open_session(self._identity)
        except Exception as error:  # the caller is told
            self._error = error
        if self._opening is None:
            self._tell()
        else:
            self._opening.then(self._tell)

    def result(self) -> list[object]:
        """See `Later`. Raises InvalidArgument in a batch, whose calls are waited for."""
        if self._tell is None:
            raise InvalidArgument("a join with a callback can't stand in a batch: call it by itself")
        try:
            if self._error is not None:
                raise self._error
            if self._taken_up is None:
                assert self._opening is not None
                self._taken_up = self._opening.result()
            session_id, tail = self._taken_up
            link = Link(self._connecting.result(), self._connecting.object_id, self._connecting.serializer_id)
            self._room.connect(self._identity, session_id, link)
        except BaseException:
            self._connecting.discard()
            raise
        self._opened(session_id)
        return [session_id, self._room.log.identity, tail]
