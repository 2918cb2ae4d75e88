"""``pyrochat-server --cluster-status``: which machines are there, who leads, who lags, what can still fail."""

import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pyrochat.commands.cluster import ClusterOptions, Way, way_to
from pyrochat.commands.shell import DONE, FAILED
from pyrochat.commands.tables import WIDTH

if TYPE_CHECKING:
    from pyrochat.orders.cluster.broker.status import BrokerStatus, ClusterStatus, StreamStatus
    from pyrochat.orders.cluster.liveness import Peer

_LISTENING_SECONDS = 1.2


def show_cluster(said: ClusterOptions, data: Path, port: int) -> int:
    """Print how the cluster is. Returns the exit code: 1 where it has no majority."""
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    way = way_to(said, data, port)
    found, peers = _look(way)
    if not any(broker.version for broker in found.brokers):
        print("no broker of the cluster can be reached from here")
    console = Console(width=WIDTH)
    console.print(machines_table(found.brokers, peers))
    if found.streams:
        console.print(streams_table(found.streams))
    print("\n".join(found.outlook))
    return DONE if found.spare >= 0 else FAILED


def _look(way: Way) -> "tuple[ClusterStatus, list[Peer]]":
    """How the brokers are, and which room servers tell of themselves."""
    from pyrochat.orders.cluster.broker.looking import look, ways_by, ways_to
    from pyrochat.orders.cluster.cluster import Cluster
    from pyrochat.orders.cluster.engine import Engine

    found = look(ways_to(way.all_nodes, way.secret) if way.all_nodes else ways_by(way.options), way.space)
    with contextlib.closing(Engine(way.options, way.space, way.replicas)) as engine:
        is_there = any(broker.version for broker in found.brokers)
        peers = Cluster.listening(engine, _LISTENING_SECONDS) if is_there else []
    named = tuple(stream._replace(name=Cluster.shown(stream.name, way.space)) for stream in found.streams)
    return found._replace(streams=named), peers


def machines_table(brokers: "tuple[BrokerStatus, ...]", peers: "list[Peer]") -> Table:
    """The brokers, each with the room server beside it; then the room servers that have none of these beside them."""
    table = _table("machine", "broker", "", "room server", "clients at")
    beside = {broker.name: peer for broker in brokers for peer in peers if _is_of(peer, broker.name)}
    for broker in brokers:
        peer = beside.get(broker.name)
        broker_text = broker.version or f"not there: {broker.trouble}"
        table.add_row(
            Text(broker.name), Text(broker_text), "leads" if broker.leads else "", "there" if peer else "not seen",
            peer.at if peer else "",
        )  # fmt: skip
    for peer in peers:
        if peer not in beside.values():
            table.add_row(Text(peer.label), "", "", "there", peer.at)
    return table


def _is_of(peer: "Peer", broker: str) -> bool:
    return peer.label in (broker, broker.rpartition(":")[0].strip("[]"))


def streams_table(streams: "tuple[StreamStatus, ...]") -> Table:
    """What the cluster keeps, and which of its copies lag."""
    table = _table("stream", "messages", "leader", "copies", "behind")
    for stream in streams:
        behind = [
            f"{copy.broker}{f' by {copy.lag:,}' if copy.lag else ''}" for copy in stream.copies if not copy.is_current
        ]
        table.add_row(
            Text(stream.name), "?" if stream.messages is None else f"{stream.messages:,}", stream.leader or "nobody",
            str(len(stream.copies)), ", ".join(behind) or "nobody",
        )  # fmt: skip
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    return table
