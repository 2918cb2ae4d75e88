"""The limits of a server on what one member, or one address, may make it do: `core.rates` with a clock and a lock.

Messages are limited by refusing them. Everything else costs the server's time: who has used up its share is not read
from for a while.
"""

from __future__ import annotations

import threading
import time

from pyrochat.core.rates import Rate, TokenBuckets
from pyrochat.pyro.connection import Connection
from pyrochat.room.identity import Identity
from pyrochat.values.errors import RateLimited

__all__ = ["Limiter"]

MEMBERS_TIME = Rate(0.05, 0.5)  # seconds of a core, a second; each member's share
STRANGERS_TIME = Rate(0.1, 1.5)  # of all strangers at one address: a thousand joins fit into the burst
LEAST_REST_SECONDS = 0.25  # after a refusal: being refused again and again costs as much as being served
MOST_REST_SECONDS = 1.0


class Limiter:
    """One for all rooms of a server. Any thread may call."""

    def __init__(self, rate: Rate) -> None:
        self._mutex = threading.Lock()
        self._messages = TokenBuckets(rate)
        none = Rate(0, 0)
        self._members_time = TokenBuckets(MEMBERS_TIME if rate.per_second > 0 else none)
        self._strangers_time = TokenBuckets(STRANGERS_TIME if rate.per_second > 0 else none)

    def check(self, member: str, count: int, connection: Connection) -> None:
        """Let *member* send *count* messages; raises RateLimited, and then *connection* is not read from for a while."""
        if self._messages.rate.per_second <= 0:
            return
        now = time.monotonic()
        with self._mutex:
            wait = self._messages.take(member, count, now)
        if wait > 0:
            connection.rest(min(max(wait, LEAST_REST_SECONDS), MOST_REST_SECONDS))
            raise RateLimited.until(wait, self._messages.rate.per_second)

    def charge(self, connection: Connection, seconds: float) -> None:
        """Serving a call of *connection*'s has taken *seconds* of a core."""
        if self._messages.rate.per_second <= 0:
            return
        identity = connection.identity
        now = time.monotonic()
        with self._mutex:
            if isinstance(identity, Identity):
                wait = self._members_time.charge(identity.member, seconds, now)
            else:
                wait = self._strangers_time.charge(connection.peer_address, seconds, now)
        if wait > 0:
            connection.rest(min(wait, MOST_REST_SECONDS))
