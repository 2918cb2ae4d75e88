"""What client and server agree on beforehand: version, object names, times, bounds.

A change here that an older peer would not understand needs a new `PROTOCOL_VERSION`: then both refuse
each other with one clear line.
"""

from dataclasses import dataclass

from pyrochat.values.errors import InvalidArgument
from pyrochat.values.rules import MAX_SECONDS, checked_number

PROTOCOL_VERSION = 2
DEFAULT_PORT = 5679
DEFAULT_ROOM = "lobby"
SERVER_OBJECT = "pyrochat.server"
CALLBACK_OBJECT = "pyrochat.callback"  # one id for all clients, so that one request's bytes fit all
TAKES_ONEWAY = "oneway"  # what a callback that has a `deliver_oneway` answers to `welcome`
PENDING = "pending"  # what it answers, too, where it has a `pending`; and that method
HELD_UP = "held_up"  # the same
TAKES = f"{TAKES_ONEWAY} {PENDING} {HELD_UP}"  # all that there is
MAX_ANSWER_BYTES = 1024 * 1024  # of messages or names in one answer, as they are on the wire; at least one is given
MAX_CONFIRMED = 1000  # names in each part of an answer to confirmations()
MAX_HISTORY = 1000  # messages in one answer to history()
MAX_FOUND = 50  # messages in one answer to search()


def room_object(room: str) -> str:
    """The Pyro object id of a room, by its name, or its id if it is a closed one; of others the name in the name server too."""
    return f"pyrochat.{room}"


def site_object(room: str) -> str:
    """The Pyro object id of what a site of *room* answers to the other sites; no room's name can have an ``@``."""
    return f"{room_object(room)}@"


@dataclass(frozen=True, slots=True)
class Timing:
    """The failure detector's times, in seconds.

    beat_seconds: a session to which nothing was sent for so long gets an empty delivery.
    silent_seconds: a delivery that is not answered for so long makes the session lost; a client that
        hears nothing for so long takes its connection for dead.
    grace_seconds: a member all of whose sessions are lost stays in the view for so long (suspected)
        and may come back without a leave and a join.
    progress_seconds: a client that lacks messages, and gets nothing of them for so long, gives up: `join` with an
        error, a chat that had come back by coming back anew.
    """

    beat_seconds: float = 2.0
    silent_seconds: float = 6.0
    grace_seconds: float = 5.0
    progress_seconds: float = 20.0

    def __post_init__(self) -> None:
        for name in ("beat_seconds", "silent_seconds", "grace_seconds", "progress_seconds"):
            checked_number(getattr(self, name), name, most=MAX_SECONDS)
        if not 0 < self.beat_seconds < self.silent_seconds:
            raise InvalidArgument("the beat has to be shorter than the silence that makes a session lost")
        if self.progress_seconds <= 0:
            raise InvalidArgument("the time that progress may take has to be positive")


def checked_timing(value: object) -> Timing:
    """A Timing, the usual one for None; raises InvalidArgument."""
    if value is not None and not isinstance(value, Timing):
        raise InvalidArgument(f"timing has to be a Timing, not {value!r:.40}")
    return value or Timing()
