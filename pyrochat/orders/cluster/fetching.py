"""Getting a stream's messages from any machine that has them: it takes no leader, so it works while another one is elected."""

import asyncio
import contextlib
import json
import time
from calendar import timegm
from collections.abc import Mapping
from typing import NamedTuple

from nats.aio.msg import Msg

from pyrochat.orders.cluster.engine import Engine

_SECONDS = 0.5  # that a machine has to answer
_AT_ONCE = 256  # messages


class Fetched(NamedTuple):
    """A message of a stream. time_us: when it was stored, microseconds since 1970."""

    sequence: int
    time_us: int
    subject: str
    data: bytes


async def fetch(engine: Engine, stream: str, subject: str, after: int, most: int = _AT_ONCE) -> list[Fetched]:
    """At most *most* messages of *stream* after the message *after*, as far as they come. Raises LogUnavailable where there is no
    connection."""
    return await _fetch(engine, stream, {"seq": after + 1, "next_by_subj": subject, "batch": most}, most)


async def fetch_latest(engine: Engine, stream: str, subjects: str) -> list[Fetched]:
    """The last message under each of *subjects* (with a wildcard), the oldest first, as far as they come. Raises LogUnavailable
    where there is no connection."""
    return await _fetch(engine, stream, {"multi_last": [subjects]}, None)


async def _fetch(engine: Engine, stream: str, wanted: Mapping[str, object], most: int | None) -> list[Fetched]:
    client = engine.client()
    found: list[Fetched] = []
    ended = asyncio.Event()

    async def take(message: Msg) -> None:
        headers = message.headers or {}
        if "Nats-Sequence" not in headers:  # there are no more, or nobody is there
            ended.set()
            return
        place = int(headers["Nats-Sequence"]), _time_us(headers["Nats-Time-Stamp"])
        found.append(Fetched(*place, headers["Nats-Subject"], message.data))
        if len(found) == most:
            ended.set()

    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox, cb=take)
    try:
        await client.publish(f"$JS.API.DIRECT.GET.{stream}", json.dumps(wanted).encode(), reply=inbox)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SECONDS):
                await ended.wait()
    finally:
        await subscription.unsubscribe()
    return found


def _time_us(stamp: str) -> int:
    """``2026-01-01T00:00:00.123456789Z``, in which zeros at the end may be missing, in microseconds since 1970."""
    seconds, _, fraction = stamp.rstrip("Z").partition(".")
    return timegm(time.strptime(seconds, "%Y-%m-%dT%H:%M:%S")) * 1_000_000 + int((fraction + "000000")[:6])
