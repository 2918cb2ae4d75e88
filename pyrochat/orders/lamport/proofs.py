"""Whose an event of a totally ordered room is: the site's own signature, with all that is needed to verify it.

A site's id is a hash over its server's key and its nonce, so key, nonce and signature together prove an event to anybody,
whoever has passed it on.
"""

from collections.abc import Sequence

from pyrochat.core.graph.bodies import site_id
from pyrochat.core.graph.event import Event
from pyrochat.trust.keys import PUBLIC_KEY_BYTES, Key, verifies

_TAG = b"PyroChat ordered event signature 1"
_NONCE_BYTES = 16


def signature_of(id: bytes, key: Key, nonce: str) -> bytes:
    """What goes with the event *id* of the site of *key* and *nonce*."""
    return key.public + bytes.fromhex(nonce) + key.sign(_TAG + id)


def is_proved(event: Event) -> bool:
    """Whether its site has made *event*."""
    key, rest = event.signature[:PUBLIC_KEY_BYTES], event.signature[PUBLIC_KEY_BYTES:]
    nonce, signature = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
    if len(key) < PUBLIC_KEY_BYTES or len(nonce) < _NONCE_BYTES or site_id(key.hex(), nonce.hex()) != event.site:
        return False
    return verifies(key, signature, _TAG + event.id)


def proved(events: Sequence[Event], known: frozenset[bytes] | dict[bytes, Event]) -> tuple[Event, ...]:
    """Those of *events* that are proved, or *known* already by their ids."""
    return tuple(event for event in events if event.id in known or is_proved(event))
