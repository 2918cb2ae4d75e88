"""`host`: a room server inside a program or a test."""

import getpass
from collections.abc import Iterable, Sequence
from os import PathLike
from typing import TYPE_CHECKING

from pyrochat.core.rates import DEFAULT_RATE, rate_of
from pyrochat.core.space import PEER_BYTES, ROOM_BYTES, Storage
from pyrochat.folders import data_folder, server_key_file
from pyrochat.room.door.door import Access
from pyrochat.room.server import Server, serving_from
from pyrochat.values.errors import InvalidArgument, LogInUse
from pyrochat.values.protocol import DEFAULT_ROOM, Timing
from pyrochat.values.rules import checked_flag, checked_path
from pyrochat.values.sizes import parse_size

if TYPE_CHECKING:
    from pyrochat.room.sites.hosting import Sites

LOCAL, CAUSAL, LAMPORT = "local", "causal", "lamport"


def host(
    room: str | Sequence[str] = DEFAULT_ROOM,
    data: str | PathLike[str] | None = None,
    *,
    port: int = 0,
    nameserver: bool = True,
    timing: Timing | None = None,
    password: str | None = None,
    guests: bool = True,
    new_rooms: str = "nobody",
    rate: float = DEFAULT_RATE,
    room_bytes: int | str = ROOM_BYTES,
    peer_bytes: int | str = PEER_BYTES,
    disk_reserve: int | str | None = None,
    tls: bool = False,
    server_key: str | PathLike[str] | None = None,
    order: str = LOCAL,
    peers: Sequence[str] = (),
    site: str | None = None,
) -> Server:
    """Serve *room* (or several) on loopback in threads of this process, until the server is closed.

    data: the folder for the logs; None is the user's data folder. port: 0 takes any free one; `at` of
    the returned server says which. nameserver: register the room, and start a name server where none
    answers; without it, members join with ``at=server.at``.
    password: who has not got it neither joins nor reads. guests: whether clients without a key may come.
    new_rooms: who may create rooms here: "nobody", "members" (who have a key) or "everyone"; they are hosted
    again whenever *data* is.
    rate: messages a second that one member may send, in bursts of ten times as many; all guests of one address
    share that, and so do its keys that are new within the hour. 0 sets no limit on anything but the disk.
    room_bytes: how large a room's log may become. peer_bytes: what guests and new keys of one address may send a day.
    disk_reserve: how much of the disk posts leave free; None: 5 %, 1 GiB at the most. All three are bytes, or text
    as "10GiB"; 0 sets no bound.
    tls: speak TLS, with a certificate that is made and kept beside the server's key; members join with
    ``fingerprint=server.fingerprint``.
    server_key: the file of the server's key, by which clients know it again; made where it is missing. None: this
    user's, in the configuration folder, unless *data* has one of its own.
    order: who decides what comes next: "local", this process; "causal", nobody, and "lamport", all together: this is one of the
    room's sites, which hold it together without a server (docs/orders.md). peers: ``host:port`` of other sites; the name server is asked too. Who finds none
    within 5 s founds the room. site: what this one is called; None: the login name.
    Raises CannotHost, LogInUse, LogUnreadable, NameServerRefused, InvalidRoomName, InvalidArgument; as a site, what others
    refuse it with.
    """
    _check_order(order, peers, site)
    rooms = list(room) if isinstance(room, Iterable) and not isinstance(room, str) else [room]
    folder = data_folder() if data is None else checked_path(data, "data")
    key_file = server_key_file() if server_key is None else checked_path(server_key, "server_key")
    storage = Storage(
        parse_size(room_bytes, "room_bytes"),
        parse_size(peer_bytes, "peer_bytes"),
        None if disk_reserve is None else parse_size(disk_reserve, "disk_reserve"),
    )
    sites = None if order == LOCAL else sites_of(order, site, peers, password, nameserver)
    if sites is not None and server_key is None and data is not None:
        key_file = None  # two folders are two sites
    try:
        return Server(
            rooms, folder, port=port, nameserver=checked_flag(nameserver, "nameserver"), timing=timing,
            access=Access(password, guests, new_rooms), rate=rate_of(rate), storage=storage,
            tls=checked_flag(tls, "tls"), key_file=key_file, sites=sites,
        )  # fmt: skip
    except LogInUse as error:
        error.server = serving_from(folder)
        if error.server is not None:
            error.add_note("the server that has it is this exception's `server`: error.server.close() ends it")
        raise


def _check_order(order: object, peers: object, site: object) -> None:
    if order not in (LOCAL, CAUSAL, LAMPORT):
        raise InvalidArgument(f'an order is "local", "causal" or "lamport", not {order!r:.50}')
    if order == LOCAL and (peers or site is not None):
        raise InvalidArgument(
            'peers= and site= are for order="causal" and "lamport": a room of the order "local" has one server'
        )
    if isinstance(peers, str) or not isinstance(peers, Sequence):
        raise InvalidArgument("peers has to be a list of host:port")


def sites_of(
    order: str, site: str | None, peers: Sequence[str], password: str | None, nameserver: bool
) -> "Sites":  # fmt: skip
    """What makes a server a site of rooms of the order *order*. Raises InvalidArgument."""
    from pyrochat.room.sites.hosting import Sites, checked_label  # only who asks for it waits for it to load

    label = checked_label(login_label() if site is None else site)
    if order == LAMPORT:
        from pyrochat.room.sites.ordered import OrderedSites

        return OrderedSites(label, peers, password, nameserver)
    return Sites(label, peers, password, nameserver)


def login_label() -> str:
    """The login name, as a site's label."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):
        name = "site"
    return "".join(c for c in name if c.isalnum() or c in "-_")[:32] or "site"
