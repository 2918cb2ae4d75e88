"""The door: who gets in, under which name, and what has to be shown for it.

The handshake says who somebody wants to be. A client with a key gets a challenge for an answer, and
`prove`, its first call, has to meet it; a guest is in at once, under a name that no key holds; who gives
no name may only ask which rooms there are.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from pyrochat.core.limits import is_new
from pyrochat.core.rates import Rate
from pyrochat.pyro.connection import Connection
from pyrochat.room.door.identity import NOBODY, Applicant, Identity, SiteIdentity
from pyrochat.room.door.limiter import Limiter
from pyrochat.room.door.names import Names
from pyrochat.room.door.passwords import Guessing, Passwords
from pyrochat.room.door.registry import Registry
from pyrochat.trust.keys import PUBLIC_KEY_BYTES, Key, verifies
from pyrochat.trust.proofs import NONCE_BYTES, Meeting, new_nonce
from pyrochat.values.errors import (
    GuestsRefused,
    InvalidArgument,
    NameTaken,
    NewRoomsRefused,
    ProofWrong,
    ServerFull,
    VersionMismatch,
)
from pyrochat.values.keys import guest_mark
from pyrochat.values.protocol import PROTOCOL_VERSION
from pyrochat.values.rules import checked_flag, checked_name, checked_password, decoded_hex, fold

NEW_ROOMS = ("nobody", "members", "everyone")
_TURNS = 64
_MOST_LABEL_CHARACTERS = 32
_SITE_SECONDS = 1e9  # a site is no newcomer that shares with others of its address
_GUESSING = Guessing()


@dataclass(frozen=True, slots=True)
class Access:
    """What a server asks of those who come. Raises InvalidArgument.

    password: None for open rooms. guests: whether a key can be missing. new_rooms: who may create a room,
    one of `NEW_ROOMS`: "members" have a key, "everyone" is guests too. guessing: how many wrong passwords are heard.
    """

    password: str | None = None
    guests: bool = True
    new_rooms: str = "nobody"
    guessing: Guessing = _GUESSING

    def __post_init__(self) -> None:
        checked_password(self.password)
        checked_flag(self.guests, "guests")
        if self.new_rooms not in NEW_ROOMS:
            raise InvalidArgument(f"new rooms are for {', '.join(NEW_ROOMS)}, not for {self.new_rooms!r}")


class Door:
    """Binds identities to the connections of one server.

    key: the server's own. certificate: SHA-256 of the one that it shows, empty without TLS. limiter: takes down
    where they come from; None: with the usual limits. takes_sites: the rooms are causal: other sites may come, and what members
    own is theirs by their key too.
    """

    def __init__(
        self, registry: Registry, names: Names, key: Key, certificate: bytes, access: Access,
        limiter: Limiter | None = None, takes_sites: bool = False,
        names_are_shared: bool = False,
    ) -> None:  # fmt: skip
        self._takes_sites = takes_sites
        self._marks_keys = takes_sites and not names_are_shared
        self._registry = registry
        self._names = names
        self._key = key
        self._certificate = certificate
        self._access = access
        self._limiter = limiter or Limiter(Rate())
        self._passwords = None if access.password is None else Passwords(access.password, key.public, access.guessing)
        self._turns = [threading.Lock() for _ in range(_TURNS)]  # one under each name at a time is let in
        self._inside: dict[Identity, Connection] = {}

    def greet(self, connection: Connection, data: object) -> object:
        """The handshake; returns its answer. Raises what keeps a newcomer out."""
        answer: dict[str, object] = {
            "version": PROTOCOL_VERSION, "key": self._key.public.hex(), "password": self._access.password is not None,
        }  # fmt: skip
        if isinstance(data, dict) and self._takes_sites and isinstance(data.get("site"), str):
            _check_version(data.get("version"))
            return answer | self._challenge(connection, data["site"][:_MOST_LABEL_CHARACTERS], data, is_site=True)
        if not isinstance(data, dict) or "name" not in data:
            connection.identity, connection.settled = NOBODY, True
            return answer
        _check_version(data.get("version", PROTOCOL_VERSION))
        name = checked_name(data["name"])
        session_id = data.get("session")
        if not isinstance(session_id, str | None):
            raise InvalidArgument("a session id has to be text")
        if data.get("key") is None:
            client = data.get("client")
            if not isinstance(client, str | None) or not (client or "").isprintable():  # lone surrogates are not
                raise InvalidArgument("a client id has to be printable text")
            self._let_guest_in(connection, name, client, data.get("password"))
            return answer
        return answer | self._challenge(connection, name, data, session_id)

    def _challenge(
        self, connection: Connection, name: str, data: Mapping[object, object], session_id: str | None = None, is_site: bool = False
    ) -> dict[str, object]:  # fmt: skip
        """For a greeting with a key, which `prove` has to follow."""
        object_id = data.get("room")
        if not isinstance(object_id, str) or not object_id.isprintable():  # lone surrogates are not
            raise InvalidArgument("a greeting with a key has to name its room")
        meeting = Meeting(
            name, _hexadecimal(data["key"], PUBLIC_KEY_BYTES), _hexadecimal(data.get("nonce"), NONCE_BYTES),
            object_id, self._key.public, new_nonce(), self._certificate,
        )  # fmt: skip
        connection.identity = Applicant(meeting, session_id, is_site)
        signature = self._key.sign(meeting.for_server()).hex()
        return {"nonce": meeting.server_nonce.hex(), "signature": signature}

    def _let_guest_in(self, connection: Connection, name: str, client: str | None, password: object) -> None:
        if not self._access.guests:
            raise GuestsRefused("this server takes no guests: come with PyroChat's own client, which has a key")
        if self._passwords is not None:
            self._passwords.check_guest(connection.peer, password)
        self._let_in(connection, Identity(name, fold(name), guest_mark=guest_mark(client)))

    def prove(self, connection: Connection, object_id: str, signature: object, password_proof: object) -> None:
        """The first call of a client with a key.

        Raises ProofWrong, WrongPassword, TooManyAttempts, NameTaken, Banned, ServerFull, QuotaUsedUp.
        """
        applicant = connection.identity
        if not isinstance(applicant, Applicant):
            raise ProofWrong("there is nothing to prove on this connection")
        connection.identity = NOBODY  # one try: the challenge is used up
        meeting = applicant.meeting
        if object_id != meeting.object_id:
            raise ProofWrong("the proof is for another room")
        if not verifies(meeting.client_key, _hexadecimal(signature, 64), meeting.for_client()):
            raise ProofWrong("the signature is not your key's on this greeting")
        member = fold(meeting.name)
        if self._passwords is not None:
            given = None if password_proof is None else _hexadecimal(password_proof, 32)
            known_key = meeting.client_key if self._registry.key_of(member) == meeting.client_key else None
            self._passwords.check_proof(connection.peer, known_key, given, meeting)
        if applicant.is_site:
            self._let_site_in(connection, meeting)
            return
        mark = meeting.client_key.hex() if self._marks_keys else ""
        identity = Identity(meeting.name, member, meeting.client_key, applicant.session_id, meeting.object_id, mark)
        self._let_in(connection, identity)

    def _let_site_in(self, connection: Connection, meeting: Meeting) -> None:
        origin = self._limiter.origin_of(meeting.client_key, connection.peer, _SITE_SECONDS)
        connection.identity = SiteIdentity(meeting.name, meeting.client_key, meeting.object_id, origin)
        connection.trusted = connection.vouched = True

    def _let_in(self, connection: Connection, identity: Identity) -> None:
        """Bind *identity* to *connection*. Raises what keeps it out.

        Whose the name is comes first: who may not have it never holds it, not even for the moment in which its
        owner comes.
        """
        entry = self._registry.check(identity.name, identity.key)
        seconds_known = 0.0 if identity.key is None else self._registry.seconds_known(identity.key)
        is_known = not is_new(seconds_known)
        if entry is not None and entry.key is not None:  # its owner: waits for nobody
            self._hold_name(connection, identity, is_known)
        else:
            with self._turns[hash(identity.member) % _TURNS]:
                self._let_newcomer_in(connection, identity, is_known)
        identity.origin = self._limiter.origin_of(identity.key, connection.peer, seconds_known)
        if entry is not None and (rival := self._registry.rival_of(identity.member)) is not None:
            identity.notice = (
                f"the name {rival!r}, which another key has, is the same as yours now, and is refused: the server's operator "
                "can free one of the two (pyrochat-server names remove)"
            )
        connection.identity, connection.trusted, connection.vouched = identity, True, identity.key is not None

    def _let_newcomer_in(self, connection: Connection, identity: Identity, is_known: bool) -> None:
        """A guest, or the first that comes under a name; one after the other. Raises what keeps it out."""
        self._registry.check(identity.name, identity.key)  # again: another may have had its turn meanwhile
        self._hold_name(connection, identity, is_known)
        if identity.key is None:
            return
        try:
            self._limiter.take_name(connection.peer)
            try:
                self._registry.claim(identity.name, identity.key)
            except BaseException:
                self._limiter.give_name_back(connection.peer)
                raise
        except BaseException:
            self._inside.pop(identity, None)
            self._names.release(identity.member, identity)
            raise

    def _hold_name(self, connection: Connection, identity: Identity, is_known: bool) -> None:
        """Raises NameTaken, ServerFull."""
        if identity.key is not None and connection.crowded and not is_known:
            raise ServerFull("the last places are kept for members whose keys are known here: try again later")
        claim = identity.member, identity.key, identity, connection.peer, is_known
        try:
            self._names.claim(*claim)
        except (NameTaken, ServerFull):
            self._release_gone(identity.member)
            self._names.claim(*claim)
        self._inside[identity] = connection

    def _release_gone(self, member: str) -> None:
        """Who comes again at once may meet a connection of its own that has ended, and nobody has looked at it yet."""
        for identity, connection in list(self._inside.items()):
            if identity.member == member and connection.has_hung_up():
                self._names.release(member, identity)

    def check_may_create_rooms(self, identity: Identity) -> None:
        """Raise NewRoomsRefused where *identity* may not."""
        if self._access.new_rooms == "nobody":
            raise NewRoomsRefused(
                "nobody can create rooms here: ask the operator (pyrochat-server --new-rooms members)"
            )
        if self._access.new_rooms == "members" and identity.key is None:
            raise NewRoomsRefused("guests can't create rooms here: come with PyroChat's own client, which has a key")

    def bid_farewell(self, connection: Connection) -> None:
        """*connection* is gone."""
        identity = connection.identity
        if isinstance(identity, Identity):
            self._inside.pop(identity, None)
            self._names.release(identity.member, identity)

    def show_out(self, member: str) -> None:
        """Close the connections of the folded name *member*."""
        for identity, connection in list(self._inside.items()):
            if identity.member == member:
                connection.hang_up()


def _check_version(version: object) -> None:
    if version != PROTOCOL_VERSION:
        theirs = version if isinstance(version, int) and abs(version) < 1_000_000 else "another one"
        raise VersionMismatch(
            f"this server speaks version {PROTOCOL_VERSION} of PyroChat's protocol, the client {theirs}: "
            "upgrade the older one"
        )


def _hexadecimal(value: object, size: int) -> bytes:
    found = decoded_hex(value, size)
    if found is None:
        raise InvalidArgument(f"{2 * size} hexadecimal digits are expected, for a key, a nonce or a signature")
    return found
