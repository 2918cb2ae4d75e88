"""Asks the brokers how they are. Each is asked for itself, so that a cluster without a majority, or in two parts, is seen too."""

import asyncio
import contextlib
import json
import os
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple

import nats
from nats.aio.client import Client

from pyrochat.orders.cluster.broker.configuration import SYSTEM_USER
from pyrochat.orders.cluster.broker.connecting import connect_once, options
from pyrochat.orders.cluster.broker.nodes import Node
from pyrochat.orders.cluster.broker.status import BrokerStatus, ClusterStatus, Copy, StreamStatus
from pyrochat.trust.cluster_secret import ClusterSecret
from pyrochat.values.visible import one_line

CONNECT_SECONDS = 1.0
ANSWER_SECONDS = 1.0
_MOST_STREAMS = 10_000
_NAMELESS = "Server name unknown"  # what brokers call one that they have not seen since they were started
NOT_LISTED = "a machine that is gone, and not in the list"
_SILENT_NANOSECONDS = 5_000_000_000  # brokers tell each other of themselves once a second


class Way(NamedTuple):
    """A way to one broker. name: what it is called in its cluster; where that is not known, its address. options: of
    `nats.connect`. is_system: whether they are those of the account that may ask how it is."""

    name: str
    options: dict[str, Any]
    is_system: bool


def ways_to(all_nodes: Sequence[Node], secret: ClusterSecret) -> list[Way]:
    """The ways to brokers of ours."""
    return [Way(node.name, options([node], node, secret, SYSTEM_USER), True) for node in all_nodes]


def ways_by(given: Mapping[str, Any]) -> list[Way]:
    """The ways to brokers that others start. given: options of `nats.connect`, with several servers."""
    return [Way(url.partition("://")[2], {**given, "servers": [url]}, False) for url in given["servers"]]


def look(ways: Sequence[Way], space: str) -> ClusterStatus:
    """How the brokers are, and the streams whose names begin with *space*. Takes 3 s at the most."""
    return asyncio.run(_look(ways, space))


class _Answer(NamedTuple):
    """What one broker has said."""

    broker: BrokerStatus
    streams: tuple[dict[str, Any], ...] = ()


async def _look(ways: Sequence[Way], space: str) -> ClusterStatus:
    answers = await asyncio.gather(*(_ask(way, space) for way in ways))
    brokers = tuple(answer.broker for answer in answers)
    answering = {broker.name for broker in brokers if broker.version is not None}
    found: dict[str, StreamStatus] = {}
    for answer in answers:
        for said in answer.streams:
            status = stream_status(said, answer.broker.name, answering)
            known = found.get(status.name)
            if known is None or _trust(status) > _trust(known):
                found[status.name] = status
    return ClusterStatus(brokers, tuple(found[name] for name in sorted(found) if name.startswith(f"{space}_")))


def _trust(status: StreamStatus) -> tuple[bool, int]:
    """What a leader says counts; of two that believe that they lead, the one whom more follow."""
    return status.leader is not None, status.spare


def stream_status(said: Mapping[str, Any], by: str, answering: set[str]) -> StreamStatus:
    """What the broker *by* says of a stream. Only its leader knows which copies are current: what another says of them is not
    looked at. answering: the brokers that answer."""
    if "state" not in said:
        return StreamStatus(said["name"], None, None, ())
    cluster = said.get("cluster") or {}
    others = cluster.get("replicas") or []
    leader = str(cluster.get("leader") or "") if others else by  # what is kept once has nobody to lead
    if "config" in said and cluster.get("leader"):
        by = leader  # asked through any broker, the leader answers
    copies = {str(each["name"]): _copy(each, answering, by == leader) for each in others}
    copies[by] = Copy(by, by in answering)  # the others are those beside who says it
    is_led = by == leader and 2 * sum(copy.is_current for copy in copies.values()) > len(copies)
    kept = tuple(copies[each] for each in sorted(copies))
    name = str(said.get("name") or said["config"]["name"])
    return StreamStatus(name, int(said["state"]["messages"]), leader if is_led else None, kept)


