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

Sessions last over a restart of the server: all of them are lost then, and each client comes back to its own.
"""

from collections.abc import Iterable
from typing import NamedTuple

GONE = "gone"
PRESENT = "present"
SUSPECTED = "suspected"


class Session(NamedTuple):
    """One client's stay.

    member: the folded name. lost_at: the number of the entry at which its connection was lost; None while there is one.
    home: to which server it is, or was last, connected, where a room has several: a name of that server's run.
    """

    id: str
    member: str
    name: str
    lost_at: int | None = None
    home: str = ""


def state_of(sessions: Iterable[Session]) -> str:
    """GONE, PRESENT or SUSPECTED: the state of the member that has *sessions*."""
    lost = [session.lost_at is not None for session in sessions]
    if not lost:
        return GONE
    return SUSPECTED if all(lost) else PRESENT
