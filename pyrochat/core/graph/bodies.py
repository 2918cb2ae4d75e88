"""What events say: messages as their site's log has them, and which other site is let in.

A body is JSON, and the same for all who read it: what is not exactly of this shape is no body, and its event is taken by
nobody. Texts are not in it, only commitments to them (`core.digests`); they travel beside, with their salts.

The names in it are as they were spelled. Nothing here depends on Unicode's tables, which differ between Python versions.
"""

import hashlib
import json
from typing import Any, NamedTuple

from pyrochat.core.digests import DIGEST_BYTES
from pyrochat.values.errors import InvalidArgument

MAX_MESSAGES = 1000  # of one event
SITE_DIGITS = 32
_MOST_CHARACTERS = 300  # of a name, a kind, a key
_MOST_NUMBER = 1 << 53
_TAG = "PyroChat room 1"

Name = tuple[str, int]
"""A message's name everywhere: its site's id, and its number there."""


class Said(NamedTuple):
    """A message. commitment: to its text, in hexadecimal. mark: its author's, beside the name (`values.keys`). about: the
    name of the message that it is about."""

    sender: str
    commitment: str
    time_us: int
    kind: str
    key: str | None = None
    mark: str = ""
    about: Name | None = None
    change: str | None = None


class Admission(NamedTuple):
    """A site is let in. id: `site_id` of its key and its nonce. key: its server's public key, in hexadecimal. label: for
    people; no other that its admitter knew had it."""

    id: str
    key: str
    nonce: str
    label: str


class Body(NamedTuple):
    """first: the number, at its site, of the first of the messages. admissions: of other sites; of the founder itself in the
    first event of a graph."""

    first: int
    messages: tuple[Said, ...] = ()
    admissions: tuple[Admission, ...] = ()


def site_id(key: str, nonce: str) -> str:
    """The id of the site that has made *nonce*, on the server with the public *key*."""
    return hashlib.sha256(f"PyroChat site 1 {key} {nonce}".encode()).hexdigest()[:SITE_DIGITS]


def root_of(room: str, founder: Admission) -> bytes:
    """What the graph of *room* (folded) grows from, that *founder* has founded."""
    return hashlib.sha256(json.dumps([_TAG, room, *founder]).encode()).digest()


def encode_body(body: Body) -> bytes:
    """*body* in an event."""
    messages = [[*said[:6], said.about and list(said.about), said.change] for said in body.messages]
    fields = [1, body.first, messages, [list(admission) for admission in body.admissions]]
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def decode_body(data: bytes) -> Body:
    """The body that *data* is; raises InvalidArgument where it is none."""
    try:
        version, first, messages, admissions = json.loads(data)
        if version != 1 or not _is_number(first) or first < 1 or len(messages) > MAX_MESSAGES:
            raise ValueError("not of this version")
        return Body(first, tuple(map(_said, messages)), tuple(map(_admission, admissions)))
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidArgument(f"not the body of an event: {error}") from None


def _said(fields: Any) -> Said:
    sender, commitment, time_us, kind, key, mark, about, change = fields
    if about is not None:
        site, number = about
        if not _is_text(site) or not _is_number(number):
            raise ValueError("not the name of a message")
        about = (site, number)
    if not (
        _is_text(sender) and _is_text(kind) and _is_text(mark) and sender and kind
        and _is_number(time_us) and _is_hex(commitment, DIGEST_BYTES)
        and (key is None or _is_text(key)) and (change is None or _is_text(change))
    ):  # fmt: skip
        raise ValueError("not a message")
    return Said(sender, commitment, time_us, kind, key, mark, about, change)


def _admission(fields: Any) -> Admission:
    id, key, nonce, label = fields
    if not (_is_hex(key, 32) and _is_hex(nonce, 16) and _is_text(label) and label) or id != site_id(key, nonce):
        raise ValueError("not an admission")
    return Admission(id, key, nonce, label)


def _is_text(value: object) -> bool:
    if not isinstance(value, str) or len(value) > _MOST_CHARACTERS:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _is_number(value: object) -> bool:
    return type(value) is int and -_MOST_NUMBER <= value <= _MOST_NUMBER


def _is_hex(value: object, size: int) -> bool:
    return isinstance(value, str) and len(value) == 2 * size and set(value) <= set("0123456789abcdef")
