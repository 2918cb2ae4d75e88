"""Who holds which name on this server right now.

A name is in use as long as anything holds it: a connection, a session, or the place in the view that a
member keeps over a restart. All rooms of a server share one of these, because a connection greets the
server before it calls a room. Whom a name belongs to, also while nobody uses it, is in the registry.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable

from pyrochat.values.errors import NameTaken

__all__ = ["Names"]

MAX_HOLDERS = 256  # connections and sessions of one member


class Names:
    """The names in use. Any thread may call.

    key_of: the key that a folded name belongs to, for members that were here before a restart.
    """

    def __init__(self, key_of: Callable[[str], bytes | None] = lambda member: None) -> None:
        self._key_of = key_of
        self._mutex = threading.Lock()  # guards what follows
        self._holders: dict[str, set[Hashable]] = {}
        self._keys: dict[str, bytes | None] = {}
        self._ownerless: set[str] = set()  # here since before the start, and the registry knows no owner

    def claim(self, member: str, key: bytes | None, holder: Hashable) -> None:
        """*holder* takes the folded name *member*; raises NameTaken where another holds it.

        Several may hold a name that have the same key. A guest, without one, can't prove anything, so it
        can't share a name with anybody.
        """
        with self._mutex:
            holders = self._holders.get(member)
            if holders:
                if key is not None and member in self._ownerless:
                    self._ownerless.discard(member)
                    self._keys[member] = key
                if key is None or self._keys[member] != key:
                    raise NameTaken(f"the name {member!r} is in use by another client: choose another name")
                if len(holders) >= MAX_HOLDERS:
                    raise NameTaken(f"the name {member!r} has {MAX_HOLDERS} connections already: close some")
                holders.add(holder)
            else:
                self._holders[member] = {holder}
                self._keys[member] = key

    def share(self, member: str, holder: Hashable) -> None:
        """*holder* holds the name too: it belongs to somebody who holds it already."""
        with self._mutex:
            self._holders[member].add(holder)

    def keep(self, member: str, holder: Hashable) -> None:
        """*holder* holds the name since before this server was started, in whichever room."""
        with self._mutex:
            if member in self._holders:  # a room that is opened late: whoever has the name now keeps it
                self._holders[member].add(holder)
                return
            self._holders[member] = {holder}
            self._keys[member] = self._key_of(member)
            if self._keys[member] is None:
                self._ownerless.add(member)

    def in_use(self) -> list[tuple[str, bytes | None]]:
        """Each name that somebody holds, folded, with the key of those who do."""
        with self._mutex:
            return list(self._keys.items())

    def release(self, member: str, holder: Hashable) -> None:
        """*holder* holds the name no longer. Idempotent."""
        with self._mutex:
            holders = self._holders.get(member)
            if holders is not None:
                holders.discard(holder)
                if not holders:
                    del self._holders[member], self._keys[member]
                    self._ownerless.discard(member)
