"""The state of a room beside its log: sessions, views, marks. Given calls, it says what to append.

Nothing here is remembered that the log doesn't say, save the sessions: `RoomState(log, now)` after a
crash is what it was before, with everyone in the view suspected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pyrochat.core.log import Log, MemberRecord
from pyrochat.core.marks import Mark, Marks
from pyrochat.core.sequencer import Draft
from pyrochat.core.sessions import GONE, Session, Sessions
from pyrochat.core.views import Views
from pyrochat.values.confirmations import Confirmations
from pyrochat.values.errors import NotAMember, UnknownMessage
from pyrochat.values.message import JOINED, LEFT, SYSTEM, Message
from pyrochat.values.rules import fold

__all__ = ["RoomState"]


class RoomState:
    """Who is here, since when, and how far each has got.

    Not synchronized. Times are seconds of any monotonic clock, always given by the caller.
    """

    def __init__(self, log: Log, now: float) -> None:
        records = log.members()
        self.tail = log.tail
        self.views = Views(log.changes())
        self.marks = Marks(records)
        self.sessions = Sessions()
        self._records = {record.member: record for record in records}
        for name in self.views.present:
            ghost = Session(f"ghost of {name}", fold(name), name, lost_at=now, ghost=True)
            self.sessions.open(ghost)

    # -- changes of membership: each says what has to be appended for it ---------------------------

    def open_session(self, session: Session) -> tuple[list[Session], list[Draft]]:
        """A client comes: the ghosts whose place it takes, and "joined" where its member is new in the view."""
        old = self._records.get(session.member) or MemberRecord(session.name)
        self._records[session.member] = replace(old, name=session.name)
        ghosts = self.sessions.open(session)
        if self.views.is_present(session.member):
            return ghosts, []
        return ghosts, [Draft(session.name, f"{session.name} {JOINED}", SYSTEM)]

    def resume_session(self, id: str, member: str) -> bool:
        """The session *id* of *member* has a connection (again); False where it has ended."""
        session = self.sessions.get(id)
        if session is None or session.member != member:
            return False
        session.lost_at = None
        return True

    def lose_session(self, id: str, now: float) -> None:
        """The connection of session *id* is gone; its member may be suspected from now on."""
        session = self.sessions.get(id)
        if session is not None and session.lost_at is None:
            session.lost_at = now

    def drop_sessions(self, ids: Sequence[str]) -> list[Draft]:
        """Sessions that have left or whose grace is over; "left" for every member that has none now.

        Every member, not only theirs: so a "left" that could not be written is made up for.
        """
        for id in ids:
            self.sessions.drop(id)
        return [
            Draft(name, f"{name} {LEFT}", SYSTEM)
            for name in self.views.present
            if self.sessions.state(fold(name)) == GONE
        ]

    # -- what commits carry, and what they change ---------------------------------------------------

    def records_to_write(self, drafts: Sequence[Draft], marks: dict[str, Mark]) -> list[MemberRecord]:
        """The member records that have to be in the same commit as *drafts* and *marks*."""
        changed = dict(marks)
        for draft in drafts:
            if draft.kind == SYSTEM:
                member = fold(draft.sender)
                changed.setdefault(member, self.marks.latest(member))
        return [
            replace(
                self._records.get(member) or MemberRecord(self.views.name_of(member)), delivered=delivered, read=read
            )
            for member, (delivered, read) in changed.items()
        ]

    def committed(self, messages: Sequence[Message], records: Sequence[MemberRecord]) -> None:
        """*messages* and *records* are durable."""
        if messages:
            self.tail = messages[-1].id
            self.views.apply(messages)
        self._records.update((record.member, record) for record in records)
        self.marks.written((record.member, (record.delivered, record.read)) for record in records)

    # -- marks -------------------------------------------------------------------------------------------

    def mark_read(self, member: str, id: int) -> None:
        """*member* says that it has been shown everything up to *id*; raises NotAMember, UnknownMessage."""
        if not self.views.is_present(member):
            raise NotAMember("only members confirm what they read: call join() first")
        if not 1 <= id <= self.tail:
            raise UnknownMessage(f"there is no message {id}: the log ends at {self.tail}")
        self.marks.record(member, id, id)

    # -- answers -----------------------------------------------------------------------------------------

    def confirmations(self, message: Message) -> Confirmations:
        """Who has *message* and who has read it, among the members present at it without its sender."""
        id, sender = message.id, fold(message.sender)
        members = [member for member in self.views.members_at(id) if member != sender]
        marks = {member: self.marks.of(member) for member in members}
        name = self.views.name_of
        return Confirmations.of(
            id,
            (name(m) for m in members if marks[m][0] >= id),
            (name(m) for m in members if marks[m][1] >= id),
            (name(m) for m in members if marks[m][1] < id and self.views.is_present(m)),
        )
