"""A server's place in a cluster: its orders, and what it knows of the other servers."""

import hashlib
import itertools
import logging
import secrets
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pyrochat.clock import monotonic
from pyrochat.core.commands import ENTRY_VERSION
from pyrochat.core.registry import command_from_wire, command_to_wire
from pyrochat.orders.cluster.engine import Engine
from pyrochat.orders.cluster.liveness import SILENT_SECONDS, Liveness, Peer
from pyrochat.orders.cluster.nats_stream import BESIDE, NatsStream
from pyrochat.orders.replicated.entries import END, Origin, Part, copied, place, read, to_bytes
from pyrochat.orders.replicated.order import ReplicatedOrder
from pyrochat.orders.replicated.stream import Rebuildable
from pyrochat.values.errors import CannotHost, LogUnavailable, LogUnreadable

log = logging.getLogger(__name__)

REGISTRY = "REGISTRY"
_ATTEMPTS = 1000
_FREEZING_SECONDS = 10.0  # that a broken stream may take
_LOOK_SECONDS = 0.05


class Cluster:
    """engine: taken over, and closed. label: this server's, the same after each start, and nobody else's. servers: so many
    there are when all are there. streams: makes a stream by its name. silent_seconds: see `Liveness`. at: where clients come, ``host:port``, once that is known."""

    def __init__(
        self, engine: Engine, label: str, servers: int, streams: Callable[[Engine, str], Rebuildable] = NatsStream,
        silent_seconds: float = SILENT_SECONDS,
    ) -> None:  # fmt: skip
        self.engine = engine
        self._streams = streams
        self.label = label
        self.home = f"{label}/{secrets.token_hex(4)}"
        self.servers = servers
        self.at = ""
        self.tails: Callable[[], dict[str, int]] = dict
        self.liveness = Liveness(engine, self._own, silent_seconds=silent_seconds)

    def _own(self) -> Peer:
        return Peer(self.home, self.label, self.at, ENTRY_VERSION, self.tails())

    def stream(self, stem: str) -> Rebuildable:
        """The stream of the room whose files are called *stem*, or the registry's."""
        return self._streams(self.engine, stream_name(stem))

    def identity(self, stem: str = REGISTRY, *, waits: bool = False) -> str:
        """The identity of the log of the stream, which begins now where there is none. waits: for a majority, however long
        that takes. Raises LogUnavailable, CannotHost."""
        is_told = False
        while True:
            try:
                origin = read(self.stream(stem).begin(to_bytes(Origin(str(uuid.uuid4())))))
                break
            except LogUnavailable as error:
                if not waits:
                    raise
                if not is_told:
                    log.warning("waiting for the cluster: %s", error)
                is_told = True
        if not isinstance(origin, Origin):
            raise LogUnreadable("the stream does not begin as one of this version of PyroChat: upgrade it")
        return origin.identity

    registry = REGISTRY

    @staticmethod
    def new_identity() -> str:
        """Of a log."""
        return str(uuid.uuid4())

    def check_new(self, stem: str) -> None:
        """Raise CannotHost where the cluster has the stream already, and something in it."""
        if self.stream(stem).is_begun():
            raise CannotHost(
                "the cluster has the register of names already"
                if stem == REGISTRY
                else f"the cluster has a room {stem!r} already"
            )

    def freeze(self, stem: str, entry: Callable[[], int]) -> None:
        """Nothing is taken any more; all that was is applied here, where that can be. entry: the number of the last one that is."""
        last = self.stream(stem).freeze()
        until = monotonic() + _FREEZING_SECONDS
        while last is not None and place(entry())[1] < last and monotonic() < until:
            time.sleep(_LOOK_SECONDS)

    def make_anew(
        self, stem: str, identity: str, entry: int, about: Mapping[str, Any], parts: Iterable[tuple[str, list[Any]]]
    ) -> None:
        """Make the stream anew, of a copy of the log. entry: the number of the last that was applied to it. Raises LogUnavailable."""
        try:
            origin = self._origin(stem)
        except LogUnavailable:  # a broken stream says nothing: another attempt to make it anew may have begun
            origin = Origin("", place(entry)[0] + secrets.randbelow(_ATTEMPTS))
        generation = 1 + max(place(entry)[0], origin.generation if origin else 0)
        messages = [to_bytes(Origin(identity, generation, about))], copied(parts), [to_bytes(Part(END, []))]
        self.stream(stem).make_anew(itertools.chain(*messages))

    def _origin(self, stem: str) -> Origin | None:
        first = self.stream(stem).first()
        try:
            origin = None if first is None else read(first)
        except LogUnreadable:
            return None
        return origin if isinstance(origin, Origin) else None

    def order(self, name: str, stem: str) -> ReplicatedOrder:
        """The order of a room."""
        return ReplicatedOrder(
            name, self.stream(stem), self.home, self._token, self.liveness.is_alive,
            upgrade=self.upgrade, is_alone=lambda: self.servers > 1 and self.liveness.is_alone,
        )  # fmt: skip

    def registry_order(self) -> ReplicatedOrder:
        """The order of the registry."""
        return ReplicatedOrder(
            "registry", self.stream(REGISTRY), self.home, self._token, self.liveness.is_alive,
            to_wire=command_to_wire, from_wire=command_from_wire,
        )  # fmt: skip

    def wait_for_majority(self) -> None:
        """Return when a majority answers, however long that takes."""
        is_told = False
        while True:
            try:
                self.engine.call(self.engine.look(), _FREEZING_SECONDS)
                return
            except (LogUnavailable, TimeoutError) as error:
                if not is_told:
                    log.warning("waiting for the cluster: %s", error)
                is_told = True
                time.sleep(_LOOK_SECONDS)

    @staticmethod
    def listening(engine: Engine, seconds: float) -> list[Peer]:
        """The servers that tell of themselves within *seconds*."""
        nobody = Peer("", "", "", ENTRY_VERSION, {})
        liveness = Liveness(engine, lambda: nobody, is_silent=True)
        time.sleep(seconds)
        return [peer for peer in liveness.peers() if peer != nobody]

    @staticmethod
    def shown(stream: str, space: str) -> str:
        """What a stream is of, for people."""
        name = stream.removeprefix(f"{space}_")
        what = (
            "the register of names"
            if name.startswith(REGISTRY)
            else f"room {bytes.fromhex(name.partition('_')[0][1:]).decode()}"
        )
        return f"{what}, beside" if name.endswith(BESIDE) else what

    @property
    def _token(self) -> str:
        """The label, as a part of a subject."""
        return hashlib.sha256(self.label.encode()).hexdigest()[:16]

    def upgrade(self) -> int:
        """The version of entries that all servers know, where all are there; else 1."""
        peers = self.liveness.peers()
        return min(peer.version for peer in peers) if len(peers) >= self.servers else 1

    def close(self) -> None:
        """Leave. The orders are closed."""
        self.liveness.say_goodbye()
        self.engine.close()


def stream_name(stem: str) -> str:
    """What the stream of the room is called whose files are called *stem*: streams can't have dots or spaces."""
    return stem if stem == REGISTRY else f"R{stem.encode().hex()}"


def connection(servers: list[str], user: str | None = None, password: str | None = None, **more: Any) -> dict[str, Any]:
    """What `Engine` wants to know."""
    return {"servers": servers, **({} if user is None else {"user": user, "password": password}), **more}
