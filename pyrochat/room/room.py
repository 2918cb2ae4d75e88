"""A room: its log, its order, and its place in the multicast, put together.

What it does is decided in `core`; here are the clocks, the names that are held, and what callers ask for.
"""

import logging
import socket
import threading
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from pyrochat.clock import monotonic
from pyrochat.core.commands import (
    End,
    Entry,
    Invited,
    Lose,
    Open,
    Post,
    Removed,
    Restarted,
    Resume,
    SetTopic,
    Upgrade,
)
from pyrochat.core.confirming import confirmations_of
from pyrochat.core.current import About, aimed, operators_redaction, original
from pyrochat.core.integrity import Resumption
from pyrochat.core.log import Log
from pyrochat.core.marks import Mark
from pyrochat.core.order import Order, Submission
from pyrochat.core.pace import Pace
from pyrochat.core.pending import pending_messages
from pyrochat.core.room import Transition
from pyrochat.core.sessions import Session
from pyrochat.core.suspicion import Suspicion
from pyrochat.pyro.link import Link
from pyrochat.pyro.serializers import MSGPACK
from pyrochat.pyro.wire import WireMark
from pyrochat.room.applier import Applier
from pyrochat.room.delivery.audience import Outlet
from pyrochat.room.delivery.encoded_log import BlockReader, EncodedLog
from pyrochat.room.delivery.multicast import Multicaster
from pyrochat.room.door.identity import Identity
from pyrochat.room.door.names import Names
from pyrochat.room.elsewhere import Elsewhere
from pyrochat.room.integrity import Integrity
from pyrochat.room.journal import tell_expired, tell_lost
from pyrochat.room.opening import Opening
from pyrochat.room.search import Search
from pyrochat.room.space import RoomSpace
from pyrochat.room.status import RoomStatus
from pyrochat.room.turns import read_page
from pyrochat.trust.keys import Key
from pyrochat.trust.salts import new_salt, new_salts
from pyrochat.values.confirmations import Confirmations
from pyrochat.values.current import Current
from pyrochat.values.errors import (
    InvalidArgument,
    LogUnavailable,
    NotAMember,
    PyroChatError,
    RoomClosing,
    UnknownMessage,
    UnknownSession,
)
from pyrochat.values.message import CHAT, Message
from pyrochat.values.protocol import CALLBACK_OBJECT, MAX_ANSWER_BYTES, PENDING, Timing
from pyrochat.values.rules import fold

logger = logging.getLogger(__name__)


