"""What the operator reads of who comes and goes: a line each, with the address, bounded."""

from collections.abc import Sequence

from pyrochat.asides import aside_logger
from pyrochat.core.sessions import Session
from pyrochat.pyro.bounded_log import BoundedLog
from pyrochat.room.delivery.audience import Outlet

_log = BoundedLog(aside_logger(__name__))


def tell_came(room: str, name: str, address: str, before: Session | None) -> None:
    """A client of *name* has come to *room*. before: the session that it goes on with, as it was."""
    if before is None:
        _log.tell("joins", name, "room %s: %s has joined, from %s", room, name, address)
    elif before.lost_at is not None:
        _log.tell("returns", name, "room %s: %s is back, from %s", room, name, address)
    else:
        _log.tell("takeovers", name, "room %s: a session of %s is taken over, from %s", room, name, address)


def tell_left(room: str, name: str, address: str) -> None:
    """A client of *name* has left *room* as it should."""
    _log.tell("leaves", name, "room %s: %s has left, from %s", room, name, address)


def tell_lost(room: str, outlet: Outlet, reason: str) -> None:
    """The connection of *outlet* is gone."""
    _log.tell(
        "losses", outlet.member, "room %s: lost a session of %s at %s (%s)", room, outlet.member, outlet.link.peer, reason
    )  # fmt: skip


def tell_expired(room: str, sessions: Sequence[Session]) -> Sequence[Session]:
    """Nobody has come back for *sessions*, which are returned."""
    for session in sessions:
        _log.tell("expiries", session.name, "room %s: %s did not come back in time", room, session.name)
    return sessions
