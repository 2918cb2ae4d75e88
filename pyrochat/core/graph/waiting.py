"""Events whose parents are not here yet: kept, as far as there is room.

Anybody can make up parents that will never come, so the memory is bounded: for each site that hands events over, in
bytes. Who fills their share loses what has waited longest in it, and takes nothing from the others'. Nothing is lost
for good: what is dropped here is asked for again (`causal.Graph.summary`).
"""

from itertools import islice
from typing import NamedTuple

from pyrochat.core.graph.event import Event

_ENTRY_BYTES = 384  # of the tables below, for each event that waits (measured: 376, CPython 3.11)


class _Waiter(NamedTuple):
    event: Event
    missing: bytes


class Waiting:
    """Not synchronized. share_bytes: for the events that one site has handed over."""

    def __init__(self, share_bytes: int) -> None:
        self._share_bytes = share_bytes
        self._shares: dict[str, dict[bytes, _Waiter]] = {}  # who handed it over: id: what waits, the oldest first
        self._sizes: dict[str, int] = {}
        self._by_parent: dict[
            bytes, dict[bytes, str]
        ] = {}  # a missing parent: ids that wait for it: who handed it over
        self._givers: dict[bytes, str] = {}  # id: who handed it over

    def __contains__(self, id: bytes) -> bool:
        return id in self._givers

    def __len__(self) -> int:
        return len(self._givers)

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(self._sizes.values())

    def add(self, event: Event, giver: str, missing: bytes) -> list[Event]:
        """*event*, which *giver* has handed over, waits for the parent *missing*; returns what had to go for it."""
        self._shares.setdefault(giver, {})[event.id] = _Waiter(event, missing)
        self._sizes[giver] = self._sizes.get(giver, 0) + event.size + _ENTRY_BYTES
        self._by_parent.setdefault(missing, {})[event.id] = giver
        self._givers[event.id] = giver
        dropped = []
        while self._sizes.get(giver, 0) > self._share_bytes:
            dropped.append(self._remove(next(iter(self._shares[giver]))))
        return dropped

    def release(self, parent: bytes) -> list[tuple[Event, str]]:
        """What waits for *parent* waits no longer: the events, and who has handed them over."""
        return [(self._remove(id), giver) for id, giver in list(self._by_parent.get(parent, {}).items())]

    def wanted(self, most: int) -> list[bytes]:
        """Parents to ask for, *most* at the most: of each share as many, those of what came last."""
        each = most // max(1, len(self._shares)) + 1
        found: dict[bytes, None] = {}
        for share in self._shares.values():
            unknown = (waiter.missing for waiter in reversed(share.values()) if waiter.missing not in self)
            found.update(dict.fromkeys(islice(unknown, each)))
        return list(found)[:most]

    def _remove(self, id: bytes) -> Event:
        giver = self._givers.pop(id)
        event, missing = self._shares[giver].pop(id)
        self._sizes[giver] -= event.size + _ENTRY_BYTES
        if not self._shares[giver]:
            del self._shares[giver], self._sizes[giver]
        del self._by_parent[missing][id]
        if not self._by_parent[missing]:
            del self._by_parent[missing]
        return event
