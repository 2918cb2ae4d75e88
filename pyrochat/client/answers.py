"""What servers answer: how much of it is taken, and how it is read. The one place where that is done.

A server may be older, newer, defect or hostile. Whatever it answers becomes the value that was asked for, or a
ServerFault; nothing else is raised, and nothing of it is believed before its form is right. What it says beside the log
(`read_notice`) is one line without control characters, and short. Pure functions.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Generic, NamedTuple, TypeVar

from pyrochat.core.digests import DIGEST_BYTES, SALT_CHARACTERS, is_commitment
from pyrochat.pyro.remote import SMALL, Most, RemoteObject
from pyrochat.pyro.serializers import ValueBounds
from pyrochat.values.addresses import MOST_PLACES, Address, parse_address
from pyrochat.values.errors import InvalidArgument, ServerFault
from pyrochat.values.message import Message, messages_from_wire
from pyrochat.values.rules import MAX_KEY_CHARACTERS, decoded_hex
from pyrochat.values.sites import SiteSeen
from pyrochat.values.visible import one_line

Value = TypeVar("Value")

_MOST_ID = 1 << 62
_MOST_SITES = 1000
_MOST_PENDING = 1000
_MOST_NAME_CHARACTERS = 128  # a name has 32; what is longer is none, and would only fill caches
_MOST_NOTICE_CHARACTERS = 500
_MOST_SEAL_CHARACTERS = 512
_LOG_ID_CHARACTERS = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.")

_ID, _ROOM, _SENDER, _TEXT, _KIND = map(itemgetter, (0, 1, 2, 3, 5))  # of messages, for whole columns
_SHORT = itemgetter(6, 8, 9)  # key, change, ref

_NAMES = Most(4 << 20, ValueBounds(65_536, 8))
_MESSAGES = Most(8 << 20, ValueBounds(200_000, 8))  # 10,000 texts with their names and keys


class Joined(NamedTuple):
    """What `join` answers. tail: the id of the log's last message. sessions: of our member, this one included. servers: the
    addresses of all that have the room, where those are several."""

    session_id: str
    log_id: str
    tail: int
    sessions: int = 1
    servers: tuple[Address, ...] = ()


class Standing(NamedTuple):
    """How we stand with a room. read: our member's mark. origin: the digest before message 1."""

    read: int
    origin: bytes


class Found(NamedTuple):
    """What a search has found: newest first; and the two ids that say whether all was searched."""

    messages: list[Message]
    indexed_up_to: int
    end: int


class Question(NamedTuple, Generic[Value]):
    """A call that a client makes. most: what is taken of the answer. read: makes the value of it, or raises ServerFault."""

    method: str
    read: Callable[[object], Value]
    most: Most = SMALL


def ask(remote: RemoteObject, question: Question[Value], *arguments: object, seconds: float | None = None) -> Value:
    """The value that the server answers *question* with. Raises ServerFault, and what `RemoteObject.call` raises."""
    return question.read(remote.call(question.method, *arguments, most=question.most, seconds=seconds))


# -- readers ------------------------------------------------------------------------------------------------------


def _read_messages(value: object) -> list[Message]:
    """Messages, in whatever order they come."""
    messages = _from_wire(value, gapless=False)
    for id in map(_ID, messages):
        if not 0 < id <= _MOST_ID:
            raise _nonsense("a message has an id")
    return messages


def read_delivered(value: object) -> list[Message]:
    """Messages whose ids follow each other without a gap: works on whole columns, as a newcomer's history comes so."""
    messages = _from_wire(value, gapless=True)
    if messages:
        _read_id(messages[0].id - 1)
        _read_id(messages[-1].id)
    return messages


def read_pending(value: object) -> list[Message]:
    """Messages that have no number yet; their ids are 0."""
    if not isinstance(value, list) or not all(isinstance(row, list) and row and row[0] is None for row in value):
        raise _nonsense("what is pending has no number")
    return _from_wire([[0, *row[1:]] for row in value[:_MOST_PENDING]], gapless=False)


