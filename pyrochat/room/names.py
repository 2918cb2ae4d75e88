"""Who holds which name on this server, and what proves to be the same client.

A name is in use as long as anything holds it: a connection, a session, or the place in the view that a
member keeps over a restart. All rooms of a server share one registry, because a connection greets the
server before it calls a room.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Hashable

from pyrochat.values.errors import NameTaken

__all__ = ["Names"]


class Names:
    """The names in use. Any thread may call."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()  # guards the two dicts
        self._holders: dict[str, set[Hashable]] = {}
        self._secrets: dict[str, bytes | None] = {}

    def claim(self, member: str, secret: bytes | None, holder: Hashable) -> None:
        """*holder* takes the folded name *member*; raises NameTaken where another holds it.

        Several may hold a name that show the same secret (its hash). A client without a secret can't
        prove anything, so it can't share a name with anybody.
        """
        with self._mutex:
            holders = self._holders.get(member)
            if holders:
                known = self._secrets[member]
                if secret is None or known is None or not hmac.compare_digest(known, secret):
                    raise NameTaken(f"the name {member!r} is in use by another client: choose another name")
                holders.add(holder)
            else:
                self._holders[member] = {holder}
                self._secrets[member] = secret

    def share(self, member: str, holder: Hashable) -> None:
        """*holder* holds the name too: it belongs to somebody who holds it already."""
        with self._mutex:
            self._holders[member].add(holder)

    def keep(self, member: str, secret: bytes | None, holder: Hashable) -> None:
        """*holder* holds the name since before this server was started, in whichever room."""
        with self._mutex:
            self._holders.setdefault(member, set()).add(holder)
            self._secrets[member] = self._secrets.get(member) or secret

    def release(self, member: str, holder: Hashable) -> None:
        """*holder* holds the name no longer. Idempotent."""
        with self._mutex:
            holders = self._holders.get(member)
            if holders is not None:
                holders.discard(holder)
                if not holders:
                    del self._holders[member], self._secrets[member]
