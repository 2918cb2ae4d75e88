"""A room of three sites, of each order: what the promises of docs/orders.md are tried on.

They are linked in memory, and each has its files; of the order `local` all three are doors of one room.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import re
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pyrochat import Server
from pyrochat.core.commands import Post
from pyrochat.core.graph.event import Event
from pyrochat.core.graph.messages import Record, Said
from pyrochat.core.order import Order
from pyrochat.orders.local import LocalOrder
from pyrochat.room.applier import Applier
from pyrochat.room.sites.hosting import Sites
from pyrochat.room.sites.ordered import OrderedSites
from pyrochat.storage.sqlite_log import SqliteLog
from pyrochat.trust.keys import Key
from pyrochat.trust.salts import new_salt
from pyrochat.values.errors import LogUnavailable
from pyrochat.values.message import Message
from pyrochat.values.rules import fold
from tests.orders.graph import sites as causal_sites
from tests.orders.lamport import sites as lamport_sites
from tests.orders.lamport.sites import wait_for_view
from tests.orders.streams import MemoryBroker, MemoryNetwork, cluster_in
from tests.orders.test_cluster import Server as ClusterServer
from tests.room.sites.test_hosting import QUICK_LINKS
from tests.room.sites.test_ordered import QUICK_SITES
from tests.support import QUICK, QUICK_PACE, eventually, hosted

SIZE = 3
BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4}){4,}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def fails(*_: object, **__: object) -> None:
    raise LogUnavailable("the disk is full")


def is_on_disk(path: Path, text: str) -> bool:
    """Whether *text* stands in a committed row of the database at *path*."""
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        cells = [cell for table in tables for row in db.execute(f"SELECT * FROM {table}") for cell in row]
    said = [cell if isinstance(cell, bytes) else str(cell).encode() for cell in cells]
    inside = (base64.b64decode(found) for cell in said for found in BASE64.findall(cell))  # as records have it
    return any(text.encode() in each for each in itertools.chain(said, inside))


class Group(ABC):
    """Sites 0, 1 and 2. disks: on how many a text has to be before it is acknowledged."""

    disks = 1

    @abstractmethod
    def order(self, at: int) -> Order: ...

    @abstractmethod
    def messages(self, at: int) -> Sequence[Message]:
        """All that site *at* has, in its order."""

    @abstractmethod
    def disks_with(self, text: str) -> int: ...

    @abstractmethod
    def fail_disks(self) -> Callable[[], None]:
        """From now on nothing can be written; returns what mends that."""

    @abstractmethod
    def close(self) -> None: ...

    def split(self) -> None:
        """Site 2 hears nobody, and nobody hears it."""
        raise NotImplementedError("one server can't be split")

    def heal(self) -> None:
        """The split is over, and told to nobody."""
        raise NotImplementedError("one server can't be split")

    def only_by_1(self) -> None:
        """Sites 0 and 2 hear nobody but site 1."""
        raise NotImplementedError("only sites pass on what others have said")

    def say(self, at: int, name: str, text: str, key: str | None = None) -> Message:
        post = Post(name, fold(name), (text,), (key,), (new_salt(),), None, "")
        [message] = self.order(at).submit(post).wait()
        return message

    def insist(self, at: int, name: str, text: str, key: str) -> Message:
        """As a client does: says it again, under its key, as long as nobody knows what has become of it."""
        while True:
            try:
                return self.say(at, name, text, key)
            except LogUnavailable:
                continue

    def texts(self, at: int) -> list[str]:
        return [message.text for message in self.messages(at)]

    def have_all(self, *texts: str) -> bool:
        return all(set(texts) <= set(self.texts(at)) for at in range(SIZE))


class LocalGroup(Group):
    def __init__(self, folder: Path) -> None:
        self.path = folder / "lobby.sqlite3"
        self.log = SqliteLog(self.path, "lobby")
        clock = itertools.count(1_000_000)
        self._order = LocalOrder("lobby", lambda: next(clock))
        self._order.start(Applier(self.log, lambda members: 0.0, lambda transition: None))

    def order(self, at: int) -> Order:
        return self._order

    def messages(self, at: int) -> Sequence[Message]:
        return self.log.read(0, 100_000)

    def disks_with(self, text: str) -> int:
        return int(is_on_disk(self.path, text))

    def fail_disks(self) -> Callable[[], None]:
        return replaced(self.log, "append", fails)

    def close(self) -> None:
        self._order.close()
        self.log.close()


class ClusterGroup(Group):
    """Its disks are the broker's, which is in memory here; `lab.faults.machines` has the real ones."""

    def __init__(self, folder: Path) -> None:
        self.broker = MemoryBroker()
        self.servers = []
        for name, patience in zip("abc", (3, 3, 0.3), strict=True):
            (folder / name).mkdir()
            self.servers.append(ClusterServer(self.broker, folder / name, patience))

    def order(self, at: int) -> Order:
        return self.servers[at].order

    def messages(self, at: int) -> Sequence[Message]:
        return self.servers[at].log.read(0, 100_000)

    def disks_with(self, text: str) -> int:
        return int(any(text.encode() in message.data for message in self.broker.messages))

    def fail_disks(self) -> Callable[[], None]:
        self.broker.set_there(False)
        return lambda: self.broker.set_there(True)

    def split(self) -> None:
        self.servers[2].stream.is_silent = True
        self.servers[2].stream.hold()

    def heal(self) -> None:
        self.servers[2].stream.is_silent = False
        self.servers[2].stream.let_go()

    def close(self) -> None:
        for server in self.servers:
            server.close()
        self.broker.close()


