"""What a server tells its operator of its rooms."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pyrochat.core.room import RoomState


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

    @classmethod
    def of(cls, state: RoomState, positions: Mapping[str, int], loss: str | None) -> Self:
        """From the *state* of a room. positions: how far each session, by its id, has confirmed."""
        tail = state.tail
        sessions = [
            SessionStatus(session.name, tail - positions.get(session.id, tail), session.lost_at is None)
            for session in state.all_sessions()
        ]
        return cls(state.room, tail, len(state.present), sessions, loss)