def _from_wire(value: object, *, gapless: bool) -> list[Message]:
    if not isinstance(value, list):
        raise _nonsense("messages have to be a list")
    try:
        messages = messages_from_wire(value, gapless=gapless)
    except InvalidArgument as error:
        raise _nonsense(str(error)) from None
    if messages:
        _check_fields(messages)
    return messages


def read_marks(value: object) -> list[tuple[str, int, int]]:
    """``(name, delivered, read)`` of members whose marks have moved."""
    if not isinstance(value, list):
        raise _nonsense("marks have to be a list")
    found = []
    for mark in value:
        match mark:
            case [str(name), delivered, read, *_] if len(name) <= _MOST_NAME_CHARACTERS:
                found.append((name, _read_id(delivered), _read_id(read)))
            case _:
                raise _nonsense("a mark has to be [name, delivered, read]")
    return found


def _read_id(value: object) -> int:
    """The id of a message, 0 for none."""
    if type(value) is not int or not 0 <= value <= _MOST_ID:
        raise _nonsense("an id has to be a whole number")
    return value


def read_seal(id: object, seal: object) -> tuple[int, str] | None:
    """The room's seal on a message: the id, and what it will be shown. None where it is no seal: it proves nothing."""
    if type(id) is not int or not isinstance(seal, str) or not seal.isascii() or len(seal) > _MOST_SEAL_CHARACTERS:
        return None
    return id, seal


def read_notice(value: object) -> str:
    """What a server says beside the log: one line, at most 500 characters, harmless in a terminal and in a file."""
    if not isinstance(value, str):
        raise _nonsense("what is said has to be text")
    return one_line(value, _MOST_NOTICE_CHARACTERS)


def _check_fields(messages: Sequence[Message]) -> None:
    """Raise ServerFault for what no log holds: the digests have no place for it. There is at least one message."""
    names = {*map(_ROOM, messages), *map(_SENDER, messages), *map(_KIND, messages)}
    short = set(filter(None, chain.from_iterable(map(_SHORT, messages))))
    text = "".join(chain(map(_TEXT, messages), names, short))
    if not (
        max(map(len, names)) <= _MOST_NAME_CHARACTERS
        and max(map(len, short), default=0) <= MAX_KEY_CHARACTERS
        and (text.isascii() or _is_unicode(text))
        and all(map(_can_be_proved, messages))
    ):
        raise _nonsense("a message has what no log can hold")


def _can_be_proved(message: Message) -> bool:
    proof = message.proof
    return proof is None or (len(proof) == SALT_CHARACTERS and proof.isascii()) or is_commitment(proof, message.text)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


def _read_names(value: object) -> list[str]:
    """Names, as they can be shown anywhere."""
    if not isinstance(value, list) or not set(map(type, value)) <= {str}:
        raise _nonsense("names have to be a list of texts")
    return [one_line(name, _MOST_NAME_CHARACTERS) for name in value]


def _read_joined(value: object) -> Joined:
    match value:
        case [str(session_id), str(log_id), tail, *more] if len(session_id) <= _MOST_NAME_CHARACTERS:
            if not session_id.isprintable():  # as lone surrogates are not: it is sent back
                raise _nonsense("a session's id can't be sent")
            if not 0 < len(log_id) <= _MOST_NAME_CHARACTERS or not _LOG_ID_CHARACTERS.issuperset(log_id):
                raise _nonsense("a log's id has letters and digits")
            sessions = _read_id(more[0]) if more else 1  # older servers say less
            return Joined(session_id, log_id, _read_id(tail), sessions, _read_servers(more[1]) if len(more) > 1 else ())
    raise _nonsense("it has to be [session id, log id, tail]")


def _read_servers(value: object) -> tuple[Address, ...]:
    if not isinstance(value, list) or len(value) > MOST_PLACES:
        raise _nonsense("servers have to be a list of addresses")
    try:
        return tuple(parse_address(address, 0) for address in value if isinstance(address, str))
    except InvalidArgument:
        raise _nonsense("a server's address has to be host:port") from None


def _read_standing(value: object) -> Standing:
    match value:
        case [delivered, read, origin, *_]:
            _read_id(delivered)
            return Standing(_read_id(read), bytes.fromhex(_read_digest(origin)))
    raise _nonsense("it has to be [delivered, read, origin]")


