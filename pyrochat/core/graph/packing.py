"""What members of a totally ordered room say, and what they write down, as text and back.

JSON; bytes in base64. An event's root is left out: who reads it knows the view that it is of. What is not exactly of its
shape raises InvalidArgument.
"""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pyrochat.core.graph.agreement import Ballot, Promise, Proposal
from pyrochat.core.graph.anti_entropy import Summary
from pyrochat.core.graph.event import ID_BYTES, Event
from pyrochat.core.graph.lamport import Mark, View
from pyrochat.core.graph.messages import (
    Accept,
    Accepted,
    Committed,
    Decided,
    Entry,
    Events,
    Frozen,
    Join,
    LogPart,
    Marks,
    Message,
    Prepare,
    Promised,
    Said,
    Text,
    Tick,
)
from pyrochat.values.errors import InvalidArgument

Fields = list[Any]
Noted = Event | Said | Frozen | Committed
"""What is written down as it is; see `messages.Record`."""


def pack_message(message: Message) -> str:
    """*message*, to be sent."""
    return _packed(type(message).__name__.lower(), _MESSAGES[type(message)][0](message))


def unpack_message(text: str, root: bytes) -> Message:
    """What *text* says. root: of the graph of the view that its sender is in. Raises InvalidArgument."""
    message: Message = _unpacked(text, {kind.__name__.lower(): back for kind, (_, back) in _MESSAGES.items()}, root)
    return message


def pack_record(record: Noted) -> tuple[str, str]:
    """The kind of *record*, and what `unpack_record` makes it of again."""
    kind = type(record).__name__.lower()
    return kind, _packed(kind, _RECORDS[type(record)][0](record))


def unpack_record(text: str, root: bytes) -> Noted:
    """See `unpack_message`."""
    record: Noted = _unpacked(text, {kind.__name__.lower(): back for kind, (_, back) in _RECORDS.items()}, root)
    return record


def _packed(kind: str, fields: Fields) -> str:
    return json.dumps([kind, *fields], ensure_ascii=False, separators=(",", ":"))


def _unpacked(text: str, known: Mapping[str, Callable[..., Any]], root: bytes) -> Any:
    try:
        kind, *fields = json.loads(text)
        return known[kind](root, *fields)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InvalidArgument(f"not what a site says: {error!r:.200}") from None


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text.encode(), validate=True)


def _number(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("no number")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _event(event: Event) -> Fields:
    parents = _b64(b"".join(event.parents))
    return [event.site, event.n, event.lamport, parents, _b64(event.body), _b64(event.signature)]


def _event_of(root: bytes, site: str, n: int, lamport: int, parents: str, body: str, signature: str) -> Event:
    joined = _bytes(parents)
    split = tuple(joined[at : at + ID_BYTES] for at in range(0, len(joined), ID_BYTES))
    return Event(root, _text(site), _number(n), _number(lamport), split, _bytes(body), _bytes(signature))


def _events_of(root: bytes, rows: Sequence[Fields]) -> tuple[Event, ...]:
    return tuple(_event_of(root, *row) for row in rows)


def _mark_of(fields: Fields) -> Mark:
    site, *numbers = fields
    return Mark(_text(site), *map(_number, numbers))


def _summary(summary: Summary) -> Fields:
    return [dict(summary.counts), [_b64(head) for head in summary.heads], [_b64(id) for id in summary.wanted]]


def _counts_of(counts: Mapping[str, int]) -> dict[str, int]:
    return {_text(site): _number(count) for site, count in counts.items()}


def _summary_of(fields: Fields) -> Summary:
    counts, heads, wanted = fields
    return Summary(_counts_of(counts), tuple(map(_bytes, heads)), tuple(map(_bytes, wanted)))


def _ballot_of(fields: Fields) -> Ballot:
    number, site = fields
    return _number(number), _text(site)


def _proposal(proposal: Proposal) -> Fields:
    return [list(proposal.members), dict(proposal.cut)]


def _proposal_of(fields: Fields) -> Proposal:
    members, cut = fields
    return Proposal(tuple(map(_text, members)), _counts_of(cut))


def _accepted(accepted: tuple[Ballot, Proposal] | None) -> Fields | None:
    return None if accepted is None else [accepted[0], _proposal(accepted[1])]


def _accepted_of(fields: Fields | None) -> tuple[Ballot, Proposal] | None:
    if fields is None:
        return None
    ballot, proposal = fields
    return _ballot_of(ballot), _proposal_of(proposal)


def _promise(promise: Promise) -> Fields:
    return [promise.ballot, _accepted(promise.accepted), dict(promise.counts)]


def _promise_of(fields: Fields) -> Promise:
    ballot, accepted, counts = fields
    return Promise(_ballot_of(ballot), _accepted_of(accepted), _counts_of(counts))


def _entry(entry: Entry) -> Fields:
    return [entry.key, _b64(entry.body)] if isinstance(entry, Text) else [entry.number, list(entry.members)]


def _entry_of(fields: Fields) -> Entry:
    first, rest = fields
    if isinstance(first, str):
        return Text(first, _bytes(rest))
    return View(_number(first), tuple(map(_text, rest)))


_MESSAGES: dict[type, tuple[Callable[[Any], Fields], Callable[..., Message]]] = {
    Events: (
        lambda m: [[_event(event) for event in m.events]],
        lambda root, events: Events(_events_of(root, events)),
    ),
    Marks: (lambda m: [m.marks], lambda root, marks: Marks(tuple(map(_mark_of, marks)))),
    Tick: (
        lambda m: [m.mark, _summary(m.summary), m.log_length],
        lambda root, mark, summary, length: Tick(_mark_of(mark), _summary_of(summary), _number(length)),
    ),
    Prepare: (
        lambda m: [m.ballot, _summary(m.summary)],
        lambda root, ballot, summary: Prepare(_ballot_of(ballot), _summary_of(summary)),
    ),
    Promised: (
        lambda m: [_promise(m.promise), [_event(event) for event in m.events]],
        lambda root, promise, events: Promised(_promise_of(promise), _events_of(root, events)),
    ),
    Accept: (
        lambda m: [m.ballot, _proposal(m.proposal), [_event(event) for event in m.events]],
        lambda root, ballot, proposal, events: Accept(
            _ballot_of(ballot), _proposal_of(proposal), _events_of(root, events)
        ),
    ),
    Accepted: (lambda m: [m.ballot], lambda root, ballot: Accepted(_ballot_of(ballot))),
    Decided: (lambda m: [_proposal(m.proposal)], lambda root, proposal: Decided(_proposal_of(proposal))),
    Join: (lambda m: [m.log_length], lambda root, length: Join(_number(length))),
    LogPart: (
        lambda m: [m.start, [_entry(entry) for entry in m.entries]],
        lambda root, start, entries: LogPart(_number(start), tuple(map(_entry_of, entries))),
    ),
}
_RECORDS: dict[type, tuple[Callable[[Any], Fields], Callable[..., Noted]]] = {
    Event: (_event, _event_of),
    Said: (
        lambda r: [r.text.key, _b64(r.text.body)],
        lambda root, key, body: Said(Text(_text(key), _bytes(body))),
    ),
    Frozen: (
        lambda r: [r.promised, _accepted(r.accepted)],
        lambda root, promised, accepted: Frozen(_ballot_of(promised), _accepted_of(accepted)),
    ),
    Committed: (lambda r: [r.commit], lambda root, commit: Committed(_number(commit))),
}
