"""A room: its log, its state, its writer and its place in the multicast, put together.

What it does is decided in `core`; here are the threads and the clocks. One mutex guards the state; it
is held for dictionary work only, never over a commit, a send or a read from disk.
"""

from __future__ import annotations

import logging
import socket
import threading
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from itertools import chain
from pathlib import Path

from pyrochat.clock import monotonic
from pyrochat.core.log import Log
from pyrochat.core.marks import Mark
from pyrochat.core.pace import Pace
from pyrochat.core.sequencer import Draft, Sequencer
from pyrochat.core.sessions import SUSPECTED, Session
from pyrochat.core.state import RoomState
from pyrochat.pyro.link import Link
from pyrochat.pyro.serializers import MSGPACK
from pyrochat.pyro.wire import WireMark
from pyrochat.room.clock import wall_clock_us
from pyrochat.room.delivery.audience import Outlet
from pyrochat.room.delivery.multicast import Multicaster
from pyrochat.room.delivery.stretches import BlockReader, Stretches
from pyrochat.room.door.identity import Identity, Resume
from pyrochat.room.door.names import Names
from pyrochat.room.journal import tell_expired, tell_lost
from pyrochat.room.opening import Opening
from pyrochat.room.search import Search
from pyrochat.room.space import RoomSpace
from pyrochat.room.status import RoomStatus
from pyrochat.room.turns import read_page
from pyrochat.room.wholeness import Wholeness
from pyrochat.room.writer import Request, Writer
from pyrochat.trust.keys import Key
from pyrochat.values.confirmations import Confirmations
from pyrochat.values.errors import (
    InvalidArgument,
    PyroChatError,
    RoomClosing,
    UnknownMessage,
    UnknownSession,
)
from pyrochat.values.message import CHAT, Message
from pyrochat.values.protocol import CALLBACK_OBJECT, MAX_ANSWER_BYTES, Timing
from pyrochat.values.rules import fold

__all__ = ["Room"]

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0  # until marks that could not be written are tried again


