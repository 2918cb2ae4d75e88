"""A room as a function of its log: ``state + entries → what changes``, the same on every machine.

State machine replication (Schneider, "Implementing fault-tolerant services using the state machine approach", 1990):
the order (`core.order`) says what comes next, and only that changes a room. Nothing here looks at a clock, at anything
random, or at who it is; the one thing that is read is the log, for what keys have made (`core.keys`). A `Transition`
works out beside the state what a group of entries does; whoever makes that durable takes `Transition.state` over then,
and a commit that fails has changed nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from pyrochat.core.commands import (
    Command,
    Declare,
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
from pyrochat.core.digests import digest_after
from pyrochat.core.integrity import DIFFERS, loss_text
from pyrochat.core.keys import Keys, OwnersKey, owner_of
from pyrochat.core.log import Log, Standing, counted
from pyrochat.core.redaction import Versions, aims
from pyrochat.core.sessions import SUSPECTED, Session, state_of
from pyrochat.core.views import Member
from pyrochat.values.errors import (
    KeyConflict,
    LogLost,
    LogUncertain,
    MessageRedacted,
    NameTaken,
    PyroChatError,
    UnknownMessage,
    UnknownSession,
)
from pyrochat.values.message import EDIT, INVITED, JOINED, LEFT, REDACT, REMOVED, SYSTEM, TOPIC, Message, message_of
from pyrochat.values.times import clamped_time_us

Outcome = list[Message] | PyroChatError | None
"""Of a command: the messages that it has become, now or before (none, where it makes none); or why nothing has changed.
None, of a `Post` that appends nothing: its keys have not made anything before."""


@dataclass(frozen=True, slots=True)
class RoomState:
    """All that the log says of who is here. It is replaced, never changed: any thread may read it.

    tail, digest: of the last message. entry: the number of the last entry that was applied. sessions: of each member
    that has some. version, sources: see `Standing`. present: the view, the names of the members that are here in the order of their joins. loss: what
    proves that messages are missing; None while nothing does. Members are keyed by folded name.
    """

    room: str
    tail: int
    digest: bytes
    entry: int = 0
    sessions: dict[str, tuple[Session, ...]] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    present: dict[str, str] = field(default_factory=dict)
    loss: str | None = None
    version: int = 1
    sources: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, log: Log) -> RoomState:
        """The state that *log* tells of."""
        members = {r.member: Member(r.name, r.first_joined, r.joined) for r in log.members() if r.first_joined}
        here = sorted((known.joined, member) for member, known in members.items() if known.joined is not None)
        sessions: dict[str, tuple[Session, ...]] = {}
        kept = sorted(log.sessions())
        for session in kept:
            sessions[session.member] = (*sessions.get(session.member, ()), session)
        standing = log.standing or Standing(max((session.lost_at or 0 for session in kept), default=0))
        present = {member: members[member].name for _, member in here}
        return cls(
            log.room, *log.tip, standing.entry, sessions, members, present, log.loss, standing.version, standing.sources
        )

    def session(self, member: str, id: str) -> Session | None:
        """The session *id* of *member*, lost or not."""
        return next((session for session in self.sessions.get(member, ()) if session.id == id), None)

    def all_sessions(self) -> list[Session]:
        """All sessions, lost ones included."""
        return [session for sessions in self.sessions.values() for session in sessions]

    def suspected(self) -> list[str]:
        """The names of the members whose sessions are all lost."""
        return [name for member, name in self.present.items() if state_of(self.sessions.get(member, ())) == SUSPECTED]

    def members_since(self, id: int, sender: str) -> list[str]:
        """The folded names of those who had joined for the first time at or before message *id*, without its *sender*."""
        return [name for name, member in self.members.items() if member.first_joined <= id and name != sender]

    def name_of(self, member: str) -> str:
        """The spelling under which *member* joined last; *member* itself where it never did."""
        known = self.members.get(member)
        return member if known is None else known.name


class Transition:
    """What a group of entries does to *state*, worked out beside it.

    outcomes of `apply`: to be told only when what follows is durable.
    messages: new in the log, each with its digest in `digests`. owners: whose their keys are, by id.
    sessions: those that are new or changed, by id; None for one that has ended. opened: those that are new. ended:
    those that have ended, as they were.
    moved: the members that have joined or left.
    erased: messages of *log* whose texts have to go, as they are without them, by id. deleted: all that was deleted, as
    it was.
    """

    def __init__(self, state: RoomState, log: Log, entries: Iterable[Entry] = ()) -> None:
        posts = [command for entry in entries for command in entry.commands if isinstance(command, Post)]
        self._keys = Keys(log, posts)
        self._versions = Versions(log, aims(posts))
        self.before = state
        self.messages: list[Message] = []
        self.digests: list[bytes] = []
        self.owners: dict[int, str] = {}
        self.sessions: dict[str, Session | None] = {}
        self.opened: list[Session] = []
        self.ended: list[Session] = []
        self.moved: list[str] = []
        self.erased: dict[int, Message] = {}
        self.deleted: list[Message] = []
        self._tail, self._digest, self._entry, self._loss = state.tail, state.digest, state.entry, state.loss
        self._version, self._sources = state.version, state.sources
        self._log = log
        self._time_us = 0
        self._by_member, self._members, self._present = state.sessions, state.members, state.present
        self._is_own = False  # whether these three are copies, which may be changed

    @property
    def state(self) -> RoomState:
        """What the room is afterwards."""
        return RoomState(
            self.before.room, self._tail, self._digest, self._entry,
            self._by_member, self._members, self._present, self._loss, self._version, self._sources,
        )  # fmt: skip

    @property
    def standing(self) -> Standing | None:
        """Where the log stands afterwards, where that is news and others follow the same order."""
        is_news = self._sources is not self.before.sources
        return Standing(self._entry, self._version, self._sources) if is_news else None

    @property
    def loss(self) -> str | None:
        """The loss that was declared; None where none was."""
        return self._loss if self._loss != self.before.loss else None

    @property
    def new_keys(self) -> list[OwnersKey]:
        """The keys that have made something new."""
        return [(self.owners[m.id], m.key) for m in self.messages if m.key is not None and m.id in self.owners]

    @property
    def is_empty(self) -> bool:
        """Whether nothing has to be made durable."""
        return not (self.messages or self.sessions or self.loss or self.standing)

    def apply(self, entry: Entry) -> list[Outcome]:
        """Do what the commands of *entry* want, one after the other; returns the outcome of each.

        An entry that was applied before does nothing: whoever handed it in has been told.
        """
        if entry.number <= self._entry:
            return [None] * len(entry.commands)
        if entry.source is not None:
            self.compare(entry)
            if self._loss is not None:
                return [self._lost(self._loss)] * len(entry.commands)
            sources = counted(self._sources, entry.source)
            if sources is None:  # it arrives again, or late
                self._entry, self._sources = entry.number, dict(self._sources)
                return [None] * len(entry.commands)
            self._sources = sources
        self._entry, self._time_us = entry.number, clamped_time_us(entry.time_us)
        return [self._do(command) for command in entry.commands]

    def compare(self, entry: Entry) -> None:
        """Where the server of *entry* has had another message than there is here, this log is not the one that all follow."""
        source, (id, digest) = entry.source and entry.source[0], entry.tip
        if id > self._tail:
            self.declare(f"{DIFFERS}: {source} has had message {id}, here the log ends at {self._tail}")
        elif digest:
            before = self.before.tail
            mine = b""  # where the log lacks it
            with suppress(UnknownMessage):
                mine = self.digests[id - before - 1] if id > before else self._log.digest(id)
            if not mine.hex().startswith(digest):
                self.declare(f"{DIFFERS}: up to message {id} it is not what {source} has")

    def declare(self, loss: str) -> None:
        """*loss* proves that the log is not whole. The first one stays."""
        self._loss = self._loss or loss

    def _lost(self, loss: str) -> LogLost | LogUncertain:
        """Where only this log is not whole, the others have what was wanted."""
        text = loss_text(self.before.room, loss)
        return (
            LogUncertain(f"{text}; ask again there, with the same key") if loss.startswith(DIFFERS) else LogLost(text)
        )

    def _do(self, command: Command) -> Outcome:
        if self._loss is not None and not isinstance(command, Declare):
            return self._lost(self._loss)
        match command:
            case Post():
                return self._post(command)
            case SetTopic(sender, text, salt):
                return [self._append(sender, text, SYSTEM, None, TOPIC, salt)]
            case Open(session, member, name, salt, key, home):
                return self._open(Session(session, member, name, None, home), salt, key)
            case Resume(session, member, home):
                return self._resume(member, session, home)
            case Lose(session, member, home):
                self._lose(member, session, home)
            case End(session, member, salt, lost_at):
                return self._end(member, session, salt, lost_at)
            case Invited(sender, name, key, salt):
                return [self._append(sender, f"{sender} invited {name}", SYSTEM, key, INVITED, salt)]
            case Removed():
                return self._remove(command)
            case Restarted(home):
                self._restart(home)
            case Upgrade(version):
                self._version = max(self._version, version)
            case Declare(loss):
                self.declare(loss)
        return []

    # -- sessions and views ------------------------------------------------------------------------------

    def _open(self, session: Session, salt: str, key: str | None) -> Outcome:
        """A session that is there already stays as it is."""
        if self._find(session.member, session.id) is not None:
            return []
        others = self._by_member.get(session.member, ())
        if key is None and any(other.home != session.home for other in others):  # each server sees to its own guests
            return NameTaken(f"the name {session.name!r} is in use by another client: choose another name")
        self._put(session)
        self.opened.append(session)
        if session.member in self._present:
            return []
        joined = self._append(session.name, f"{session.name} {JOINED}", SYSTEM, key, JOINED, salt)
        known = self._members.get(session.member)
        first_joined = joined.id if known is None else known.first_joined
        self._members[session.member] = Member(session.name, first_joined, joined.id)
        self._present[session.member] = session.name
        self.moved.append(session.member)
        return [joined]

    def _resume(self, member: str, id: str, home: str) -> Outcome:
        session = self._find(member, id)
        if session is None:
            return UnknownSession("this session has ended: join again")
        if session.lost_at is not None or session.home != home:
            self._put(session._replace(lost_at=None, home=home))
        return []

    def _lose(self, member: str, id: str, home: str) -> None:
        session = self._find(member, id)
        if session is not None and session.lost_at is None and session.home == home:
            self._put(session._replace(lost_at=self._entry))

    def _end(self, member: str, id: str, salt: str, lost_at: int | None) -> list[Message]:
        session = self._find(member, id)
        if session is None or (lost_at is not None and session.lost_at != lost_at):
            return []
        self._own()
        self.sessions[id] = None
        self.ended.append(session)
        others = tuple(other for other in self._by_member.pop(member) if other.id != id)
        if others:
            self._by_member[member] = others
            return []
        name = self._present.pop(member)
        self._members[member] = self._members[member]._replace(joined=None)
        self.moved.append(member)
        return [self._append(name, f"{name} {LEFT}", SYSTEM, None, LEFT, salt)]

    def _remove(self, removed: Removed) -> list[Message]:
        made: list[Message] = []
        of_left, of_removed = removed.salts
        for session in self._by_member.get(removed.member, ()):
            made += self._end(removed.member, session.id, of_left, None)
        is_own = removed.sender == removed.name
        text = f"{removed.sender} gave up the room" if is_own else f"{removed.sender} removed {removed.name}"
        return [*made, self._append(removed.sender, text, SYSTEM, removed.key, REMOVED, of_removed)]

    def _restart(self, home: str) -> None:
        """Nobody has a connection to *home*. Who is in the view without a session, in a log of an older version, gets one that
        nobody can name."""
        for member, name in self._present.items():
            if member not in self._by_member:
                self._put(Session(f"before entry {self._entry}: {member}", member, name, None, home))
        for sessions in list(self._by_member.values()):
            for session in sessions:
                self._lose(session.member, session.id, home)

    def _find(self, member: str, id: str) -> Session | None:
        return next((session for session in self._by_member.get(member, ()) if session.id == id), None)

    def _put(self, session: Session) -> None:
        self._own()
        others = (other for other in self._by_member.get(session.member, ()) if other.id != session.id)
        self._by_member[session.member] = tuple(sorted((*others, session)))
        self.sessions[session.id] = session

    def _own(self) -> None:
        """Copy what is about to change, once a group: *before* stays as it is."""
        if not self._is_own:
            self._is_own = True
            self._by_member, self._members, self._present = (
                dict(self._by_member),
                dict(self._members),
                dict(self._present),
            )

    # -- messages ----------------------------------------------------------------------------------------

    def _post(self, post: Post) -> Outcome:
        owner, length = owner_of(post), len(self.messages)
        if post.list_key is not None:
            made = self._keys.by_list(owner, post.list_key, post.keys, post.texts)
            return (
                [self._take(post, owner, n) for n in range(len(post.texts))] if made is None and post.appends else made
            )
        messages: list[Message] = []
        for n, (text, key) in enumerate(zip(post.texts, post.keys, strict=True)):
            known = None if key is None else self._made_by(post, owner, key, text)
            message: Message | PyroChatError | None = known
            if known is None and post.appends:
                message = self._refusal(post) or self._take(post, owner, n)
            if not isinstance(message, Message):
                self._take_back(owner, length)
                return message
            messages.append(message)
        return messages

    def _made_by(self, post: Post, owner: str, key: str, text: str | None) -> Message | KeyConflict | None:
        """What *key*, under which *text* stands in *post*, has made before."""
        return self._keys.by_text(owner, key, text, post.kind, post.about)

    def _take(self, post: Post, owner: str, number: int) -> Message:
        """The text *number* of *post* becomes a message."""
        key = post.keys[number]
        message = self._append(post.sender, post.texts[number], post.kind, key, None, post.salts[number], post.about)
        if post.kind == EDIT:
            self._versions.edited(message)
        elif post.kind == REDACT and post.about is not None:
            self._erase(post.about)
        if key is not None:
            self._keys.made(owner, key, message)
            self.owners[message.id] = owner
        return message

    def _refusal(self, post: Post) -> PyroChatError | None:
        """Why the message can't be edited, or deleted, that *post* is about."""
        if post.kind not in (EDIT, REDACT) or post.about is None:
            return None
        versions = self._versions.of(post.about)
        if not versions:
            return UnknownMessage(f"there is no message {post.about}: the log ends at {self._tail}")
        return MessageRedacted(f"message {post.about} was deleted") if versions[0].is_redacted else None

    def _erase(self, id: int) -> None:
        """The text of message *id* goes, and those of its edits."""
        self.deleted += self._versions.of(id)
        for message in self._versions.erase(id):
            if message.id > self.before.tail:
                self.messages[message.id - self.before.tail - 1] = message
            else:
                self.erased[message.id] = message

    def _take_back(self, owner: str, length: int) -> None:
        """A post is refused: `messages` were *length* before it, and are again."""
        for message in self.messages[length:]:
            self._versions.forget(message.id)
            if message.id in self.owners:
                self._keys.forget(owner, message.key or "")
                del self.owners[message.id]
        del self.messages[length:], self.digests[length:]
        self._tail = self.before.tail + length
        self._digest = self.digests[-1] if self.digests else self.before.digest

    def _append(
        self,
        sender: str,
        text: str,
        kind: str,
        key: str | None,
        change: str | None,
        salt: str,
        about: int | None = None,
    ) -> Message:
        self._tail += 1
        room = self.before.room
        message = message_of(
            (self._tail, room, sender, text, self._time_us, kind, key, about, change, self._next_ref(), salt, None)
        )
        self._digest = digest_after(self._digest, message)
        self.messages.append(message)
        self.digests.append(self._digest)
        self._versions.made(message)
        return message

    def _next_ref(self) -> str | None:
        """The name everywhere of the message that is appended next; None where its id is that."""
        return None
