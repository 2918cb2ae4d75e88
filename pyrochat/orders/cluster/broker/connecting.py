"""How brokers are reached: what `nats.connect` wants to know of those that we start, and a connection to look at any of them."""

import contextlib
import ssl
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nats.aio.client import Client

from pyrochat.orders.cluster.broker.configuration import USER
from pyrochat.orders.cluster.broker.nodes import Node
from pyrochat.trust.cluster_secret import ClusterSecret, Identified
from pyrochat.trust.files import write_private


class CertificateWanted(ConnectionError):
    """Raised when a broker wants a certificate of whoever connects, and does not trust ours, or is shown none. It hangs up, and
    what we get to read of that depends on who was quicker: an alert of TLS, a reset, a broken pipe."""

    def __str__(self) -> str:
        return "it lets in only who has a certificate that it trusts"


def options(all_nodes: Sequence[Node], own: Node | None, secret: ClusterSecret, user: str = USER) -> dict[str, Any]:
    """How a room server on *own* connects to brokers of ours: to its own first."""
    ordered = sorted(all_nodes, key=lambda node: node != own)
    context = ssl.create_default_context(cadata=secret.authority.decode())
    with _as_files(secret.issued("room server", [])) as (certificate, key):
        context.load_cert_chain(certificate, key)
    servers = [f"tls://{node.at(node.client_port)}" for node in ordered]
    return {"servers": servers, "user": user, "password": secret.password(user), "tls": context}


@contextlib.contextmanager
def _as_files(identified: Identified) -> Iterator[tuple[Path, Path]]:
    """Where Python reads a certificate and its key from: files, for a moment."""
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Path(folder) / "certificate.pem", Path(folder) / "key.pem"
        write_private(certificate, identified.certificate)
        write_private(key, identified.key)
        yield certificate, key


async def connect_once(given: Mapping[str, Any], seconds: float, troubles: list[Exception]) -> Client:
    """A connection to one of the servers, which is not made again when it is lost. given: of `nats.connect`. troubles: takes what
    goes wrong with it. Raises CertificateWanted, and what nats-py, ssl and the system raise."""

    async def note(error: Exception) -> None:
        troubles.append(error)

    client = Client()
    more = {**given, "connect_timeout": seconds}
    try:
        await client.connect(**more, allow_reconnect=False, max_reconnect_attempts=2, error_cb=note)
        if not client.is_connected:  # nats-py takes the end of what it reads for an answer
            raise ConnectionResetError("it hangs up")
    except ssl.SSLCertVerificationError:  # we do not trust it
        raise
    except (ssl.SSLError, ConnectionError) as error:
        if client._server_info.get("tls_verify"):  # nats-py has no other place for what it was greeted with
            raise CertificateWanted from error
        raise
    return client
