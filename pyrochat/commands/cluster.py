"""What the options of a cluster make of a server: its broker, its place in the cluster, and what it shows to clients."""

import contextlib
import logging
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from pyrochat.commands.shell import DONE
from pyrochat.pyro.tls import ServerTls
from pyrochat.room.rebuilding import take_in, take_out
from pyrochat.terminal.streams import write_status
from pyrochat.trust.cluster_secret import ClusterSecret
from pyrochat.trust.files import read_private, write_private
from pyrochat.trust.keys import Key
from pyrochat.values.errors import CannotHost, InvalidArgument

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from pyrochat.orders.cluster.broker.nodes import Node
    from pyrochat.orders.cluster.cluster import Cluster

ClusterOption = Annotated[
    str | None,
    typer.Option(
        metavar="A,B,C",
        help="Host the rooms on several machines: their names, or brokers that are there (nats://A:4222,…).",
    ),
]
SecretOption = Annotated[
    Path | None,
    typer.Option("--cluster-secret-file", help="The file with the cluster's secret, the same on all machines."),
]
CredentialsOption = Annotated[
    Path | None,
    typer.Option("--cluster-credentials", help="With nats://: a file with USER:PASSWORD, or a .creds file of NATS."),
]
ReplicasOption = Annotated[
    int | None,
    typer.Option(
        "--cluster-replicas", min=1, max=5, help="So many machines keep what is said; default: 3 of three or more."
    ),
]
StatusOption = Annotated[bool, typer.Option("--cluster-status", help="Say how the cluster is, instead of hosting.")]
ImportOption = Annotated[
    bool,
    typer.Option(
        "--import",
        help="Take the data folder's logs into the cluster; without --cluster, out of it, instead of hosting.",
    ),
]
_NATS_CREDENTIALS = b"-----BEGIN NATS USER JWT-----"


class ClusterOptions(NamedTuple):
    """What an operator says of a cluster. cluster: as it was typed. advertise: by which host others reach this machine."""

    cluster: str
    secret_file: Path | None
    credentials: Path | None
    replicas: int | None
    advertise: str | None


class Place(NamedTuple):
    """A server's place in a cluster. ends: what ends with it. tls: what all its servers show, where they show something."""

    cluster: "Cluster"
    key: Key
    tls: ServerTls
    ends: contextlib.ExitStack


class Way(NamedTuple):
    """How the brokers are reached. servers: so many there are. own, all_nodes: None and none where others start them.
    label: this server's."""

    options: dict[str, Any]
    space: str
    replicas: int
    servers: int
    label: str
    secret: ClusterSecret
    own: "Node | None"
    all_nodes: "list[Node]"


def way_to(said: ClusterOptions, data: Path, port: int) -> Way:
    """What *said* means on this machine. Raises InvalidArgument, CannotHost."""
    try:
        import nats  # noqa: F401 - whether the extra is there
    except ImportError:
        raise CannotHost("a cluster needs more packages: pip install 'pyrochat[cluster]'") from None
    from pyrochat.orders.cluster.broker.connecting import options
    from pyrochat.orders.cluster.broker.nodes import is_there_already, nodes, oneself, urls

    if is_there_already(said.cluster):
        servers = urls(said.cluster)
        if port == 0:
            raise InvalidArgument("a server of a cluster keeps its port: give --port")
        label = f"{said.advertise or socket.gethostname()}:{port}"
        secret, count = _secret(said, data), len(servers)
        found: dict[str, Any] = {"servers": servers, **_credentials(said.credentials)}
        return Way(found, secret.space, said.replicas or (3 if count >= 3 else 1), count, label, secret, None, [])
    if said.credentials is not None:
        raise InvalidArgument("--cluster-credentials is for brokers that are there (--cluster nats://…)")
    all_nodes = nodes(said.cluster)
    own, secret, count = oneself(all_nodes, said.advertise), _secret(said, data), len(all_nodes)
    label = own.host if sum(node.host == own.host for node in all_nodes) == 1 else own.name
    way = options(all_nodes, own, secret)
    return Way(way, secret.space, said.replicas or (3 if count >= 3 else 1), count, label, secret, own, all_nodes)


def join_cluster(said: ClusterOptions, data: Path, port: int) -> Place:
    """Start this machine's broker, where it is ours to start, and take the server's place. Raises InvalidArgument, CannotHost."""
    way = way_to(said, data, port)
    from pyrochat.orders.cluster.broker.checking import checked
    from pyrochat.orders.cluster.broker.child import BrokerChild
    from pyrochat.orders.cluster.cluster import Cluster
    from pyrochat.orders.cluster.engine import Engine

    with contextlib.ExitStack() as undo:
        if way.own is not None:
            child = BrokerChild(way.own, way.all_nodes, way.secret, data / "broker")
            undo.callback(child.close)
        else:
            for warning in checked(way.options, way.replicas, way.space):
                log.warning("%s", warning)
        cluster = Cluster(Engine(way.options, way.space, way.replicas), way.label, way.servers)
        undo.callback(cluster.close)
        shown = data / "cluster-tls.pem"
        identified = way.secret.shown
        write_private(shown, identified.key + identified.certificate)
        return Place(cluster, way.secret.server_key, ServerTls(shown, shown), undo.pop_all())


def _secret(said: ClusterOptions, data: Path) -> ClusterSecret:
    path = said.secret_file or data / "cluster-secret"
    is_new = not path.exists()
    secret = ClusterSecret.kept_at(path)
    if is_new:
        write_status(
            f"a secret for the cluster was made: copy {path} to the other machines, and name it there with "
            "--cluster-secret-file; whoever has it is one of them"
        )
    return secret


def _credentials(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    content = read_private(path)
    if content.startswith(_NATS_CREDENTIALS):
        return {"user_credentials": str(path)}
    user, colon, password = content.decode("utf-8", "replace").strip().partition(":")
    if not colon:
        raise InvalidArgument(f"{path} has to hold USER:PASSWORD, or what nsc generate creds writes")
    return {"user": user, "password": password}


def import_logs(cluster: "Cluster", data: Path, rooms: Sequence[str]) -> None:
    """Take the logs in *data* into *cluster*, and say so. Raises CannotHost, LogUnavailable."""
    cluster.wait_for_majority()
    for line in take_in(cluster, data, rooms):
        write_status(line)


def make_own(data: Path) -> int:
    """Take the logs in *data* out of their cluster; prints a line for each. Returns the exit code."""
    lines = take_out(data)
    print("\n".join(lines) or f"nothing in {data} is a cluster's")
    return DONE
