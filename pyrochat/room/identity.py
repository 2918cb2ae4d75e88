"""Who calls, and where a client that comes back has been."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Identity", "Resume"]


@dataclass(eq=False, slots=True)
class Identity:
    """Who a connection is, bound by its handshake. secret: SHA-256 of what the client showed."""

    name: str
    member: str
    secret: bytes | None
    session_id: str | None = None


@dataclass(frozen=True, slots=True)
class Resume:
    """Where a client that was here before is: the session it had, its replica's log, end, and digest there.

    proof: an id, the replica's digest there, and the seal that the room has given for both.
    """

    session_id: str
    log_id: str
    position: int
    digest: bytes | None = None
    proof: tuple[int, bytes, str] | None = None
