"""The limits of a server on what one member, or one peer, may make it do: `core.limits` with a clock and a lock.

Messages are limited by refusing them. Everything else costs the server's time: who has used up its share is not read
from for a while.
"""

import threading

from pyrochat.clock import monotonic
from pyrochat.core.limits import REFUSAL_SECONDS, Limits, Newcomers, Origin
from pyrochat.core.pace import Pace
from pyrochat.core.rates import Rate
from pyrochat.core.space import PEER_BYTES
from pyrochat.pyro.connection import Connection
from pyrochat.room.door.identity import Identity, SiteIdentity
from pyrochat.values.errors import QuotaUsedUp, RateLimited


class Limiter:
    """One for all rooms of a server. Any thread may call. See `core.limits.Limits` for the arguments."""

    def __init__(self, rate: Rate, peer_bytes: int = PEER_BYTES, pace: Pace | None = None) -> None:
        self._pace = pace = pace or Pace()
        self._mutex = threading.Lock()  # guards the next two
        self._limits = Limits(rate, peer_bytes, pace.members_time, pace.peers_time, pace.strangers_time)
        self._newcomers = Newcomers() if self._limits.is_on else Newcomers(most_names=0)

    # -- at the door ----------------------------------------------------------------------------------------

    def take_name(self, peer: str) -> None:
        """A name that nobody has had is about to get a key. Raises QuotaUsedUp where *peer* has made too many new."""
        with self._mutex:
            self._newcomers.take_name(peer, monotonic())

    def give_name_back(self, peer: str) -> None:
        """It got none."""
        with self._mutex:
            self._newcomers.give_name_back(peer)

    def origin_of(self, key: bytes | None, peer: str, seconds_known: float) -> Origin:
        """What the limits hang on of a guest, or of *key*, that comes from *peer*; see `Newcomers`."""
        with self._mutex:
            return self._newcomers.origin_of(key, peer, seconds_known, monotonic())

    # -- inside ---------------------------------------------------------------------------------------------

    def check(self, identity: Identity, count: int, size: int, connection: Connection) -> None:
        """Let *identity* send *count* messages that take *size* bytes.

        Raises RateLimited, QuotaUsedUp, and then *connection* is not read from for a while.
        """
        if not self._limits.is_on:
            return
        assert identity.origin is not None
        try:
            with self._mutex:
                self._limits.take(identity.origin, count, size, monotonic())
        except (RateLimited, QuotaUsedUp) as error:
            wait = error.retry_seconds if isinstance(error, RateLimited) else 0.0
            connection.rest(min(max(wait, self._pace.least_rest_seconds), self._pace.most_rest_seconds))
            self.charge(connection, REFUSAL_SECONDS)
            raise

    def charge(self, connection: Connection, seconds: float) -> None:
        """Serving a call of *connection*'s has taken *seconds* of a core."""
        if not self._limits.is_on:
            return
        identity = connection.identity
        now = monotonic()
        if isinstance(identity, Identity | SiteIdentity) and identity.origin is not None:
            with self._mutex:
                wait = self._limits.charge(identity.origin, seconds, now)
        else:
            with self._mutex:
                wait = self._limits.charge_stranger(connection.peer, seconds, now)
        if wait > 0:
            connection.rest(min(wait, self._pace.most_rest_seconds))
