"""What a server tells its operator of its rooms."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pyrochat.core.room import RoomState


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """One session, for the operator. lag: messages that it has not confirmed yet. is_here: it is at this server, where several have
    the room."""

    name: str
    lag: int
    connected: bool
    is_here: bool = True


@dataclass(frozen=True, slots=True)
class RoomStatus:
    """A room, for the operator."""

    room: str
    tail: int
    members: int
    sessions: list[SessionStatus]
    loss: str | None = None
    trouble: str | None = None

    @classmethod
    def of(
        cls, state: RoomState, positions: Mapping[str, int], loss: str | None, trouble: str | None = None, home: str = ""
    ) -> Self:  # fmt: skip
        """From the *state* of a room. positions: how far each session, by its id, has confirmed. trouble: what keeps its order
        from going on. home: this server's run, where several have the room."""
        tail = state.tail
        sessions = [
            SessionStatus(
                session.name, tail - positions.get(session.id, tail), session.lost_at is None, session.home == home
            )
            for session in state.all_sessions()
        ]
        return cls(state.room, tail, len(state.present), sessions, loss, trouble)
