"""The limiter: what a refusal costs, and that a new connection does not get around it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator

import pytest

from pyrochat.core.limits import REFUSAL_SECONDS, Origin
from pyrochat.core.pace import Pace
from pyrochat.core.rates import Rate
from pyrochat.pyro.connection import Connection
from pyrochat.room.door.identity import Identity
from pyrochat.room.door.limiter import Limiter
from pyrochat.values.errors import PyroChatError, QuotaUsedUp, RateLimited

Connect = Callable[[Identity], Connection]
PACE = Pace(peers_time=Rate(0.000_1, 3 * REFUSAL_SECONDS))


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes connections of somebody who is in; all closed at the end."""
    with contextlib.ExitStack() as sockets:

        def make(identity: Identity) -> Connection:
            with socket.create_server(("127.0.0.1", 0)) as listening:
                sockets.enter_context(socket.create_connection(listening.getsockname()))
                accepted, _ = listening.accept()
            connection = Connection(sockets.enter_context(accepted), 1024)
            connection.identity = identity
            return connection

        yield make


def guest(name: str) -> Identity:
    return Identity(name, name, origin=Origin(None, "127.0.0.1"))


@pytest.mark.parametrize(
    ("limiter", "error"),
    [
        (Limiter(Rate(0.001, 1), pace=PACE), RateLimited),
        (Limiter(Rate(1000, 1000), peer_bytes=100, pace=PACE), QuotaUsedUp),
    ],
)
def test_found_2_who_comes_again_after_each_refusal_is_soon_not_read_from(
    connect: Connect, limiter: Limiter, error: type[PyroChatError]
) -> None:
    """Being refused takes little of the server's time, and counts for more: or it would be asked for on and on."""
    limiter.check(guest("first"), 1, 100, connect(guest("first")))
    newcomer = connect(guest("newcomer"))
    limiter.charge(newcomer, 0.0)
    assert not newcomer.is_resting
    for number in range(4):
        identity = guest(f"name{number}")
        refused = connect(identity)
        with pytest.raises(error):
            limiter.check(identity, 1, 100, refused)
        assert refused.is_resting
    limiter.charge(newcomer, 0.0)
    assert newcomer.is_resting


def test_a_shorter_rest_ends_no_longer_one(connect: Connect) -> None:
    connection = connect(guest("first"))
    connection.rest(3600.0)
    until = connection.rests_until
    connection.rest(0.01)
    assert connection.rests_until == until