class Room:
    """One room of a server; takes over *log* and closes it. key: the server's.

    index: the file for `search`; None: no search. now_us: the clock that messages get their times from. space: None
    lets the log grow for ever.
    """

    def __init__(
        self, log: Log, key: Key, timing: Timing, names: Names, multicaster: Multicaster, reader: BlockReader,
        index: Path | None = None, now_us: Callable[[], int] = wall_clock_us, space: RoomSpace | None = None,
        pace: Pace | None = None,
    ) -> None:  # fmt: skip
        self._pace = pace = pace or Pace()
        self.timing = timing
        self._now_us = now_us
        self.name = log.room
        self.log = log
        self._names = names
        self._multicaster = multicaster
        self._state_mutex = threading.Lock()
        self._state = RoomState(log, monotonic())
        self._sequencer = Sequencer(log)
        self._marks_due = 0.0
        self._stretches = Stretches(log, reader, lambda: multicaster.grew(self))
        self._writer = Writer(self.name, self._commit, self._idle_seconds)
        self._wholeness = Wholeness(log, key, lambda text: multicaster.tell(self, text))
        self._expiry: Request | None = None  # the last request of `tick`
        self._leaves_failed = False  # a "left" could not be written: it is due as soon as the log can be
        for ghost in self._state.sessions.all():
            names.keep(ghost.member, ghost.id)
        self.space = space or RoomSpace(log)
        with ExitStack() as undo:
            self.search = Search(log, index, self.space.has_room_to_index, pace)
            undo.callback(self.search.close)
            multicaster.open(self)
            undo.callback(multicaster.forget, self)
            self._writer.start()
            undo.pop_all()

    # -- what callers ask for -----------------------------------------------------------------------------

    def post(
        self, sender: str, texts: Sequence[str], keys: Sequence[str | None], list_key: str | None = None,
        mark: str = "", refusal: PyroChatError | None = None,
    ) -> Request:  # fmt: skip
        """Append texts in one commit, consecutive; the request's outcome is there when they are on disk.

        keys: one for each text, or None. list_key: the one that all of them were sent under, if they were. mark: a
        guest's (`values.keys`). refusal: why nothing may be appended; what *keys* have made before is told all the
        same. Raises RoomClosing, *refusal*; the request raises KeyConflict, LogUnavailable, *refusal*.
        """
        if refusal is not None and None in keys:
            raise refusal
        drafts = [Draft(sender, text, CHAT, key, list_key, mark) for text, key in zip(texts, keys, strict=True)]
        return self._writer.submit(Request(lambda: drafts, len(drafts), refusal=refusal))

    def history(self, after: int, limit: int, most_bytes: int = MAX_ANSWER_BYTES) -> list[Message]:
        """Messages after id *after*: at most *limit*, and no more where those before have *most_bytes* of text."""
        return read_page(self.log, after, limit, most_bytes)

    def members(self) -> list[str]:
        """The names in the view."""
        with self._state_mutex:
            return self._state.views.present

    def suspected(self) -> list[str]:
        """The names of the members whose connections are all lost, and who may come back."""
        with self._state_mutex:
            sessions, names = self._state.sessions, self._state.views.present
            return [name for name in names if sessions.state(fold(name)) == SUSPECTED]

    def confirmations(self, id: int) -> Confirmations:
        """Who has message *id*; raises UnknownMessage."""
        found = self.log.read(id - 1, 1) if id > 0 else []
        if not found:
            raise UnknownMessage(f"there is no message {id}: the log ends at {self.log.tail}")
        with self._state_mutex:
            return self._state.confirmations(found[0])

    def mark_read(self, member: str, id: int) -> Request:
        """*member* has been shown everything up to *id*; durable when the request has its outcome.

        The request raises NotAMember, UnknownMessage.
        """

        def plan() -> list[Draft]:
            self._state.mark_read(member, id)
            self._marks_due = 0.0
            return []

        return self._writer.submit(Request(plan))

    def marks_of(self, member: str) -> Mark:
        """``(delivered, read)`` of *member*, as far as they are on disk."""
        with self._state_mutex:
            return self._state.marks.of(member)

    def join(self, identity: Identity, resume: Resume | None) -> tuple[str, int]:
        """A session that is taken up or opened, and the log's tail. Without `attach` or `connect` it ends after the grace."""
        return self.taken_up(identity, resume) or self.open_session(identity).result()

    def other_sessions(self, session_id: str) -> int:
        """How many sessions the member of *session_id* has in this room beside it, those that are lost left out."""
        with self._state_mutex:
            session = self._state.sessions.get(session_id)
            beside = self._state.sessions.of(session.member) if session else []
            return sum(other.lost_at is None and other.id != session_id for other in beside)

    def taken_up(self, identity: Identity, resume: Resume | None) -> tuple[str, int] | None:
        """The session that *identity* had, and the log's tail; None where it has to open another.

        Raises OtherLog where *resume* comes from another log than this room's, LogLost where messages of this
        room's log are missing.
        """
        self._wholeness.check()
        self._writer.check_open()
        if resume is None:
            return None
        self._examine(identity, resume)
        with self._state_mutex:
            session = self._state.sessions.get(resume.session_id)
            return (session.id, self._state.tail) if session and session.member == identity.member else None

    def open_session(self, identity: Identity) -> Opening:
        """Open a session for *identity*; doesn't wait. Raises RoomClosing, RoomFull, NameTaken or ServerFull as `Names` does."""
        self.space.check_join(identity.name)
        session = Session(uuid.uuid4().hex, identity.member, identity.name, lost_at=monotonic())
        self._names.share(identity.member, identity, session.id)

        def plan() -> list[Draft]:
            ghosts, drafts = self._state.open_session(session)
            for ghost in ghosts:
                self._names.release(ghost.member, ghost.id)
            return drafts

        try:
            request = self._writer.submit(Request(plan, changes_view=True))
        except RoomClosing:
            self._names.release(session.member, session.id)
            raise
        return Opening(session.id, request, lambda: self.log.tail, lambda: self._end_session(session))

    def _examine(self, identity: Identity, resume: Resume) -> None:
        """Raise OtherLog or LogLost where what the client has is not the beginning of our log."""
        loss = self._wholeness.examine(identity.name, resume)
        if loss is None:
            return

        def plan() -> list[Draft]:
            self._wholeness.note(loss)
            return []

        self._writer.submit(Request(plan)).wait()

    def attach(self, identity: Identity, session_id: str, position: int, sock: socket.socket) -> None:
        """Deliver to the session over *sock*, which its client has turned around, from *position* on.

        Raises UnknownSession; the socket is the caller's then.
        """
        self._admit(identity.member, session_id, Link(sock, CALLBACK_OBJECT, MSGPACK), position, turned=True)

    def connect(self, identity: Identity, session_id: str, link: Link) -> None:
        """Deliver to the session over *link*, a connection to a callback in a daemon of the client's own."""
        self._admit(identity.member, session_id, link, 0, turned=False)

    def _admit(self, member: str, session_id: str, link: Link, position: int, turned: bool) -> None:
        self.check_session(member, session_id)
        if not 0 <= position <= self.log.tail:
            raise InvalidArgument(f"the log ends at {self.log.tail}, not at {position}")
        self._multicaster.admit(Outlet(self, session_id, member, link, position, turned))

    def check_session(self, member: str, session_id: str) -> Session:
        """The session of *member* that has this id; raises UnknownSession where there is none."""
        with self._state_mutex:
            session = self._state.sessions.get(session_id)
        if session is None or session.member != member:
            raise UnknownSession("this session has ended: join again")
        return session

    def leave(self, member: str, session_id: str, delivered: int = 0, read: int = 0) -> None:
        """End a session of *member*; returns when its "left" is on disk, where it was the last one.

        delivered, read: the marks that it says goodbye with; believed up to the log's end.
        """
        session = self.check_session(member, session_id)
        with self._state_mutex:
            tail = self._state.tail
            self._state.marks.record(member, min(delivered, tail), min(read, tail))
        self._end_session(session).wait()

    def expel(self, member: str) -> None:
        """End all sessions of *member*."""
        with self._state_mutex:
            sessions = self._state.sessions.of(member)
        for session in sessions:
            self._end_session(session)

    def _end_session(self, session: Session) -> Request:
        self._multicaster.dismiss(self, session.id)
        return self._writer.submit(Request(lambda: self._drop([session]), changes_view=True))

    def _drop(self, sessions: Sequence[Session]) -> list[Draft]:
        """In the writer's thread: forget *sessions*, and let their names go."""
        for session in sessions:
            self._names.release(session.member, session.id)
        return self._state.drop_sessions([session.id for session in sessions])

    # -- the writer's thread ----------------------------------------------------------------------------

    def _idle_seconds(self) -> float | None:
        """Seconds until marks have to be written, or the log wants to be tidied; None while nothing does."""
        if self.log.is_untidy:
            return 0.0
        with self._state_mutex:
            return max(0.0, self._marks_due - monotonic()) if self._state.marks.has_unwritten else None

    def _commit(self, requests: list[Request]) -> None:
        """Commit *requests* in as few commits as their plans allow."""
        group: list[Request] = []
        for request in requests:
            if request.refusal is not None:
                request.finish(self._sequencer.recall(request.plan(), request.refusal))
                continue
            if request.changes_view and any(r.changes_view for r in group):
                self._commit_group(group)
                group = []
            group.append(request)
        self._commit_group(group)
        self.log.tidy()

    def _commit_group(self, requests: list[Request]) -> None:
        planned: list[Request] = []
        plans: list[Sequence[Draft]] = []
        with self._state_mutex:
            for request in requests:
                try:
                    plan = request.plan()
                    self._wholeness.check()
                except PyroChatError as error:
                    request.finish(error)
                    continue
                planned.append(request)
                plans.append(plan)
            now = monotonic()
            if self.log.loss is not None:
                self._marks_due = now + _RETRY_SECONDS
            marks = self._state.marks.unwritten if now >= self._marks_due else {}
            records = self._state.records_to_write(list(chain.from_iterable(plans)), marks)
        outcomes, appended, trouble = self._sequencer.sequence(plans, records, self._now_us())
        if trouble is not None:
            self._marks_due = now + _RETRY_SECONDS
            self._leaves_failed = True
        else:
            self._stretches.extend(appended)
            self.search.grew()
            with self._state_mutex:
                self._state.committed(appended, records)
                if marks:
                    self._marks_due = now + self._pace.marks_interval(self._state.views.count)
            if appended or records:
                self._multicaster.grew(self)
        for request, outcome in zip(planned, outcomes, strict=True):
            request.finish(outcome)

    # -- the multicaster's thread: see `Audience` -------------------------------------------------------

    def end(self) -> int:
        return self._stretches.end

    def after(self, position: int) -> list[bytes] | None:
        return self._stretches.after(position)

    def marks_since(self, version: int, limit: int) -> tuple[list[WireMark], int]:
        with self._state_mutex:
            marks, upto = self._state.marks.since(version, limit)
            name = self._state.views.name_of
            return [[name(member), delivered, read] for member, delivered, read in marks], upto

    def seal(self, newest: bool) -> tuple[int, str]:
        return self._wholeness.seal(newest, monotonic())

    def marks_version(self) -> int:
        return self._state.marks.version

    def member_count(self) -> int:
        return self._state.views.count

    def admitted(self, outlet: Outlet) -> bool:
        with self._state_mutex:
            return self._state.resume_session(outlet.session_id, outlet.member)

    def confirmed(self, outlet: Outlet, answer: object) -> None:
        """See `Audience`: take down the marks that a delivery was answered with."""
        delivered, read = outlet.cursor.asked, 0
        if isinstance(answer, list | tuple) and len(answer) == 2 and all(type(mark) is int for mark in answer):
            delivered, read = answer
        delivered, read = outlet.cursor.confirm(delivered, read)
        with self._state_mutex:
            first = not self._state.marks.has_unwritten
            if not self._state.marks.record(outlet.member, delivered, read):
                return
        if first:
            self._writer.nudge()

    def lost(self, outlet: Outlet, reason: str) -> None:
        tell_lost(self.name, outlet, reason)
        with self._state_mutex:
            self._state.lose_session(outlet.session_id, monotonic())

    def tick(self, now: float) -> None:
        """See `Audience`: end the sessions whose grace is over."""
        if self.log.loss is not None:
            return
        with self._state_mutex:
            late = self._late_sessions(now)
        if (late or self._leaves_failed) and (self._expiry is None or self._expiry.done):
            self._leaves_failed = False
            request = Request(lambda: self._drop(tell_expired(self.name, self._late_sessions(now))), changes_view=True)
            with suppress(RoomClosing):  # they are suspected again at the next start
                self._expiry = self._writer.submit(request)

    def _late_sessions(self, now: float) -> list[Session]:
        return self._state.sessions.lost_before(now - self.timing.grace_seconds)

    # -- the operator ---------------------------------------------------------------------------------------

    def look(self) -> None:
        """Now and then, in any thread: see to the files of the room."""
        self.log.look()
        if self.log.is_untidy:
            self._writer.nudge()
        self.search.look()

    def status(self) -> RoomStatus:
        """What the server command shows."""
        positions = self._multicaster.positions(self)
        with self._state_mutex:
            return RoomStatus.of(self.name, self._state, positions, self._wholeness.text)

    def close(self) -> None:
        """Commit what has been asked for, and take nothing more. Deliveries go on until the multicaster is closed."""
        self._writer.close()
        self.search.close()

    def close_log(self) -> None:
        """The last step, when nobody delivers or reads any more: write the marks that no commit has carried."""
        with self._state_mutex:
            records = self._state.records_to_write([], self._state.marks.unwritten) if self.log.loss is None else []
        trouble = self._sequencer.sequence([], records, self._now_us()).error
        if trouble is not None:
            logger.error("room %s: the last marks are lost: %s", self.name, trouble)
        with self._state_mutex:
            self._state.committed([], records)
        self.log.close()
