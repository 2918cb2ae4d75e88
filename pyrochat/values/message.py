"""The message: the one value that everything here is about.

On the wire a message is the flat list ``[id, room, sender, text, time_us, kind, key, about, change, ref, proof]``: only
str, int and None, because dicts with the key ``"__class__"`` fail on receipt and tuples turn into lists. A later version
may send longer ones: what this one doesn't know is carried.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from itertools import repeat
from types import NoneType
from typing import Any, Final, NamedTuple

from pyrochat.values.errors import InvalidArgument
from pyrochat.values.times import moment

CHAT: Final = "chat"
SYSTEM: Final = "system"
EDIT: Final = "edit"
REDACT: Final = "redact"
REACT: Final = "react"
UNREACT: Final = "unreact"
KINDS: Final = (CHAT, SYSTEM, EDIT, REDACT, REACT, UNREACT)

JOINED: Final = "joined"
LEFT: Final = "left"
TOPIC: Final = "topic"
INVITED: Final = "invited"
REMOVED: Final = "removed"

OPERATOR: Final = "(operator)"  # who deletes where it is no member: a sender that no name can be

WireMessage = list[object]

_REMARKS = frozenset((EDIT, REDACT, REACT, UNREACT))
_KINDS: dict[object, str] = {kind: kind for kind in KINDS}
_FIELDS = 11
_SHAPE = "[id, room, sender, text, time_us, kind, key, about, change, ref, proof]"
MAX_MORE = 16  # fields of a later version


class Message(NamedTuple):
    """One numbered message of a room's log. A tuple, as which it is made and compared fastest.

    id: its place in the room's total order, 1, 2, 3 … without gaps.
    time_us: the room's clock when it was sequenced, microseconds since 1970 (UTC). Ids decide the
        order; a time may run back when the room's clock is corrected. Logs of older versions may hold any
        number of 64 bits.
    kind: ``"chat"``; ``"edit"``, ``"redact"``, ``"react"``, ``"unreact"``: it is about an earlier one, *text* is the new
        text or the reaction; ``"system"``: a change of membership, or of the topic. One that this version doesn't know is
        carried as it came.
    key: the sender's own key for it (None where it gave none); a retried send with the same key
        yields the same message. Of a "joined": the member's public key, in hexadecimal; None for a guest. Of an
        "invited" and a "removed": the public key of who was.
    about: the id of the message that this one is about (of a chat message: that it answers); None where it is about none.
    change: what a system message says: ``"joined"``, ``"left"``, ``"topic"`` (*text* is the new one), in a closed room
        ``"invited"``, ``"removed"`` (by *sender*); None for all else.
    ref: its name everywhere, where the id is not; None where it is.
    proof: the salt of its text's commitment, or, where the text is gone, that commitment (`core.digests`); None for a
        message of an older log.
    more: what a later version has added, as a JSON array (ASCII, no spaces); None where it is nothing.
    """

    id: int
    room: str
    sender: str
    text: str
    time_us: int
    kind: str = CHAT
    key: str | None = None
    about: int | None = None
    change: str | None = None
    ref: str | None = None
    proof: str | None = None
    more: str | None = None

    @property
    def time(self) -> datetime:
        """`time_us` as an aware datetime in UTC, from 1970 to 9000; ``message.time.astimezone()`` is local."""
        return moment(self.time_us)

    @property
    def body(self) -> str:
        """What to show of it: its text, that this is gone, or that this version doesn't know what it says."""
        if self.kind in _KINDS:
            return "(deleted)" if self.is_redacted else self.text
        return f"(a message of the kind {self.kind!r}, which this version of PyroChat doesn't know)"

    @property
    def is_redacted(self) -> bool:
        """Whether it had a text that is gone."""
        return not self.text and self.kind in (CHAT, EDIT)

    @property
    def is_remark(self) -> bool:
        """Whether it is no text of somebody's, and no change of membership: it says something of a message, or the topic."""
        return self.kind in _REMARKS or self.change == TOPIC

    def is_late(self, newest_us: int) -> bool:
        """Whether it was written meanwhile: in a causal room, well before the newest of what stands above it. newest_us: that
        one's time."""
        return self.ref is not None and self.time_us + _LATE_US < newest_us

    def told(
        self, shown: Callable[[str], str] = str, called: Callable[[int], str] = "#{}".format, sender: str | None = None
    ) -> str:
        """Who says what, for one line: ``Erick: Olá``, ``Igor 👍 #12``. shown: what is done to names and texts. called: what a
        message is called. sender: what its own sender is."""
        who, text = shown(self.sender if sender is None else sender), shown(self.body)
        about = "" if self.about is None else called(self.about)
        match self.kind:
            case "system" if self.change == TOPIC:
                return f"* {who} set the topic: {text}" if text else f"* {who} took the topic away"
            case "system":
                return f"* {text}"
            case "edit":
                return f"{who} edited {about}: {text}"
            case "redact":
                return f"{who} deleted {about}"
            case "react":
                return f"{who} {text} {about}"
            case "unreact":
                return f"{who} took {text} back from {about}"
            case "chat" if self.about is not None:
                return f"{who} to {about}: {text}"
        return f"{who}: {text}"

    def to_wire(self) -> WireMessage:
        """The flat list that crosses the wire."""
        return list(self[:_FIELDS]) if self.more is None else [*self[:_FIELDS], *json.loads(self.more)]

    @classmethod
    def from_wire(cls, fields: Iterable[object]) -> Message:
        """The message for a flat list, which may be longer; raises InvalidArgument where it is none."""
        [message] = messages_from_wire([list(fields)])
        return message

    def __str__(self) -> str:
        clock = self.time.astimezone().strftime("%H:%M:%S")
        return f"#{self.id} {clock} {self.told()}"

    def __repr__(self) -> str:
        said = "" if self.about is None else f" {'to' if self.kind == CHAT else self.kind} #{self.about}"
        return f"<Message #{self.id} {self.room}/{self.sender}{said}: {self.text!r}>"


