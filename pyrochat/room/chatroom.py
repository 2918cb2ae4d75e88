"""A room's remote object: what anybody with Pyro5 can call. Arguments are checked here, and nowhere later."""

from collections.abc import Callable
from contextlib import suppress

from pyrochat.core.integrity import Resumption
from pyrochat.core.keys import part_key
from pyrochat.core.order import Submission
from pyrochat.core.query import parse_query
from pyrochat.core.sessions import Session
from pyrochat.core.space import log_bytes
from pyrochat.pyro.connecting import Connector
from pyrochat.pyro.connection import Connection
from pyrochat.pyro.daemon import caller, callers_serializer, take_callers_socket
from pyrochat.pyro.dispatch import Later, expose, quick
from pyrochat.pyro.wire import fitting_messages, fitting_names
from pyrochat.room.callbacks import CallbackJoin, callback_of
from pyrochat.room.door.door import Door
from pyrochat.room.door.identity import Identity
from pyrochat.room.door.limiter import Limiter
from pyrochat.room.hosted import Hosted
from pyrochat.room.journal import tell_came, tell_left
from pyrochat.room.members_rooms import MembersRooms
from pyrochat.room.room import Room
from pyrochat.room.turns import Turns
from pyrochat.values.errors import (
    InvalidArgument,
    NameMissing,
    NotAMember,
    ProofMissing,
    PyroChatError,
    UnknownSession,
)
from pyrochat.values.message import CHAT, JOINED, LEFT, REDACT, WireMessage
from pyrochat.values.protocol import MAX_CONFIRMED, MAX_FOUND, MAX_HISTORY, room_object
from pyrochat.values.rules import (
    MAX_KEY_CHARACTERS,
    checked_id,
    checked_integer,
    checked_key,
    checked_name,
    checked_names,
    checked_room_name,
    checked_said,
    checked_texts,
    checked_topic,
)

_MAX_ID = 1 << 62


