"""What a server tells its operator of its rooms."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RoomStatus", "SessionStatus"]


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """One session, for the operator. lag: messages that it has not confirmed yet."""

    name: str
    lag: int
    connected: bool


@dataclass(frozen=True, slots=True)
class RoomStatus:
    """A room, for the operator."""

    room: str
    tail: int
    members: int
    sessions: list[SessionStatus]
    loss: str | None = None