class Room:
    """One room of a server; takes over *log* and *order*, and closes them. key: the server's.

    index: the file for `search`; None: no search. space: None lets the log grow for ever. belongs: whether a folded
    name is anybody's who may come back, for confirmations.
    """

    def __init__(
        self, log: Log, order: Order, key: Key, timing: Timing, names: Names, multicaster: Multicaster, reader: BlockReader,
        index: Path | None = None, space: RoomSpace | None = None, pace: Pace | None = None,
        belongs: Callable[[str], bool] = lambda member: True,
    ) -> None:  # fmt: skip
        pace = pace or Pace()
        self.timing = timing
        self.name = log.room
        self.log = log
        self._names = names
        self._belongs = belongs
        self._multicaster = multicaster
        self._order = order
        self._applier = Applier(
            log,
            pace.marks_interval,
            self._committed,
            lambda *said: self._elsewhere.said(*said),
            order.rules,
            self._order_told,
            self._order_pending,
        )
        self._suspicion_mutex = threading.Lock()
        self._suspicion = Suspicion()
        self._proposed: Submission | None = None  # the last of `tick`
        self._elsewhere = Elsewhere(self.name, order, names, multicaster, self, self._parted, pace.alone_seconds)
        self._encoded = EncodedLog(log, reader, lambda: multicaster.grew(self))
        self._integrity = Integrity(log, key)
        if log.loss is not None and not order.home:  # else the order stops, and says so
            logger.critical("%s", self._integrity.text)
        self.space = space or RoomSpace(log)
        with ExitStack() as undo:
            self.search = Search(log, index, self.space.has_room_to_index, pace)
            undo.callback(self.search.close)
            multicaster.open(self)
            undo.callback(multicaster.forget, self)
            order.start(self._applier)
            undo.callback(order.close)
            self._begin()
            undo.pop_all()

    def _begin(self) -> None:
        """Whoever was here before a restart is suspected from now on, and keeps its name for the grace."""
        if self._applier.state.present and not self._order.home:
            self._order.submit(Restarted()).outcome()
        now = monotonic()
        for session in self._applier.state.all_sessions():
            self._names.keep(session.member, session.id)
            if session.home == self._order.home or session.lost_at is not None:
                self._suspicion.lost(session.id, session.member, now)

    # -- what callers ask for -----------------------------------------------------------------------------

    def post(
        self, sender: str, texts: Sequence[str], keys: Sequence[str | None], list_key: str | None = None,
        mark: str = "", refusal: PyroChatError | None = None, kind: str = CHAT, about: int | None = None,
    ) -> Submission:  # fmt: skip
        """Append texts in one commit, consecutive; the outcome is there when they are on disk.

        keys: one for each text, or None. list_key: the one that all of them were sent under, if they were. mark: a
        guest's (`values.keys`). refusal: why nothing may be appended; what *keys* have made before is told all the
        same. kind, about: of one text; see `aimed`. Raises RoomClosing, *refusal*; waiting for it raises KeyConflict,
        MessageRedacted, LogUnavailable, LogLost, *refusal*.
        """
        if refusal is not None and None in keys:
            raise refusal
        salts = new_salts(len(texts))
        post = Post(
            sender, fold(sender), tuple(texts), tuple(keys), salts, list_key, mark, refusal is None, kind, about
        )
        submission = self._order.submit(post)
        submission.refusal = refusal
        return submission

    def aimed(self, identity: Identity, kind: str, about: int) -> int:
        """What a message of *kind* is about that *identity* sends *about* one. Raises UnknownMessage, and see `core.current`."""
        return aimed(self._message(about), self.log.owner(about), kind, identity.member, identity.guest_mark)

    def redact(self, id: int) -> None:
        """The operator deletes message *id*; returns when its text is on no disk any more. Raises UnknownMessage,
        InvalidArgument, MessageRedacted, LogUnavailable, RoomClosing."""
        [redaction] = self._order.submit(operators_redaction(self._message(id), new_salt())).wait()
        self.search.wait_for_redaction(redaction)

    def set_topic(self, sender: str, text: str) -> Submission:
        """The room is about *text* from now on. Raises RoomClosing; waiting for it what `post` raises."""
        return self._order.submit(SetTopic(sender, text, new_salt()))

    def current(self, id: int) -> Current:
        """What message *id* is now; raises UnknownMessage."""
        message = self._message(original(self._message(id)))
        return About(self.log.about(message.id)).current(message, self._message)

    def _message(self, id: int) -> Message:
        self._reach(id)
        found = self.log.read(id - 1, 1) if id > 0 else []
        if not found:
            raise UnknownMessage(f"there is no message {id}: the log ends at {self.log.tail}")
        return found[0]

    def _reach(self, id: int) -> None:
        """Another server may have had message *id* before this one."""
        if id > self.log.tail:
            self._order.catch_up()

    def history(self, after: int, limit: int, most_bytes: int = MAX_ANSWER_BYTES) -> list[Message]:
        """Messages after id *after*: at most *limit*, and no more where those before have *most_bytes* of text."""
        return read_page(self.log, after, limit, most_bytes)

    def members(self) -> list[str]:
        """The names in the view."""
        return list(self._applier.state.present.values())

    def suspected(self) -> list[str]:
        """The names of the members whose connections are all lost, and who may come back."""
        return self._applier.state.suspected()

    def confirmations(self, id: int) -> Confirmations:
        """Who has message *id*; raises UnknownMessage, and LogUnavailable where another server may know more of it."""
        sender = self._message(id).sender
        if not self._order.hear_all():
            why = self._elsewhere.trouble or "another server may know more"
            raise LogUnavailable(f"who has read what is not known for sure now: {why}; ask again")
        state = self._applier.state
        members = state.members_since(id, fold(sender))
        own, others = self._applier.marks_of(members), self._order.readers(id, members)
        marks = {
            member: (max(mark[0], other[0]), max(mark[1], other[1]))
            for member, mark, other in zip(members, own, others, strict=True)
        }
        return confirmations_of(state, id, marks, self._belongs)

    def mark_read(self, member: str, id: int) -> Submission:
        """*member* has been shown everything up to *id*; durable when there is an outcome.

        Raises NotAMember, UnknownMessage, LogLost, RoomClosing.
        """
        self._integrity.check()
        state = self._applier.state
        if member not in state.present:
            raise NotAMember("only members confirm what they read: call join() first")
        self._reach(id)
        if not 1 <= id <= self.log.tail:
            raise UnknownMessage(f"there is no message {id}: the log ends at {self.log.tail}")
        self._order.tell({member: (id, id)})
        return self._order.submit()

    def marks_of(self, member: str) -> Mark:
        """``(delivered, read)`` of *member*, as far as they are on disk."""
        return self._applier.marks_of([member])[0]

    def join(self, identity: Identity, resume: Resumption | None) -> tuple[str, int]:
        """A session that is taken up or opened, and the log's tail. Without `attach` or `connect` it ends after the grace."""
        return self.taken_up(identity, resume) or self.open_session(identity).result()

    def other_sessions(self, member: str, session_id: str) -> int:
        """How many sessions *member* has in this room beside *session_id*, those that are lost left out."""
        sessions = self._applier.state.sessions.get(member, ())
        return sum(other.lost_at is None and other.id != session_id for other in sessions)

    def taken_up(self, identity: Identity, resume: Resumption | None) -> tuple[str, int] | None:
        """The session that *identity* had, and the log's tail; None where it has to open another.

        Raises OtherLog where *resume* comes from another log than this room's, LogLost where messages of this
        room's log are missing.
        """
        self._integrity.check()
        self._order.check_open()
        if resume is None:
            return None
        self._elsewhere.check()
        self._reach(max(resume.position, resume.proof[0] if resume.proof else 0))
        self._order.hear_all()
        loss = self._integrity.examine(identity.name, resume)
        if loss is not None:
            self._order.declare(loss).wait()
            self._integrity.check()
        state = self._applier.state
        session = state.session(identity.member, resume.session_id)
        return None if session is None else (session.id, state.tail)

    def open_session(self, identity: Identity) -> Opening:
        """Open a session for *identity*; doesn't wait. Raises RoomClosing, RoomFull, NameTaken or ServerFull as `Names` does."""
        self.space.check_join(identity.name)
        id, member = uuid.uuid4().hex, identity.member
        self._names.share(member, identity, id)
        try:
            key = None if identity.key is None else identity.key.hex()
            submission = self._order.submit(Open(id, member, identity.name, new_salt(), key, self._order.home))
        except RoomClosing:
            self._names.release(member, id)
            raise
        return Opening(id, submission, lambda: self.log.tail, lambda: self._not_opened(member, id))

    def _not_opened(self, member: str, session_id: str) -> None:
        self._names.release(member, session_id)
        self._end_session(member, session_id)  # where nobody knows whether it was

    def attach(self, identity: Identity, session_id: str, position: int, sock: socket.socket) -> None:
        """Deliver to the session over *sock*, which its client has turned around, from *position* on.

        Raises UnknownSession; the socket is the caller's then.
        """
        self._admit(identity, session_id, Link(sock, CALLBACK_OBJECT, MSGPACK), position, turned=True)

    def connect(self, identity: Identity, session_id: str, link: Link) -> None:
        """Deliver to the session over *link*, a connection to a callback in a daemon of the client's own."""
        self._admit(identity, session_id, link, 0, turned=False)

    def _admit(self, identity: Identity, session_id: str, link: Link, position: int, turned: bool) -> None:
        self.check_session(identity.member, session_id)
        if not 0 <= position <= self.log.tail:
            raise InvalidArgument(f"the log ends at {self.log.tail}, not at {position}")
        outlet = Outlet(self, session_id, identity.member, link, position, turned)
        if turned and identity.notice:
            outlet.notices.append(identity.notice)
        self._multicaster.admit(outlet)

    def check_session(self, member: str, session_id: str) -> Session:
        """The session of *member* that has this id; raises UnknownSession where there is none."""
        session = self._applier.state.session(member, session_id)
        if session is None:
            raise UnknownSession("this session has ended: join again")
        return session

    def leave(self, member: str, session_id: str, delivered: int = 0, read: int = 0) -> None:
        """End a session of *member*; returns when its "left" is on disk, where it was the last one.

        delivered, read: the marks that it says goodbye with; believed up to the log's end.
        """
        self.check_session(member, session_id)
        tail = self._applier.state.tail
        self._order.tell({member: (min(delivered, tail), min(read, tail))})
        self._end_session(member, session_id).wait()

    def send_away(self) -> None:
        """All sessions here lose their connections, and the names that they hold: the room begins anew."""
        self._elsewhere.send_away()
        for session in self._applier.state.all_sessions():
            self._names.release(session.member, session.id)

    def expel(self, member: str) -> None:
        """End all sessions of *member*."""
        for session in self._applier.state.sessions.get(member, ()):
            self._end_session(member, session.id)

    def invited(self, sender: str, name: str, key: str) -> None:
        """*sender* has let *name* into this closed room; returns when the line that says so is on disk."""
        self._order.submit(Invited(sender, name, key, new_salt())).wait()

    def removed(self, sender: str, member: str, name: str, key: str) -> None:
        """*sender* has shut *member* out, who hears nothing more; returns when the line that says so is on disk."""
        for session in self._applier.state.sessions.get(member, ()):
            self._multicaster.dismiss(self, session.id)
            with self._suspicion_mutex:
                self._suspicion.leaving(session.id, member)
        self._order.submit(Removed(sender, member, name, key, (new_salt(), new_salt()))).wait()

    def tell(self, member: str, text: str) -> bool:
        """Say *text* to the sessions of *member* beside the log; whether there are any."""
        is_here = member in self._applier.state.present
        if is_here:
            self._multicaster.tell(self, text, member)
        return is_here

    def _end_session(self, member: str, session_id: str) -> Submission:
        self._multicaster.dismiss(self, session_id)
        with self._suspicion_mutex:
            self._suspicion.leaving(session_id, member)
        return self._order.submit(End(session_id, member, new_salt()))

    # -- the order's thread -----------------------------------------------------------------------------

    def _committed(self, transition: Transition) -> None:
        """What *transition* does is on disk."""
        if transition.messages:
            self.search.grew(transition.deleted)
        with self._suspicion_mutex:
            for session in transition.opened:
                if session.home == self._order.home:
                    self._suspicion.lost(session.id, session.member, monotonic())  # until it has a connection
            self._suspicion.changed(filter(None, transition.sessions.values()), monotonic())
            self._suspicion.ended(transition.ended)
        self._let_go(transition.ended)
        self._elsewhere.follow(filter(None, transition.sessions.values()))
        if transition.loss is not None and not self._order.home:  # else the order stops, and says so
            logger.critical("%s", self._integrity.text)
            self._multicaster.tell(self, self._integrity.text or "")
        self._multicaster.grew(self)

    def _order_told(self, text: str) -> None:
        logger.info("room %s: %s", self.name, text)
        self._multicaster.tell(self, text)

    def _order_pending(self, entries: Sequence[Entry]) -> None:
        self._multicaster.show(self, PENDING, pending_messages(self.name, entries))

    def _parted(self, session_id: str) -> None:
        with self._suspicion_mutex:
            self._suspicion.parted(session_id)

    def _let_go(self, sessions: Sequence[Session]) -> None:
        tell_expired(self.name, [session for session in sessions if session.lost_at is not None])
        for session in sessions:
            self._names.release(session.member, session.id)
            self._multicaster.dismiss(self, session.id)

    # -- the multicaster's thread: see `Audience` -------------------------------------------------------

    def end(self) -> int:
        return self._encoded.end

    def after(self, position: int) -> list[bytes] | None:
        return self._encoded.after(position)

    def marks_since(self, version: int, limit: int) -> tuple[list[WireMark], int]:
        marks, upto = self._applier.marks_since(version, limit)
        name = self._applier.state.name_of
        return [[name(member), delivered, read] for member, delivered, read in marks], upto

    def seal(self, newest: bool) -> tuple[int, str]:
        return self._integrity.seal(newest, monotonic())

    def marks_version(self) -> int:
        return self._applier.marks_version

    def member_count(self) -> int:
        return len(self._applier.state.present)

    def admitted(self, outlet: Outlet) -> bool:
        if self._applier.state.session(outlet.member, outlet.session_id) is None:
            return False
        with self._suspicion_mutex:
            self._suspicion.back(outlet.session_id, outlet.member)
        with suppress(RoomClosing):
            resumed = self._order.submit(Resume(outlet.session_id, outlet.member, self._order.home))
            resumed.then(lambda: self._resumed(outlet, resumed))
        return True

    def _resumed(self, outlet: Outlet, resumed: Submission) -> None:
        """In the order's thread: the session has ended in the last moment, perhaps."""
        if isinstance(resumed.outcome(), UnknownSession):
            self._multicaster.dismiss(self, outlet.session_id)

    def confirmed(self, outlet: Outlet, mark: Mark) -> None:
        first = not self._applier.has_unwritten_marks
        self._order.tell({outlet.member: mark})
        if first and self._applier.has_unwritten_marks:
            self._order.wake()

    def lost(self, outlet: Outlet, reason: str) -> None:
        tell_lost(self.name, outlet, reason)
        with self._suspicion_mutex:
            self._suspicion.lost(outlet.session_id, outlet.member, monotonic())
        with suppress(RoomClosing):  # all are lost at the next start
            self._order.submit(Lose(outlet.session_id, outlet.member, self._order.home))

    def tick(self, now: float) -> None:
        """See `Audience`: propose what has become due of the sessions that have no connection."""
        self._elsewhere.look()
        if self.log.loss is not None or (self._proposed is not None and not self._proposed.done):
            return
        with self._suspicion_mutex:
            proposals = self._suspicion.proposals(
                self._applier.state, now, self.timing.grace_seconds, new_salt, self._order.home, self._order.is_alive
            )
        if self._order.newest_version() > self._applier.state.version:
            proposals.append(Upgrade(self._order.newest_version()))
        if proposals:
            with suppress(RoomClosing):
                self._proposed = self._order.submit(*proposals)

    # -- the operator ---------------------------------------------------------------------------------------

    def look(self) -> None:
        """Now and then, in any thread: see to the files of the room."""
        self.log.look()
        if self.log.is_untidy:
            self._order.wake()
        self.search.look()

    def verify_more(self, limit: int) -> None:
        """Now and then, in one thread: verify some of what the start has not. What is damaged stops the room."""
        damage = self.log.verify_more(limit)
        if damage is not None:
            with suppress(RoomClosing):
                self._order.declare(damage)

    @property
    def entry(self) -> int:
        """The number of the last entry that was applied."""
        return self._applier.state.entry

    @property
    def is_idle(self) -> bool:
        """Whether nobody is in it, and nothing is left to do: it can be closed, and opened again when it is asked for."""
        return self._order.rests and not (
            self._applier.state.sessions or self._applier.has_unwritten_marks or self.log.unverified
        )

    def status(self) -> RoomStatus:
        """What the server command shows."""
        return RoomStatus.of(
            self._applier.state, self._multicaster.positions(self), self._integrity.text, self._elsewhere.trouble,
            self._order.home,
        )  # fmt: skip

    def begin_to_close(self) -> None:
        """Take nothing more; doesn't wait. Who is connected here goes to another server, where there is one."""
        if self._order.home:
            with suppress(RoomClosing):
                self._order.submit(Restarted(self._order.home))
        self._order.end()

    def close(self) -> None:
        """Commit what has been asked for, and take nothing more. Deliveries go on until the multicaster is closed."""
        self.begin_to_close()
        self._order.close()
        self.search.close()

    def close_log(self) -> None:
        """The last step, when nobody delivers or reads any more: write the marks that no commit has carried."""
        error = self._applier.flush()
        if error is not None:
            logger.error("room %s: the last marks are lost: %s", self.name, error)
        self.log.close()