@expose
class ChatRoom:
    """One room, as `pyrochat.<room>`. Messages are lists, see `values.message`.

    Every method but those of the connection itself needs a name in the handshake:
    ``proxy._pyroHandshake = {"name": "Erick"}``.
    """

    def __init__(
        self, hosted: Hosted, rooms: MembersRooms, door: Door, limiter: Limiter, connector: Connector, turns: Turns
    ) -> None:
        self._hosted = hosted
        self._rooms = rooms
        self._object_id = room_object(hosted.name)
        self._door = door
        self._limiter = limiter
        self._connector = connector
        self._turns = turns

    @property
    def _room(self) -> Room:
        """Opened, where it is not."""
        return self._hosted.opened()

    def prove(self, signature: str, password_proof: str | None = None) -> None:
        """Meet the challenge that the handshake was answered with; for a client with a key, before anything else.

        Both in hexadecimal, made of what `trust.proofs.Meeting` says.
        """
        self._door.prove(caller(), self._object_id, signature, password_proof)
        self._identity()

    @quick
    def post(self, text: str, key: str | None = None, about: int | None = None, kind: str = CHAT) -> Later:
        """Append a message; returns it, durable and in its place.

        key: 1 to 64 printable ASCII characters of the sender's own; the same key again returns the
        message that it made before. about: the id of the message that this one is about. kind: ``"chat"`` (about
        another: an answer), ``"edit"`` (*text* is the new one), ``"redact"`` (*text* is ``""``), ``"react"``, ``"unreact"``
        (*text* is the reaction).
        """
        identity, connection = self._identity(), caller()
        text, key = checked_said(text, kind), checked_key(key)
        if about is not None or kind != CHAT:
            about = checked_integer(about, "the id of the message that it is about", 1, _MAX_ID)
            return self._in_turn(lambda: self._post_about(identity, connection, text, key, kind, about))
        return self._when_open(lambda: _Posting(self._post(identity, connection, [text], [key]), one=True))

    @quick
    def post_many(self, texts: list[str], key: str | list[str | None] | None = None) -> Later | list[WireMessage]:
        """Append texts in one commit, with consecutive ids; returns the messages.

        key: one key for the whole list (its messages bear ``key.0``, ``key.1`` …), or a list with one
        for each text. Where a key stands for something else already, nothing of the call is stored.
        """
        identity, connection = self._identity(), caller()
        texts = checked_texts(texts)
        if not texts:
            return []
        list_key = key if isinstance(key, str) else None
        keys = _keys(key, len(texts))
        return self._when_open(lambda: _Posting(self._post(identity, connection, texts, keys, list_key), one=False))

    def _post(
        self,
        identity: Identity,
        connection: Connection,
        texts: list[str],
        keys: list[str | None],
        list_key: str | None = None,
        kind: str = CHAT,
        about: int | None = None,
    ) -> Submission:
        """Raises RateLimited, QuotaUsedUp, RoomFull, RoomClosing: nothing is on its way then."""
        room, size = self._room, log_bytes(identity.name, texts, keys)
        refusal = room.space.refusal(size)
        self._limiter.check(identity, len(texts), 0 if refusal else size, connection)
        if refusal is None:
            room.space.count(size)
        return room.post(identity.name, texts, keys, list_key, identity.guest_mark, refusal, kind, about)

    def _post_about(
        self, identity: Identity, connection: Connection, text: str, key: str | None, kind: str, about: int
    ) -> WireMessage:
        room = self._room
        about = room.aimed(identity, kind, about)
        [message] = self._post(identity, connection, [text], [key], None, kind, about).wait()
        if kind == REDACT:
            room.search.wait_for_redaction(message)
        return message.to_wire()

    def set_topic(self, text: str) -> WireMessage:
        """The room is about *text* (one line, at most 300 characters; empty: about nothing in particular); returns the
        message that says so."""
        identity, text = self._identity(), checked_topic(text)
        room, size = self._room, log_bytes(identity.name, [text])
        self._limiter.check(identity, 1, size, caller())
        if refusal := room.space.refusal(size):
            raise refusal
        room.space.count(size)
        [message] = room.set_topic(identity.name, text).wait()
        return message.to_wire()

    def current(self, id: int) -> Later:
        """``[text or None, is_edited, [[reaction, [name …]] …], [reply id …]]``: what message *id* is now."""
        self._identity()
        id = checked_id(id)
        return self._in_turn(lambda: self._room.current(id).to_wire())

    def history(self, after: int = 0, limit: int = MAX_HISTORY) -> Later:
        """Messages with an id above *after*, in order: at most *limit* (1 to 1,000), and at most 1 MiB (at least one).

        Fewer than *limit* are not the log's end: where there are more, the next call begins after the last of these.
        """
        self._identity()
        after = checked_integer(after, "after", 0, _MAX_ID)
        limit = min(checked_integer(limit, "limit", 1, _MAX_ID), MAX_HISTORY)
        serializer = callers_serializer()
        return self._in_turn(lambda: fitting_messages(self._room.history(after, limit), serializer))

    def search(self, words: str, before: int | None = None, limit: int = MAX_FOUND) -> Later:
        """``[messages, indexed up to, end]``: what *words* find, newest first, at most *limit* (1 to 50) and 1 MiB.

        words: see `core.query`. before: only messages with ids below. The two ids differ while the server is
        still indexing: newer messages than the first have not been searched yet.
        """
        self._identity()
        query = parse_query(words)
        before = _MAX_ID if before is None else checked_integer(before, "before", 1, _MAX_ID)
        limit = min(checked_integer(limit, "limit", 1, _MAX_ID), MAX_FOUND)
        self._room.search.wait()
        serializer = callers_serializer()

        def find() -> list[object]:
            messages, indexed_up_to, end = self._room.search.find(query, before, limit)
            return [fitting_messages(messages, serializer), indexed_up_to, end]

        return self._in_turn(find)

    def members(self) -> list[str]:
        """The names of the members, in the order in which they joined; at most 1 MiB of them."""
        self._identity()
        return fitting_names(self._room.members(), callers_serializer())

    def suspected(self) -> list[str]:
        """The names of the members whose connection is lost, and who may come back; at most 1 MiB of them."""
        self._identity()
        return fitting_names(self._room.suspected(), callers_serializer())

    def sites(self) -> list[list[object]]:
        """``[label, host:port, seconds since it was heard of, or None]`` of a causal room's sites, this one first; of other
        rooms none."""
        self._identity()
        sites = self._rooms.hosted.sites
        return [] if sites is None else [list(seen) for seen in sites.seen(self._hosted.name)]

    def confirmations(self, id: int) -> list[list[str]]:
        """``[delivered_to, read_by, waiting_for, away]`` of message *id*, at most 1,000 names each."""
        self._identity()
        found = self._room.confirmations(checked_id(id)).to_wire()
        return [names[:MAX_CONFIRMED] for names in found]

    def join(self, callback_uri: str | None = None, resume: list[object] | None = None) -> Later | list[object]:
        """Become a member (or one more session of one); returns ``[session id, log id, tail]``.

        callback_uri: a Pyro object at the caller's own address; the room calls
        ``deliver(messages, marks)`` there, beginning with message 1, and expects ``[delivered, read]``.
        Without one, `attach` on a second connection has to follow soon, and the answer has two things more: how many
        sessions the member has now, and the addresses of all servers that have the room, where those are several.
        resume: ``[session id, log id, replica's end, digest there, proof]`` of a client that was here before;
        proof: None, or ``[id, digest, seal]`` of the last seal that the room has given it (see `trust.seals`).
        """
        identity, connection = self._identity(), caller()
        resumed = _resume(resume)
        if resumed is None:
            self._rooms.hosted.check_open()
        self._limiter.check(identity, 1, log_bytes(identity.name, [JOINED, LEFT]), connection)

        before = self._session_to_resume(identity, resumed)

        def opened(session_id: str) -> None:
            self._check_still_in(identity)
            identity.session_id, connection.stays = session_id, True
            same = before if before is not None and before.id == session_id else None
            tell_came(self._room.name, identity.name, connection.peer_address, same)

        if callback_uri is not None:
            connecting = callback_of(callback_uri, connection, callers_serializer())
            taken_up = self._room.taken_up(identity, resumed)
            return CallbackJoin(self._room, identity, connecting, self._connector, opened, taken_up)
        session_id, tail = self._room.join(identity, resumed)
        opened(session_id)
        sessions = 1 + self._room.other_sessions(identity.member, session_id)
        return [session_id, self._room.log.identity, tail, sessions, self._rooms.hosted.addresses()]

    def attach(self, session_id: str, position: int) -> None:
        """Turn this connection around: from now on the room calls the client's callback on it.

        position: the end of the client's replica. There is no answer; the room's first call is
        ``welcome(session id)``. An error is told only where it is found before the turn.
        """
        identity = self._identity()
        position = checked_integer(position, "the position", 0, _MAX_ID)
        if not isinstance(session_id, str):
            raise InvalidArgument("a session id has to be text")
        self._room.check_session(identity.member, session_id)
        sock, no_answer = take_callers_socket()
        try:
            self._room.attach(identity, session_id, position, sock)
        except PyroChatError:
            sock.close()
        raise no_answer

    def standing(self) -> list[object]:
        """``[delivered, read, origin]``: the marks of the caller's name, from earlier stays too, and `digest` of 0."""
        delivered, read = self._room.marks_of(self._identity().member)
        return [delivered, read, self._room.log.digest(0).hex()]

    def digest(self, id: int) -> str:
        """The digest of the log up to message *id*, in hexadecimal; 0 is the log's beginning."""
        self._identity()
        return self._room.log.digest(checked_integer(id, "a message id", 0, _MAX_ID)).hex()

    @quick
    def mark_read(self, id: int) -> Later:
        """Confirm that everything up to message *id* has been shown; for members."""
        member = self._identity().member
        id = checked_id(id)
        return self._when_open(lambda: _Posting(self._room.mark_read(member, id), one=None))

    def leave(self, delivered: int = 0, read: int = 0) -> None:
        """End the session that this connection has joined (or named in its handshake).

        delivered, read: its marks, where it has not been asked for them.
        """
        identity = self._identity()
        delivered, read = (checked_integer(mark, "a mark", 0, _MAX_ID) for mark in (delivered, read))
        if identity.session_id is None:
            raise NotAMember("this connection has not joined: there is nothing to leave")
        session_id, identity.session_id = identity.session_id, None
        caller().stays = False
        self._room.leave(identity.member, session_id, delivered, read)
        tell_left(self._room.name, identity.name, caller().peer_address)

    def rooms(self) -> list[str]:
        """The names of the rooms that this server has for the caller: the open ones, and the closed ones it may enter."""
        return self._rooms.names_for(self._identity())

    def create_room(self, name: str, members: list[str] | None = None, once: str | None = None) -> list[str] | None:
        """Open another room on this server, where the operator lets the caller; nothing happens where it is there.

        members: a closed room, for the caller and these; ``[name, object id]`` of it is the answer. once: at least 16
        characters that nobody guesses; the same again, by the same key, is the same closed room.
        """
        identity, name = self._identity(), checked_room_name(name)
        if members is not None:
            return self._rooms.create_closed(identity, caller(), name, checked_names(members), checked_key(once))
        self._rooms.create(identity, caller(), name)
        return None

    def direct(self, name: str) -> list[str]:
        """``[name, object id]`` of the room of the caller and *name*, closed to all others; opened where it is not there."""
        return self._rooms.direct(self._identity(), caller(), checked_name(name))

    def invite(self, name: str) -> None:
        """Let *name*, who has a key here, into this closed room; nothing happens where it is in."""
        identity = self._identity()
        self._check_closed(identity)
        self._rooms.invite(identity, self._hosted, checked_name(name))

    def remove(self, name: str) -> None:
        """Shut *name* out of this closed room: it hears nothing more. Who has created the room may, who has invited *name*,
        and *name* itself."""
        identity = self._identity()
        self._check_closed(identity)
        self._rooms.remove(identity, self._hosted, checked_name(name))

    def _check_closed(self, identity: Identity) -> None:
        if not self._hosted.is_closed:
            raise InvalidArgument("this room is open to everybody: only a closed one has people invited and removed")
        self._limiter.check(identity, 1, log_bytes(identity.name, [JOINED, LEFT]), caller())

    def _when_open(self, do: Callable[[], Later]) -> Later:
        """What *do* returns. A room that has to be opened first is no business of the thread that watches connections."""
        return do() if self._hosted.room is not None else self._in_turn(lambda: do().result())

    def _session_to_resume(self, identity: Identity, resume: Resumption | None) -> Session | None:
        """The session that *resume* names, as it is now; None where there is none."""
        with suppress(UnknownSession):
            return self._room.check_session(identity.member, resume.session_id) if resume else None
        return None

    def _in_turn(self, read: Callable[[], object]) -> Later:
        connection = caller()
        if self._hosted.is_closed:
            read = self._still_in(connection.identity, read)
        return self._turns.take(read, lambda seconds: self._limiter.charge(connection, seconds))

    def _check_still_in(self, identity: Identity) -> None:
        """Who was removed while it came gets nothing of a closed room."""
        closed, room = self._rooms.closed, self._hosted.name
        if self._hosted.is_closed and not closed.may_enter(room, identity):
            self._room.expel(identity.member)
            closed.check(room, identity)

    def _still_in(self, identity: object, read: Callable[[], object]) -> Callable[[], object]:
        """*read*, and nothing of it for who was removed meanwhile."""

        def found() -> object:
            value = read()
            if isinstance(identity, Identity):
                self._rooms.closed.check(self._hosted.name, identity)
            return value

        return found

    def _identity(self) -> Identity:
        identity = caller().identity
        if not isinstance(identity, Identity):
            raise NameMissing('say who you are in the handshake: proxy._pyroHandshake = {"name": "your name"}')
        if identity.object_id not in (None, self._object_id):
            raise ProofMissing("this connection was proved for another room: connect to this one")
        if self._hosted.is_closed:
            self._rooms.closed.check(self._hosted.name, identity)
        return identity


