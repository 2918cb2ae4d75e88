"""Integrity: is a log all that it ever was? What shows that it is not, and what follows from that.

A log can't know that its end is missing; somebody has to have seen more: members who have confirmed it, a note beside the
log's file, or a client that comes back and proves it. A client that shows the room's own seal on a message which the log
does not have (like that) any more stops the room until its operator has decided; a claim without a seal stops nobody. What
the operator has decided is settled: the log goes on under another identity, and a seal on an earlier one proves nothing
any more.
"""

from collections.abc import Callable
from typing import NamedTuple

from pyrochat.core.log import Log
from pyrochat.values.errors import LogLost, OtherLog


class Tip(NamedTuple):
    """The log *identity* had message *tail*, with the chain's *digest* there."""

    identity: str
    tail: int
    digest: bytes


class Resumption(NamedTuple):
    """Where a client that comes back says that it has been: its session, its replica's log, end, and digest there.

    proof: an id, and the seal on it that the client says the room has given it.
    """

    session_id: str
    log_id: str
    position: int
    digest: bytes | None = None
    proof: tuple[int, str] | None = None


DIFFERS = "it differs from what the other servers have"
"""What a loss begins with that concerns this server's copy of the log only."""


def loss_text(room: str, loss: str) -> str:
    """What to say of *loss*, which proves that messages of *room* are missing."""
    if loss.startswith(DIFFERS):
        return (
            f"this server's copy of room {room!r} is damaged ({loss}): its operator moves the file of the log away, or repairs it "
            "(pyrochat-server repair), and starts the server again: the cluster fills it; the other servers go on"
        )
    return (
        f"room {room!r} has lost messages ({loss}): it takes none until its operator has "
        "decided (pyrochat-server repair or restore a backup, or start it with pyrochat-server --accept-loss)"
    )


def missing(found: Tip, confirmed: int, noted: Tip | None, digest_of: Callable[[int], bytes | None]) -> str | None:
    """What shows that a log, of which *found* is there, ended later once; None where nothing does.

    confirmed: up to which message any member has said that it has it. noted: what was written down of the log's end.
    digest_of: that of a message; None where it is not there.
    """
    if confirmed > found.tail:
        return f"members have confirmed message {confirmed}, but the log ends at {found.tail}"
    if noted is None or noted.identity != found.identity:
        return None
    if noted.tail > found.tail:
        return f"it had message {noted.tail} when it was closed or last looked at, now it ends at {found.tail}"
    if digest_of(noted.tail) not in (None, noted.digest):
        return f"message {noted.tail} is not the one that was there when it was closed or last looked at"
    return None


def examine(log: Log, name: str, resume: Resumption, is_proven: Callable[[Resumption], bool]) -> str | None:
    """Is the replica that *name* claims to have the beginning of *log*? Then None; else the loss, proven.

    Raises OtherLog where it comes from another log, or from what this one was before a loss was accepted; and
    LogLost where it differs and nothing proves that ours is to blame.
    """
    is_ours = resume.log_id == log.identity
    if not is_ours and resume.position > log.forks.get(resume.log_id, -1):
        raise _other_log(log, resume)
    if resume.position > log.tail:
        loss = f"{name} has message {resume.position}, the log ends at {log.tail}"
    elif resume.digest is not None and resume.digest != log.digest(resume.position):
        if not is_ours:
            raise _other_log(log, resume)
        loss = f"what {name} has up to message {resume.position} is not what the log has"
    else:
        return None
    if not is_proven(resume):
        raise LogLost(f"{loss}: ask the room's operator to look at its log, or join anew")
    return loss


def _other_log(log: Log, resume: Resumption) -> OtherLog:
    archived = log.archived.get(resume.log_id)
    if archived is not None:
        return OtherLog(
            f"room {log.room!r} was archived at message {archived}, and has begun a new log, with numbers of its "
            "own: join anew to get it"
        )
    return OtherLog(
        f"room {log.room!r} has another log now than the one that you have {resume.position} messages of: "
        "join anew to get it"
    )
