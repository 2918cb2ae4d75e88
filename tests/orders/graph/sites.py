"""Sites on a network in memory: cut, slow to answer or gone as a test says."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable
from pathlib import Path

from pyrochat.core.commands import End, Lose, Open, Post
from pyrochat.core.graph.room import SiteRoom
from pyrochat.orders.graph.face import Face
from pyrochat.orders.graph.links import CausalLinks, CausalTimes
from pyrochat.orders.graph.looking import CausalLooking
from pyrochat.orders.graph.order import CausalOrder
from pyrochat.orders.sites.looking import new_look_id
from pyrochat.room.applier import Applier
from pyrochat.storage.site_log import SqliteSiteLog
from pyrochat.trust.keys import Key
from pyrochat.trust.salts import new_salt
from pyrochat.values.message import Message
from pyrochat.values.rules import fold
from tests.orders.network import MemoryNetwork, MemoryWire

QUICK_LINKS = CausalTimes(tick_seconds=0.05, retry_seconds=0.05, most_retry_seconds=0.1, silent_seconds=0.3)


Network = MemoryNetwork[Face]


class OneSite:
    """A site of the room "lobby", with its log in *folder*. peers: where it looks for others."""

    def __init__(
        self, network: Network, label: str, folder: Path, peers: Iterable[str] = (), key: Key | None = None, seconds: float = 0.3,
        wanted: str = "",
    ) -> None:  # fmt: skip
        self.network, self.label, self.at = network, label, f"{label}.lan:1"
        self.folder = folder
        self.key = key or Key.kept_at(folder / "key.pem")
        self.log = SqliteSiteLog(folder / "lobby.sqlite3", "lobby")
        self.told: list[str] = []
        self.committed = threading.Event()
        clock = itertools.count(1_000_000)
        self.order = CausalOrder("lobby", lambda: next(clock), self.log, self.key, wanted or label)
        self.face = Face(new_look_id())
        network.faces[self.at] = self.face, self.key
        looking = CausalLooking(self.order, self.face, self.dial, self.at, lambda: list(peers), seconds)
        has_to_catch_up = False
        if self.order.site is None:
            if self.order.was_in:
                self.order.begin_again()
            else:
                has_to_catch_up = self._look(looking)
        self.room = Applier(
            self.log, lambda members: 0.0, lambda transition: None, rules=self.order.rules, told=self.told.append
        )
        self.order.start(self.room)
        if has_to_catch_up:
            looking.catch_up()
        self.links = CausalLinks(self.order, self.dial, self.at, [*peers, *self.order.peers()], QUICK_LINKS)
        self.face.called, self.face.met = self.links.called, self.links.met
        self.face.order, self.face.addresses = self.order, lambda: self.links.addresses
        self._sessions = itertools.count(1)

    def _look(self, looking: CausalLooking) -> bool:
        try:
            return looking.look()
        except BaseException:
            self.log.close()
            raise

    def dial(self, address: str) -> MemoryWire[Face]:
        return MemoryWire(self.network, self.at, self.key, address)

    # -- what its clients do ------------------------------------------------------------------------------

    def join(self, name: str, key: Key | None = None) -> str:
        id = f"{self.label}-{name}-{next(self._sessions)}"
        known = None if key is None else key.public.hex()
        self.order.submit(Open(id, fold(name), name, new_salt(), known)).wait()
        return id

    def leave(self, name: str, session: str) -> None:
        self.order.submit(Lose(session, fold(name)), End(session, fold(name), new_salt())).wait()

    def say(
        self, name: str, text: str, key: str | None = None, kind: str = "chat", about: int | None = None, mark: str = ""
    ) -> Message:  # fmt: skip
        post = Post(name, fold(name), (text,), (key,), (new_salt(),), None, mark, True, kind, about)
        [message] = self.order.submit(post).wait()
        return message

    # -- what it has --------------------------------------------------------------------------------------

    @property
    def state(self) -> SiteRoom:
        assert isinstance(self.room.state, SiteRoom)
        return self.room.state

    def messages(self) -> list[Message]:
        return self.log.read(0, 100_000)

    def texts(self) -> list[str]:
        return [message.text for message in self.messages()]

    def facts(self) -> set[tuple[object, ...]]:
        """The messages as all sites have them: without what is only this log's."""
        refs = {message.id: message.ref for message in self.messages()}
        return {(m.ref, m.sender, m.text, m.kind, m.key, refs.get(m.about or 0), m.change) for m in self.messages()}

    def log_ids(self) -> list[bytes]:
        """The events that it has."""
        return [event.id for event in self.log.events()]

    def by_ref(self, ref: str | None) -> Message:
        return next(message for message in self.messages() if message.ref == ref)

    def close(self) -> None:
        self.network.faces.pop(self.at, None)
        self.order.close()
        self.log.close()
