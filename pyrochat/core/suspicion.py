"""Suspicion: which sessions have no connection here, since when by this server's clock, and what it proposes about them.

Only proposals: the room's order decides whether a session is lost, and whether it ends (`core.room`). So more than one
server may propose, twice too, and a proposal that could not be carried out is made again.
"""

from collections.abc import Callable, Iterable

from pyrochat.core.commands import Command, End, Lose, Restarted, Resume
from pyrochat.core.room import RoomState
from pyrochat.core.sessions import Session


class Suspicion:
    """Not synchronized. Times are seconds of any monotonic clock, always given by the caller."""

    def __init__(self) -> None:
        self._since: dict[str, tuple[str, float]] = {}  # session id: its member, and when its connection was lost
        self._connected: dict[str, str] = {}  # session id: its member
        self._leaving: dict[str, str] = {}  # session id: its member; it wants to end, whatever else happens

    def lost(self, id: str, member: str, now: float) -> None:
        """The session has no connection (yet, or any more)."""
        self._connected.pop(id, None)
        self._since.setdefault(id, (member, now))

    def back(self, id: str, member: str) -> None:
        """It has one."""
        self._connected[id] = member
        self._since.pop(id, None)

    def parted(self, id: str) -> None:
        """It is connected here no longer; perhaps elsewhere."""
        self._connected.pop(id, None)

    def leaving(self, id: str, member: str) -> None:
        """It was told to end: that is proposed until it has."""
        self._leaving[id] = member

    def ended(self, sessions: Iterable[Session]) -> None:
        """They have ended."""
        for session in sessions:
            self._since.pop(session.id, None)
            self._connected.pop(session.id, None)
            self._leaving.pop(session.id, None)

    def changed(self, sessions: Iterable[Session], now: float) -> None:
        """What the order has said of *sessions*, of other servers too."""
        for session in sessions:
            if session.lost_at is not None and session.id not in self._connected:
                self._since[session.id] = session.member, now  # until then nobody could say that it has come back

    def proposals(
        self, state: RoomState, now: float, grace_seconds: float, new_salt: Callable[[], str], home: str = "",
        is_alive: Callable[[str], bool] = lambda home: True,
    ) -> list[Command]:  # fmt: skip
        """What to propose now: that sessions are lost, and that those end which nobody came back for within the grace.

        home: this server's run. is_alive: whether that of another server is.
        """
        self._leaving = {id: member for id, member in self._leaving.items() if state.session(member, id) is not None}
        wanted: list[Command] = [End(id, member, new_salt()) for id, member in self._leaving.items()]
        for id, (member, since) in list(self._since.items()):
            session = state.session(member, id)
            if session is None:
                del self._since[id]
            elif session.lost_at is None and session.home == home:
                wanted.append(Lose(id, member, home))
            elif session.lost_at is None:  # it has gone to another server
                del self._since[id]
            elif since + grace_seconds < now:
                wanted.append(End(id, member, new_salt(), session.lost_at))
        for id, member in self._connected.items():
            session = state.session(member, id)
            if session is not None and (session.lost_at is not None or session.home != home):
                # others thought that this server was gone, or have not heard yet that it is here
                wanted.append(Resume(id, member, home))
        homes = sorted({session.home for session in state.all_sessions() if session.lost_at is None})
        return wanted + [Restarted(gone) for gone in homes if gone != home and not is_alive(gone)]
