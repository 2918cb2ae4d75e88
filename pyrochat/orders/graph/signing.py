"""Signatures of events: by the site that said them, over their hash, which covers all that it had said before.

So of what comes together only the last event of each site has to be verified (Ed25519: 216 µs here); those before it in
its chain are proven by their hashes.
"""

from collections.abc import Sequence
from dataclasses import replace

from pyrochat.core.graph.event import Event
from pyrochat.core.graph.record import Told
from pyrochat.orders.graph.wire import newest_of_each, signed_part
from pyrochat.trust.keys import Key, verifies


class Signatures:
    """Of one graph. Not synchronized."""

    def __init__(self) -> None:
        self._proven: set[bytes] = set()  # of what has just come

    def begin(self, events: Sequence[Told], keys: dict[str, str]) -> None:
        """*events* have come together. keys: of the sites that are known, in hexadecimal."""
        self._proven.clear()
        by_id = {event.id: event for event in events}
        for site, newest in newest_of_each(events).items():
            if site not in keys or not self._verifies(newest, keys[site]):
                continue
            event: Told | None = newest
            while event is not None and event.id not in self._proven:
                self._proven.add(event.id)
                before = by_id.get(event.parents[0]) if event.n > 1 and event.parents else None
                event = before if before is not None and before.site == site else None

    def is_signed(self, event: Event, key: str) -> bool:
        """Whether the site with this public *key* has signed *event*, or a later one of its chain."""
        return event.id in self._proven or self._verifies(event, key)

    @staticmethod
    def _verifies(event: Event, key: str) -> bool:
        return verifies(bytes.fromhex(key), event.signature, signed_part(event))


def signed(event: Event, key: Key) -> Event:
    """*event*, signed."""
    return replace(event, signature=key.sign(signed_part(event)))