def _read_digest(value: object) -> str:
    digest = decoded_hex(value, DIGEST_BYTES)
    if digest is None:
        raise _nonsense(f"a digest has {2 * DIGEST_BYTES} hexadecimal digits")
    return digest.hex()


def _read_confirmations(value: object) -> tuple[list[str], list[str], list[str], list[str]]:
    match value:
        case [delivered_to, read_by, waiting_for, away, *_]:
            return _read_names(delivered_to), _read_names(read_by), _read_names(waiting_for), _read_names(away)
    raise _nonsense("it has to be [delivered_to, read_by, waiting_for, away]")


def _read_one(value: object) -> Message:
    return _read_messages([value])[0]


def _read_found(value: object) -> Found:
    match value:
        case [messages, indexed_up_to, end, *_]:
            return Found(_read_messages(messages), _read_id(indexed_up_to), _read_id(end))
    raise _nonsense("it has to be [messages, indexed up to, end]")


def _read_closed(value: object) -> list[tuple[str, str]]:
    """Titles of closed rooms, with their object ids."""
    if not isinstance(value, list):
        raise _nonsense("closed rooms have to be a list")
    return [_read_place(room) for room in value]


def _read_place(value: object) -> tuple[str, str]:
    match value:
        case [str(name), str(object_id), *_] if 0 < len(object_id) <= _MOST_NAME_CHARACTERS and object_id.isprintable():
            return one_line(name, _MOST_NAME_CHARACTERS), object_id
    raise _nonsense("a room has to be [name, object id]")


def _read_created(value: object) -> tuple[str, str] | None:
    """An open room is found by its name."""
    return None if value is None else _read_place(value)


def _read_nothing(value: object) -> None:
    """It is enough that the server has answered."""


def _nonsense(why: str) -> ServerFault:
    return ServerFault(f"the server's answer makes no sense ({why}): is it a PyroChat server of this version?")


def _read_sites(value: object) -> list[SiteSeen]:
    match value:
        case list() | tuple() as rows:
            return [_read_site(row) for row in rows[:_MOST_SITES]]
    raise _nonsense("sites are not a list")


def _read_site(row: object) -> SiteSeen:
    match row:
        case [str(label), str(at), (int() | float() | None) as seconds, *_]:
            return SiteSeen(one_line(label, _MOST_NAME_CHARACTERS), one_line(at, _MOST_NAME_CHARACTERS), seconds)
    raise _nonsense("a site is no list of what it is")


# -- what clients ask ---------------------------------------------------------------------------------------------

ROOMS = Question("rooms", _read_names)
PROVE = Question("prove", _read_nothing)
JOIN = Question("join", _read_joined)
STANDING = Question("standing", _read_standing)
POST = Question("post", lambda value: _read_messages([value]))
SET_TOPIC = Question("set_topic", _read_one)
POST_MANY = Question("post_many", _read_messages, _MESSAGES)
MARK_READ = Question("mark_read", _read_nothing)
LEAVE = Question("leave", _read_nothing)
DIGEST = Question("digest", _read_digest)
SUSPECTED = Question("suspected", _read_names, _NAMES)
SITES = Question("sites", _read_sites, _NAMES)
CONFIRMATIONS = Question("confirmations", _read_confirmations, _NAMES)
SEARCH = Question("search", _read_found, _MESSAGES)
CREATE_ROOM = Question("create_room", _read_created)
CLOSED_ROOMS = Question("closed_rooms", _read_closed, _NAMES)
DIRECT = Question("direct", _read_place)
INVITE = Question("invite", _read_nothing)
REMOVE = Question("remove", _read_nothing)

QUESTIONS = (
    ROOMS, PROVE, JOIN, STANDING, POST, SET_TOPIC, POST_MANY, MARK_READ, LEAVE, DIGEST, SUSPECTED, SITES, CONFIRMATIONS, SEARCH, CREATE_ROOM,
    CLOSED_ROOMS, DIRECT, INVITE, REMOVE,
)  # fmt: skip
"""All that a client calls on a server, greetings and `attach` (which has no answer) left out."""
