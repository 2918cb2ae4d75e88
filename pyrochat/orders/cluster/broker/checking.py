"""Whether brokers that others start do what a cluster needs: what is missing is refused before a room is opened there, what
can't be seen is a warning."""

import asyncio
import contextlib
import http.client
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import nats
from nats.aio.client import Client
from nats.js.api import StorageType, StreamConfig
from nats.js.errors import APIError

from pyrochat.orders.cluster.broker.configuration import MAX_PAYLOAD
from pyrochat.orders.cluster.broker.connecting import CertificateWanted, connect_once
from pyrochat.values.errors import CannotHost

FIRST_VERSION = (2, 11)
CHECK_SECONDS = 8.0
_CONNECT_SECONDS = 2.0
_ANSWER_SECONDS = 2.0
MONITOR_PORT = 8222
_MONITOR_SECONDS = 1.0
_MOST_BYTES = 1024 * 1024
_NO_PEERS, _NOT_CLUSTERED, _NO_ACCOUNT, _NOT_IN_ACCOUNT = 10005, 10074, 10035, 10039
_NOT_NOW = (408, 500, 503)


class Findings(NamedTuple):
    """What was found; sentences that say what to change. refusals: it can't work, or loses what it has acknowledged."""

    refusals: list[str]
    warnings: list[str]


def checked(
    options: Mapping[str, Any], replicas: int, space: str, seconds: float = CHECK_SECONDS, monitor_port: int = MONITOR_PORT
) -> list[str]:  # fmt: skip
    """Check brokers on a connection of its own; returns warnings. Raises CannotHost with all that has to be changed.

    options: of `nats.connect`. monitor_port: where they say how they are, if they do. A cluster that can't be reached at the
    moment is a warning: it may be starting too.
    """
    findings = asyncio.run(_check(options, replicas, space, seconds, monitor_port))
    if findings.refusals:
        raise CannotHost("the brokers can't be used: " + "; ".join(findings.refusals))
    return findings.warnings


async def _check(options: Mapping[str, Any], replicas: int, space: str, seconds: float, monitor_port: int) -> Findings:
    troubles: list[Exception] = []
    synced = asyncio.create_task(_check_sync(options["servers"], monitor_port))
    try:
        async with asyncio.timeout(seconds):
            client = await connect_once(options, _CONNECT_SECONDS, troubles)
            try:
                found = await check(client, replicas, space)
            finally:
                await client.close()
    except Exception as error:  # of nats-py, OSError, ssl
        found = _not_reached([error, *troubles])
    forbidden = [
        str(error).removeprefix("nats: ") for error in troubles if "permissions violation" in str(error).lower()
    ]
    if forbidden:
        found.refusals.append(
            f"these credentials are not allowed what is needed ({forbidden[0]}): allow them all subjects"
        )
    more = await synced
    return Findings(found.refusals + more.refusals, found.warnings + more.warnings)


def _not_reached(errors: Sequence[Exception]) -> Findings:
    if any(isinstance(error, CertificateWanted) for error in errors):
        return Findings(
            [
                "they want a certificate of each room server, and there is no option for one: let them ask for credentials "
                "alone, verify: false in their tls {…}"
            ],
            [],
        )
    said = [str(error).lower() for error in errors]
    if any("authorization" in each for each in said):
        return Findings(["they refuse the credentials: see the file that cluster_credentials= names"], [])
    if any("certificate" in each or "tls" in each for each in said):
        reason = next(
            str(error) for error in errors if "certificate" in str(error).lower() or "tls" in str(error).lower()
        )
        return Findings(
            [f"no secure connection ({reason}): their certificates have to be ones that this machine trusts"], []
        )
    return Findings([], ["none of the brokers could be asked whether they are set up well: they don't answer"])


async def check(client: Client, replicas: int, space: str) -> Findings:
    """Check the brokers on the other end of *client*, for streams that are kept *replicas* times and begin with *space*."""
    refusals: list[str] = []
    warnings: list[str] = []
    version = client.connected_server_version
    if (version.major, version.minor) < FIRST_VERSION:
        first = ".".join(map(str, FIRST_VERSION))
        refusals.append(f"nats-server {version.major}.{version.minor} is too old: upgrade it to {first} or later")
    if client.max_payload < MAX_PAYLOAD:
        refusals.append(
            f"they take messages of {client.max_payload:,} bytes: set max_payload: 8MB in their configuration"
        )
    try:
        await _try_stream(client, replicas, space)
    except nats.errors.NoRespondersError:
        refusals.append("JetStream is off: enable it, jetstream {…}, and for the account of these credentials")
    except APIError as error:
        refused = _refused(error, replicas)
        (refusals if refused else warnings).append(refused or _UNANSWERED)
    except (TimeoutError, nats.errors.TimeoutError):
        warnings.append(_UNANSWERED)
    return Findings(refusals, warnings)


_UNANSWERED = "whether they can keep what is said is unknown: no majority of the brokers answers"


def _refused(error: APIError, replicas: int) -> str | None:
    """Why a stream can't be kept; None where it may work later."""
    if error.err_code in (_NO_ACCOUNT, _NOT_IN_ACCOUNT):
        return "JetStream is not enabled for the account of these credentials: enable it there"
    if error.err_code in (_NO_PEERS, _NOT_CLUSTERED):
        how = "they are no cluster" if error.err_code == _NOT_CLUSTERED else str(error.description)
        return f"they can't keep {replicas} copies ({how}): start more of them with JetStream, or say cluster_replicas="
    if error.code in _NOT_NOW:
        return None
    return f"they can't keep a stream: {error.description}"


async def _try_stream(client: Client, replicas: int, space: str) -> None:
    """Make such a stream as rooms have, write to it and take it away again: whoever may do that may do what is needed."""
    jetstream = client.jetstream(timeout=_ANSWER_SECONDS)
    name, subject = f"{space}_CHECK", f"{space}.check"
    try:
        await jetstream.add_stream(
            StreamConfig(name=name, subjects=[subject], num_replicas=replicas, storage=StorageType.FILE, max_msgs=1)
        )
    except nats.js.errors.ServiceUnavailableError as error:
        if error.err_code is None:
            raise nats.errors.NoRespondersError from None
        raise
    with contextlib.suppress(APIError, nats.errors.Error):  # another server tries the same, and was quicker
        await jetstream.delete_stream(name)


async def _check_sync(servers: Sequence[str], port: int) -> Findings:
    """Whether each write is on disk before it is acknowledged, by what the brokers' monitoring says where it can be read."""
    hosts = sorted({urlsplit(server).hostname or "" for server in servers})
    found = await asyncio.gather(*(asyncio.to_thread(_syncs, host, port) for host in hosts))
    lax = [host for host, syncs in zip(hosts, found, strict=True) if syncs is False]
    unknown = [host for host, syncs in zip(hosts, found, strict=True) if syncs is None]
    refusals = [
        f"a power cut makes {', '.join(lax)} lose what it has acknowledged: set jetstream {{ sync_interval: always }}"
    ]
    warnings = [
        f"whether {', '.join(unknown)} would lose in a power cut what it has acknowledged can't be seen "
        f"(its monitoring, port {port}): see that jetstream {{ sync_interval: always }} is set"
    ]
    return Findings(refusals if lax else [], warnings if unknown else [])


def _syncs(host: str, port: int) -> bool | None:
    connection = http.client.HTTPConnection(host, port, timeout=_MONITOR_SECONDS)
    try:
        connection.request("GET", "/jsz")
        config = json.loads(connection.getresponse().read(_MOST_BYTES))["config"]
        return config.get("sync_always") is True if isinstance(config, dict) else None
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()