_LATE_US = 10_000_000  # clocks differ
_PLAIN = {str, int, float, bool, NoneType}
_TIMES_US = range(-(1 << 63), 1 << 63)  # what a log can hold

message_of: Callable[[Iterable[Any]], Message] = partial(tuple.__new__, Message)
"""A message of its twelve fields, unchecked."""


def change_in(kind: str, sender: str, text: str) -> str | None:
    """What a message of a log from before format 3 says of its sender: there it stands in the text."""
    if kind != SYSTEM:
        return None
    return next((change for change in (JOINED, LEFT) if text == f"{sender} {change}"), None)


def messages_from_wire(rows: Sequence[Sequence[object]], *, gapless: bool = True) -> list[Message]:
    """The messages for flat lists; names are shared strings. gapless: ids have to follow each other.

    Whatever a log can hold is taken: any time, any kind, lists that are longer. All or nothing: raises
    InvalidArgument for a gap, and for what is no message. Works on whole columns, because a newcomer takes in
    its history here.
    """
    if not rows:
        return []
    try:
        rows, more = _split(rows)
        ids, rooms, senders, texts, times, kinds, keys, abouts, changes, refs, proofs = zip(*rows, strict=True)
        fields = (
            ids, map(sys.intern, rooms), map(sys.intern, senders), texts, times, map(_KINDS.get, kinds, kinds), keys,
            abouts, changes, refs, proofs, more,
        )  # fmt: skip
        messages = list(map(message_of, zip(*fields, strict=True)))
    except (TypeError, ValueError):
        raise InvalidArgument(f"not messages: expected {_SHAPE}") from None
    if not (
        set(map(type, texts)) | set(map(type, kinds)) == {str}
        and set(map(type, ids)) | set(map(type, times)) == {int}
        and set(map(type, keys)) | set(map(type, changes)) | set(map(type, refs)) | set(map(type, proofs))
        <= {str, NoneType}
        and set(map(type, abouts)) <= {int, NoneType}
    ):
        raise InvalidArgument("not messages: ids and times have to be numbers, texts, kinds and keys text")
    if min(times) not in _TIMES_US or max(times) not in _TIMES_US:
        raise InvalidArgument("not messages: a time has more than 64 bits")
    if gapless and ids != tuple(range(ids[0], ids[0] + len(ids))):
        raise InvalidArgument(f"messages {ids[0]} … {ids[-1]} have a gap")
    return messages


def _split(rows: Sequence[Sequence[object]]) -> tuple[Sequence[Sequence[object]], Iterable[str | None]]:
    """The fields of *rows* that this version knows, and of each row the others. Raises ValueError."""
    if not set(map(type, rows)) <= {list, tuple}:
        raise ValueError
    if set(map(len, rows)) == {_FIELDS}:
        return rows, repeat(None, len(rows))
    more = [list(row[_FIELDS:]) for row in rows]
    if any(len(each) > MAX_MORE or not set(map(type, each)) <= _PLAIN for each in more):
        raise ValueError
    return [row[:_FIELDS] for row in rows], [json.dumps(each, separators=(",", ":")) if each else None for each in more]