class LamportGroup(Group):
    disks = 2

    def __init__(self, folder: Path) -> None:
        self.network = lamport_sites.Network()
        self.folder = folder
        self.sites: list[lamport_sites.OneSite] = []
        for label in ("ana", "igor", "zoe"):
            peers = [site.at for site in self.sites[:1]]
            self.sites.append(lamport_sites.OneSite(self.network, label, folder / label, peers, patience=5))
        wait_for_view(*self.sites)

    def order(self, at: int) -> Order:
        return self.sites[at].order

    def messages(self, at: int) -> Sequence[Message]:
        return self.sites[at].log.read(0, 100_000)

    def disks_with(self, text: str) -> int:
        return sum(is_on_disk(self.folder / site.label / "sites.sqlite3", text) for site in self.sites)

    def fail_disks(self) -> Callable[[], None]:
        mended = [replaced(site.site.disk, "write", failing(site.site.disk.write)) for site in self.sites]

        def mend() -> None:
            for mend_one in mended:
                mend_one()
            wait_for_view(*self.sites)

        return mend

    def split(self) -> None:
        self.network.split(["ana", "igor"], ["zoe"])
        eventually(lambda: self.sites[2].trouble is not None and "your text waits" in self.sites[2].trouble)

    def heal(self) -> None:
        self.network.heal()
        wait_for_view(*self.sites)
        eventually(lambda: all(site.trouble is None for site in self.sites))

    def close(self) -> None:
        self.network.heal()
        for site in self.sites:
            site.stop()


def failing(write: Callable[[Sequence[Record]], None]) -> Callable[[Sequence[Record]], None]:
    """Writes all but texts."""

    def write_(records: Sequence[Record]) -> None:
        if any(isinstance(record, Said | Event) for record in records):
            fails()
        write(records)

    return write_


class CausalGroup(Group):
    def __init__(self, folder: Path) -> None:
        self.network = causal_sites.Network()
        self.folder = folder
        self.sites: list[causal_sites.OneSite] = []
        for label in ("ana", "igor", "zoe"):
            (folder / label).mkdir()
            peers = [site.at for site in self.sites[:1]]
            self.sites.append(causal_sites.OneSite(self.network, label, folder / label, peers))
        eventually(lambda: all(sum(link.is_up for link in site.links.links) == SIZE - 1 for site in self.sites))

    def order(self, at: int) -> Order:
        return self.sites[at].order

    def messages(self, at: int) -> Sequence[Message]:
        return self.sites[at].messages()

    def disks_with(self, text: str) -> int:
        return sum(is_on_disk(self.folder / site.label / "lobby.sqlite3", text) for site in self.sites)

    def fail_disks(self) -> Callable[[], None]:
        mended = [replaced(site.log, "append", fails) for site in self.sites]
        return lambda: [mend() for mend in mended] and None

    def split(self) -> None:
        self.network.split([site.at for site in self.sites[:2]], [self.sites[2].at])

    def heal(self) -> None:
        self.network.heal()

    def only_by_1(self) -> None:
        ana, igor, zoe = (site.at for site in self.sites)
        self.network.split([ana, igor], [igor, zoe])

    def close(self) -> None:
        for site in self.sites:
            site.close()


def replaced(owner: Any, method: str, by: Callable[..., Any]) -> Callable[[], None]:
    """*owner*'s *method* is *by*, until what is returned is called."""
    setattr(owner, method, by)
    return lambda: delattr(owner, method)


GROUPS: dict[str, Callable[[Path], Group]] = {
    "local": LocalGroup, "cluster": ClusterGroup, "lamport": LamportGroup, "causal": CausalGroup,
}  # fmt: skip


# -- as clients come to them ----------------------------------------------------------------------------------

GIVEN: dict[str, Any] = {"timing": QUICK, "pace": QUICK_PACE, "look_seconds": 0.05, "nameserver": False}


@contextlib.contextmanager
def one_server(folder: Path) -> Iterator[list[Server]]:
    with hosted(folder / "data", nameserver=False, timing=QUICK) as server:
        yield [server]


@contextlib.contextmanager
def cluster_servers(folder: Path) -> Iterator[list[Server]]:
    network, key = MemoryNetwork(), Key.made()
    with contextlib.ExitStack() as closing:
        closing.callback(network.close)
        servers = []
        for label in "abc":
            cluster = cluster_in(network, label, SIZE)
            servers.append(closing.enter_context(Server(["lobby"], folder / label, cluster=cluster, key=key, **GIVEN)))
        eventually(lambda: all(len(server._rooms.addresses()) == SIZE for server in servers))
        yield servers


@contextlib.contextmanager
def site_servers(folder: Path, made: Callable[[str, list[str]], Sites]) -> Iterator[list[Server]]:
    with contextlib.ExitStack() as closing:
        servers: list[Server] = []
        for label in ("ana", "igor", "zoe"):
            sites = made(label, [server.at for server in servers[:1]])
            servers.append(closing.enter_context(Server(["lobby"], folder / label, sites=sites, **GIVEN)))
        yield servers


def ordered(label: str, peers: list[str]) -> Sites:
    sites = OrderedSites(label, peers, None, False, 0.3)
    sites.pace = QUICK_SITES
    return sites


def causal(label: str, peers: list[str]) -> Sites:
    return Sites(label, peers, None, False, 0.3, QUICK_LINKS)


SERVERS: dict[str, Callable[[Path], contextlib.AbstractContextManager[list[Server]]]] = {
    "local": one_server, "cluster": cluster_servers,
    "lamport": lambda folder: site_servers(folder, ordered), "causal": lambda folder: site_servers(folder, causal),
}  # fmt: skip