def _copy(said: Mapping[str, Any], answering: set[str], by_leader: bool) -> Copy:
    is_there = said["name"] in answering
    name = said["name"] if not said["name"].startswith(_NAMELESS) else NOT_LISTED
    return Copy(name, is_there and (not by_leader or _is_current(said)), int(said.get("lag", 0)))


def _is_current(said: Mapping[str, Any]) -> bool:
    is_heard = int(said.get("active", 0)) < _SILENT_NANOSECONDS
    return bool(said.get("current")) and not said.get("offline") and is_heard


async def _ask(way: Way, space: str) -> _Answer:
    troubles: list[Exception] = []
    try:
        async with asyncio.timeout(CONNECT_SECONDS + ANSWER_SECONDS), _connected(way.options, troubles) as client:
            return await (_ask_system(client, way) if way.is_system else _ask_account(client, way, space))
    except Exception as error:  # of nats-py, OSError, ssl: all of them say why
        troubles.insert(0, error)
    said = next((error for error in troubles if not isinstance(error, TimeoutError)), None)
    if said is None:
        return _Answer(BrokerStatus(way.name, trouble="it does not answer"))
    return _Answer(BrokerStatus(way.name, trouble=one_line(_reason(said), 200)))


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.errno:
        return os.strerror(error.errno).lower()
    return str(error).removeprefix("nats: ") or type(error).__name__


async def _ask_system(client: Client, way: Way) -> _Answer:
    asked = json.dumps({"server_name": way.name, "accounts": True, "streams": True, "limit": _MOST_STREAMS})
    answer = json.loads((await client.request("$SYS.REQ.SERVER.PING.JSZ", asked.encode(), ANSWER_SECONDS)).data)
    said = answer.get("data") or {}
    group = said.get("meta_cluster") or {}
    others = group.get("replicas") or []
    heard = sum(_is_current(each) for each in others) + 1
    leads = group.get("leader", way.name) == way.name and 2 * heard > len(others) + 1
    streams = [each for account in said.get("account_details") or () for each in account.get("stream_detail") or ()]
    syncs = bool((said.get("config") or {}).get("sync_always"))
    return _Answer(BrokerStatus(way.name, answer["server"]["ver"], leads, syncs), tuple(streams))


async def _ask_account(client: Client, way: Way, space: str) -> _Answer:
    """Without the system account nobody says who leads all brokers, or how each of them is."""
    info = client._server_info  # nats-py has no other place for the server's name
    broker = BrokerStatus(info.get("server_name") or way.name, str(info.get("version", "?")))
    names: list[str] = []
    with contextlib.suppress(nats.errors.Error):  # without a majority nobody answers
        while len(names) < _MOST_STREAMS:
            asked = json.dumps({"offset": len(names)}).encode()
            answer = json.loads((await client.request("$JS.API.STREAM.NAMES", asked, ANSWER_SECONDS / 2)).data)
            names += (found := answer.get("streams") or [])
            if not found or len(names) >= int(answer.get("total", 0)):
                break
    streams = await asyncio.gather(*(_info(client, name) for name in names if name.startswith(f"{space}_")))
    return _Answer(broker, tuple(streams))


async def _info(client: Client, name: str) -> dict[str, Any]:
    """What the stream's leader says; the name alone where nobody leads it."""
    with contextlib.suppress(nats.errors.Error):
        found = json.loads((await client.request(f"$JS.API.STREAM.INFO.{name}", b"", ANSWER_SECONDS / 2)).data)
        if "state" in found:
            return dict(found)
    return {"name": name}


@contextlib.asynccontextmanager
async def _connected(options: Mapping[str, Any], troubles: list[Exception]) -> AsyncIterator[Client]:
    """A connection. troubles: takes what goes wrong on the way to it: nats-py tries again."""
    client = await connect_once(options, CONNECT_SECONDS, troubles)
    try:
        yield client
    finally:
        await client.close()
