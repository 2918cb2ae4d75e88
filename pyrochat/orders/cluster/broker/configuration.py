"""How a broker of ours is set up. Every write is synced before it is acknowledged: without that a power cut on a majority of the
machines loses what was acknowledged (Jepsen, "NATS 2.12.1", 2025)."""

import json
from collections.abc import Sequence
from pathlib import Path

from pyrochat.orders.cluster.broker.nodes import Node
from pyrochat.trust.cluster_secret import ClusterSecret

USER, ROUTE_USER, SYSTEM_USER = "rooms", "routes", "system"  # each has the secret's password for what it is called
MAX_PAYLOAD = 8 * 1024 * 1024  # more than `entries.MAX_BYTES`, by what headers need
_LOG_BYTES = 8 * 1024 * 1024


class Files:
    """Where a broker's files are, all in *folder* (absolute). store: what it keeps. errors: what it says before its log is open."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "jetstream"
        self.configuration = folder / "nats-server.conf"
        self.certificate = folder / "certificate.pem"
        self.key = folder / "key.pem"
        self.authority = folder / "authority.pem"
        self.pid = folder / "nats-server.pid"
        self.log = folder / "nats-server.log"
        self.errors = folder / "nats-server.err"


def configuration(own: Node, all_nodes: Sequence[Node], secret: ClusterSecret, files: Files) -> str:
    """The text of nats-server's configuration for the broker on *own*."""
    tls = f"""tls {{ cert_file: {_said(files.certificate)}, key_file: {_said(files.key)}, ca_file: {_said(files.authority)}, verify: true, timeout: 5 }}"""
    login = f"{ROUTE_USER}:{secret.password('routes')}@"
    routes = ", ".join(_said(f"nats://{login}{node.at(node.port)}") for node in all_nodes if node != own)
    cluster = f"""
cluster {{
  name: pyrochat
  listen: {_said(own.name)}
  authorization {{ user: {ROUTE_USER}, password: {_said(secret.password("routes"))}, timeout: 5 }}
  {tls}
  no_advertise: true
  routes: [{routes}]
}}"""
    return f"""# Written at each start of pyrochat-server.
server_name: {_said(own.name)}
listen: {_said(own.at(own.client_port))}
http: "{own.monitor_host}:{own.monitor_port}"
pid_file: {_said(files.pid)}
log_file: {_said(files.log)}
logfile_size_limit: {_LOG_BYTES}
logfile_max_num: 3
max_payload: {MAX_PAYLOAD}
write_deadline: "10s"
ping_interval: "2s"
ping_max: 2
{tls}
jetstream {{ store_dir: {_said(files.store)}, sync_interval: always }}
accounts {{
  ROOMS {{ jetstream: enabled, users: [{{ user: {USER}, password: {_said(secret.password("rooms"))} }}] }}
  SYSTEM {{ users: [{{ user: {SYSTEM_USER}, password: {_said(secret.password("system"))} }}] }}
}}
system_account: SYSTEM
{cluster if len(all_nodes) > 1 else ""}
"""


def _said(value: object) -> str:
    return json.dumps(str(value), ensure_ascii=False)  # nats-server reads no \\u0041