class _Posting(Later):
    """What is handed to the room's order becomes on the wire: *one* message, a list of them, or (None) nothing."""

    def __init__(self, submission: Submission, one: bool | None) -> None:
        self._submission = submission
        self._one = one

    def then(self, call: Callable[[], None]) -> None:
        """See `Later`."""
        self._submission.then(call)

    def result(self) -> object:
        """See `Later`."""
        messages = self._submission.wait()
        if self._one is None:
            return None
        return messages[0].to_wire() if self._one else [message.to_wire() for message in messages]


def _keys(key: object, count: int) -> list[str | None]:
    if isinstance(key, list | tuple):
        if len(key) != count:
            raise InvalidArgument(f"{len(key)} keys for {count} texts: give one for each")
        return [checked_key(k) for k in key]
    if key is None:
        return [None] * count
    if isinstance(key, str) and len(key) > MAX_KEY_CHARACTERS - 6:
        raise InvalidArgument(f"a key for several texts can have {MAX_KEY_CHARACTERS - 6} characters at the most")
    prefix = checked_key(key)
    assert prefix is not None
    return [part_key(prefix, index) for index in range(count)]


def _resume(value: object) -> Resumption | None:
    match value:
        case None:
            return None
        case [str(session_id), str(log_id), int(position), str(digest), proof] if 0 <= position <= _MAX_ID:
            try:
                return Resumption(session_id, log_id, position, bytes.fromhex(digest), _proof(proof))
            except ValueError:
                raise InvalidArgument("a digest has to be hexadecimal") from None
    raise InvalidArgument("resume has to be [session id, log id, last message id, digest, proof]")


def _proof(value: object) -> tuple[int, str] | None:
    match value:
        case None:
            return None
        case [int(id), str(), str(seal)] if 0 < id <= _MAX_ID:
            return id, seal
    raise InvalidArgument("a proof has to be [id, digest, seal]")
