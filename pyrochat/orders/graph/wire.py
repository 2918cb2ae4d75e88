"""Events on the wire between sites: flat lists of text and numbers, and texts beside."""

import json
from collections.abc import Sequence
from typing import Any

from pyrochat.core.digests import SALT_CHARACTERS, commitment
from pyrochat.core.graph.anti_entropy import Summary
from pyrochat.core.graph.bodies import decode_body
from pyrochat.core.graph.event import Event
from pyrochat.core.graph.record import Text, Told
from pyrochat.values.errors import InvalidArgument
from pyrochat.values.rules import MAX_TEXT_BYTES

_ID_DIGITS = 64


def told_to_wire(told: Told) -> list[object]:
    """``[site, n, lamport, parents, body, signature, texts]``, the root left out."""
    texts = json.dumps(told.texts, ensure_ascii=False, separators=(",", ":"))
    parents = "".join(parent.hex() for parent in told.parents)
    return [told.site, told.n, told.lamport, parents, told.body.decode(), told.signature.hex(), texts]


def told_from_wire(root: bytes, fields: Any) -> Told:
    """The event with its texts, each of which is what the event commits to. Raises InvalidArgument."""
    try:
        site, n, lamport, parents, body, signature, texts = fields
        if not (isinstance(site, str) and type(n) is int and type(lamport) is int and isinstance(body, str)):
            raise ValueError("no event")
        split = tuple(bytes.fromhex(parents[at : at + _ID_DIGITS]) for at in range(0, len(parents), _ID_DIGITS))
        if any(2 * len(parent) != _ID_DIGITS for parent in split):
            raise ValueError("no parents")
        return Told(
            root, site, n, lamport, split, body.encode(), bytes.fromhex(signature), _texts(body, json.loads(texts))
        )
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidArgument(f"not an event: {error}") from None


def _texts(body: str, fields: Any) -> tuple[Text, ...]:
    messages = decode_body(body.encode()).messages
    if len(fields) != len(messages):
        raise ValueError("a text is missing")
    texts: list[Text] = []
    for said, pair in zip(messages, fields, strict=True):
        if pair is None:
            texts.append(None)
            continue
        text, salt = pair
        if not isinstance(text, str) or not isinstance(salt, str) or len(salt) != SALT_CHARACTERS:
            raise ValueError("no text and salt")
        if commitment(salt, text).hex() != said.commitment:
            raise ValueError("a text is not what was committed to")
        texts.append((text, salt) if len(text.encode()) <= MAX_TEXT_BYTES else None)
    return tuple(texts)


def summary_to_wire(summary: Summary) -> list[object]:
    """``[counts, heads, wanted]``: counts as a list of site, count, site, count …"""
    counts = [part for pair in summary.counts.items() for part in pair]
    return [counts, [head.hex() for head in summary.heads], [id.hex() for id in summary.wanted]]


def summary_from_wire(fields: Any) -> Summary:
    """What `summary_to_wire` made *fields* of. Raises InvalidArgument."""
    try:
        counts, heads, wanted = fields
        pairs = dict(zip(counts[::2], counts[1::2], strict=True))
        if not all(isinstance(site, str) and type(count) is int for site, count in pairs.items()):
            raise ValueError("no counts")
        return Summary(pairs, tuple(map(bytes.fromhex, heads)), tuple(map(bytes.fromhex, wanted)))
    except (ValueError, TypeError) as error:
        raise InvalidArgument(f"not a summary: {error}") from None


def signed_part(event: Event) -> bytes:
    """What a site signs of *event*: its hash, which covers all that came before it."""
    return b"PyroChat event signature 1" + event.id


def newest_of_each(events: Sequence[Told]) -> dict[str, Told]:
    """The last event of each site among *events*."""
    newest: dict[str, Told] = {}
    for event in events:
        if event.site not in newest or event.n > newest[event.site].n:
            newest[event.site] = event
    return newest
