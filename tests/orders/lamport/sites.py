"""Sites of a totally ordered room on a network in memory: cut, or gone, as a test says."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pyrochat.core.commands import Entry, Open, Post
from pyrochat.core.marks import Mark
from pyrochat.core.pending import pending_messages
from pyrochat.orders.lamport.deleting import rules
from pyrochat.orders.lamport.face import Face
from pyrochat.orders.lamport.links import LamportLinks
from pyrochat.orders.lamport.looking import LamportLooking
from pyrochat.orders.lamport.site import LamportSite, SiteTimes
from pyrochat.orders.lamport.stream import SiteStream
from pyrochat.orders.replicated.entries import Origin, has_texts, to_bytes
from pyrochat.orders.replicated.order import ReplicatedOrder
from pyrochat.orders.sites.links import LinkTimes
from pyrochat.room.applier import Applier
from pyrochat.storage.member_disk import SqliteMemberDisk
from pyrochat.storage.sqlite_log import SqliteLog
from pyrochat.trust.keys import Key
from pyrochat.trust.salts import new_salt
from pyrochat.values.errors import LogUnavailable
from pyrochat.values.message import Message
from pyrochat.values.rules import fold
from tests.orders.network import MemoryNetwork, MemoryWire
from tests.support import eventually

QUICK = SiteTimes(tick_seconds=0.05, silent_seconds=0.6, told_seconds=0.3)
QUICK_LINKS = LinkTimes(retry_seconds=0.03, most_retry_seconds=0.1)
IDENTITY = "1b0a4b1e-0000-4000-8000-000000000000"


class Network(MemoryNetwork[Face]):
    """See `MemoryNetwork`; groups are of labels."""

    def split(self, *groups: Iterable[str]) -> None:
        super().split(*({f"{label}.lan:1" for label in group} for group in groups))


class OneSite:
    """A site of the room "lobby", with its files in *folder*. peers: where it looks for others. patience: seconds until it says that
    it does not know."""

    def __init__(
        self, network: Network, label: str, folder: Path, peers: Iterable[str] = (), seconds: float = 0.3,
        times: SiteTimes = QUICK, patience: float = 20,
    ) -> None:  # fmt: skip
        self.network, self.label, self.at = network, label, f"{label}.lan:1"
        folder.mkdir(exist_ok=True)
        self.key = Key.kept_at(folder / "key.pem")
        self.told: list[str] = []
        self.trouble: str | None = None
        self.troubles: list[str | None] = []  # one after the other
        self.pending: list[str] = []
        clock = itertools.count(1_000_000)
        disk = SqliteMemberDisk(folder / "sites.sqlite3", "lobby")
        self.site = LamportSite(disk, self.key, label, lambda: next(clock), self.at, times, has_texts)
        self.face = Face(label)
        network.faces[self.at] = self.face, self.key
        if disk.root is None:
            LamportLooking(self.site, self.face, self.dial, "lobby", lambda: list(peers), seconds).look()
        self.site.start()
        self.links = LamportLinks(self.site, self.dial, [*peers, *disk.peers()], QUICK_LINKS)
        self.face.called, self.face.met = self.links.called, self.links.met
        self.face.addresses, self.face.site = lambda: self.links.addresses, self.site
        self.stream = SiteStream(self.site, "lobby")
        self.log = SqliteLog(folder / "lobby.sqlite3", "lobby", shared=self._identity())
        self.room = Applier(
            self.log,
            lambda members: 0.0,
            lambda transition: None,
            said=self._said,
            told=self.told.append,
            rules=rules(self.stream),
            pending=self._hear_pending,
        )
        self.order = ReplicatedOrder(
            "lobby",
            self.stream,
            self.site.home,
            self.site.me,
            self.site.is_alive,
            upgrade=self.site.version,
            patience_seconds=patience,
        )
        self.order.start(self.room)
        self._sessions = itertools.count(1)

    def _identity(self) -> str:
        for _ in range(20):
            try:
                return str(json.loads(self.stream.begin(to_bytes(Origin(IDENTITY))))["log"][0])
            except LogUnavailable:
                continue
        raise AssertionError("the room does not begin")

    def _said(self, trouble: str | None, is_final: bool) -> None:
        self.trouble = trouble
        self.troubles.append(trouble)

    def _hear_pending(self, entries: Sequence[Entry]) -> None:
        self.pending = [str(message[3]) for message in pending_messages("lobby", entries)]

    def dial(self, address: str) -> MemoryWire[Face]:
        return MemoryWire(self.network, self.at, self.key, address)

    # -- what its clients do ------------------------------------------------------------------------------

    def join(self, name: str) -> str:
        id = f"{self.label}-{name}-{next(self._sessions)}"
        self.order.submit(Open(id, fold(name), name, new_salt(), home=self.order.home)).wait()
        return id

    def post(self, name: str, text: str, key: str | None = None) -> Post:
        return Post(name, fold(name), (text,), (key,), (new_salt(),), None, "", True, "chat", None)

    def say(self, name: str, text: str, key: str | None = None) -> Message:
        [message] = self.order.submit(self.post(name, text, key)).wait()
        return message

    def insist(self, name: str, text: str, key: str) -> Message:
        """As a client does: says it again, under its key, as long as nobody knows what has become of it."""
        while True:
            try:
                return self.say(name, text, key)
            except LogUnavailable:
                continue

    def tell(self, marks: Mapping[str, Mark]) -> None:
        self.order.tell(marks)

    # -- what it has --------------------------------------------------------------------------------------

    def texts(self) -> list[str]:
        return [message.text for message in self.log.read(0, 100_000)]

    def tip(self) -> tuple[int, bytes]:
        return self.log.tip

    def stop(self) -> None:
        """As a process that is killed: nobody is told."""
        self.network.faces.pop(self.at, None)
        self.links.close()
        self.site.close()
        self.order.close()
        self.log.close()

    def leave(self) -> None:
        self.site.leave(5)
        self.stop()


def are_equal(*sites: OneSite) -> bool:
    return len({site.tip() for site in sites}) == 1


def wait_for_view(*sites: OneSite) -> None:
    """All of them are in one view, and nobody else."""
    members = {site.site.me for site in sites}
    eventually(lambda: all(set(site.site.view.members) == members for site in sites), 15)
