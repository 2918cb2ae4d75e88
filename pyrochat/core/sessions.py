"""Sessions: the connected clients of each member, and the life of a member that follows from them.

A member's state is derived, never stored:

=========== ============================================ ===========================================
state       what it means                                how it ends
=========== ============================================ ===========================================
gone        no session                                   a session opens: "X joined" → present
present     at least one session with a connection       the last one leaves: "X left" → gone
                                                         the last one is lost → suspected
suspected   sessions, all lost                           one opens or comes back → present
                                                         the grace runs out: "X left" → gone
=========== ============================================ ===========================================

After a restart each member of the view has one lost session that nobody can name (a *ghost*): it is
suspected, and present again as soon as any of its clients is back.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GONE", "PRESENT", "SUSPECTED", "Session", "Sessions"]

GONE = "gone"
PRESENT = "present"
SUSPECTED = "suspected"


@dataclass(slots=True)
class Session:
    """One client's stay.

    member: the folded name. lost_at: the room's monotonic seconds at which the connection was lost;
    None while there is one. ghost: stands for unknown sessions from before a restart.
    """

    id: str
    member: str
    name: str
    lost_at: float | None = None
    ghost: bool = False


class Sessions:
    """The sessions of one room."""

    def __init__(self) -> None:
        self._by_id: dict[str, Session] = {}
        self._by_member: dict[str, dict[str, Session]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, id: str) -> Session | None:
        """The session *id*, lost or not."""
        return self._by_id.get(id)

    def all(self) -> list[Session]:
        """All sessions, lost ones and ghosts included."""
        return list(self._by_id.values())

    def of(self, member: str) -> list[Session]:
        """All sessions of *member*."""
        return list(self._by_member.get(member, {}).values())

    def state(self, member: str) -> str:
        """GONE, PRESENT or SUSPECTED."""
        sessions = self._by_member.get(member)
        if not sessions:
            return GONE
        return SUSPECTED if all(s.lost_at is not None for s in sessions.values()) else PRESENT

    def open(self, session: Session) -> list[Session]:
        """Add *session*; returns the ghosts whose place it takes."""
        ghosts = [s for s in self.of(session.member) if s.ghost]
        for ghost in ghosts:
            self.drop(ghost.id)
        self._by_id[session.id] = session
        self._by_member.setdefault(session.member, {})[session.id] = session
        return ghosts

    def drop(self, id: str) -> Session | None:
        """Forget the session *id* for good."""
        session = self._by_id.pop(id, None)
        if session is not None:
            sessions = self._by_member[session.member]
            del sessions[id]
            if not sessions:
                del self._by_member[session.member]
        return session

    def lost_before(self, moment: float) -> list[Session]:
        """The sessions that were lost before *moment*, ghosts included."""
        return [s for s in self._by_id.values() if s.lost_at is not None and s.lost_at < moment]
