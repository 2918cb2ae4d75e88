"""The times and the bounds of a server that no operator sets: what is made of them, they are made with."""

from collections.abc import Callable
from dataclasses import dataclass

from pyrochat.core.cursors import marks_interval_seconds
from pyrochat.core.limits import MEMBERS_TIME, PEERS_TIME, STRANGERS_TIME
from pyrochat.core.rates import Rate


@dataclass(frozen=True, slots=True)
class Pace:
    """frame_seconds: a connection that stops in the middle of a frame, doesn't read its answer, or doesn't say who it
    is, is closed after so long without progress. linger_seconds: so long a worker stays with a connection after a call.
    spare_worker_seconds: a worker that has had nothing to do for so long ends. most_workers: for the trusted.

    tick_seconds: how often the multicast looks at the clock. marks_interval: so long marks are gathered, by the number
    of members.
    least_rest_seconds: who is refused for its rate is not read from for so long, because being refused again and again
    costs as much as being served; most_rest_seconds: nobody rests for longer at once. members_time, peers_time,
    strangers_time: see `core.limits`.
    index_rest_seconds: of the search index at the log's end, unless somebody searches: what comes meanwhile is one batch;
    index_retry_seconds: after a failure.
    idle_seconds: a room that nobody uses for so long is closed, until somebody does. patience_seconds: until a room that
    others create is open: a name server may be slow.
    alone_seconds: for so long a server of a cluster that hears no other one any more lets nobody
    come back to it, unless it has a majority: the others may have one.
    """

    frame_seconds: float = 10.0
    linger_seconds: float = 0.25
    spare_worker_seconds: float = 10.0
    most_workers: int = 512
    tick_seconds: float = 0.25
    marks_interval: Callable[[int], float] = marks_interval_seconds
    least_rest_seconds: float = 0.25
    most_rest_seconds: float = 1.0
    members_time: Rate = MEMBERS_TIME
    peers_time: Rate = PEERS_TIME
    strangers_time: Rate = STRANGERS_TIME
    index_rest_seconds: float = 1.0
    index_retry_seconds: float = 5.0
    idle_seconds: float = 60.0
    alone_seconds: float = 12.0
    patience_seconds: float = 5.0
