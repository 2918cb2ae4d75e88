"""Who holds which name on this server right now, and how much of it.

A name is in use as long as anything holds it: a connection, a session, or the place in the view that a
member keeps over a restart. All rooms of a server share one of these, because a connection greets the
server before it calls a room. Whom a name belongs to, also while nobody uses it, is in the registry.

Connections and sessions stay once they are in, so each counts as a share of whoever it is for: of its name, of
its key, and, where nobody knows that key yet or there is none, of the peer behind it.
"""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from pyrochat.core.places import Bounds, Shares
from pyrochat.values.errors import NameTaken, ServerFull

MAX_HOLDERS = 256  # connections and sessions of one member


@dataclass(frozen=True, slots=True)
class _Held:
    """What one connection or session has. peer: behind it. is_known: its key was here before."""

    peer: str = ""
    is_known: bool = True
    shares: tuple[tuple[Shares, Hashable], ...] = ()


@dataclass(slots=True)
class _Name:
    key: bytes | None
    is_ownerless: bool = False  # in use since before the start, and the registry knows no owner
    holders: dict[Hashable, _Held] = field(default_factory=dict)


class Names:
    """The names in use. Any thread may call.

    key_of: the key that a folded name belongs to, for members that were here before a restart.
    """

    def __init__(
        self, key_of: Callable[[str], bytes | None] = lambda member: None, bounds: Bounds | None = None
    ) -> None:
        bounds = bounds or Bounds()
        self._key_of = key_of
        self._mutex = threading.Lock()  # guards what follows
        self._names: dict[str, _Name] = {}
        self._of_keys = Shares(bounds.of_a_key)
        self._newcomers = Shares(bounds.newcomers_of_a_peer)
        self._guests = Shares(bounds.guests_of_a_peer, bounds.guests)

    def claim(self, member: str, key: bytes | None, holder: Hashable, peer: str = "", is_known: bool = True) -> None:
        """*holder*, a connection of *peer*, takes the folded name *member*.

        Several may hold a name that have the same key. A guest, without one, can't prove anything, so it
        can't share a name with anybody. is_known: whether *key* was here before.
        Raises NameTaken where another holds it, ServerFull where the name, the key or the peer has all it may have.
        """
        with self._mutex:
            name = self._names.get(member) or _Name(key)
            if name.holders and (key is None or (key != name.key and not name.is_ownerless)):
                raise NameTaken(f"the name {member!r} is in use by another client: choose another name")
            self._hold(member, name, key, holder, _Held(peer, is_known))
            if name.is_ownerless and key is not None:
                name.key, name.is_ownerless = key, False

    def share(self, member: str, holder: Hashable, session: Hashable) -> None:
        """*session*, which *holder* opens, holds the name too.

        Raises NameTaken where *holder* doesn't hold it any more: its connection is gone, and the name may be
        another's. Raises ServerFull as `claim` does.
        """
        with self._mutex:
            name = self._names.get(member)
            if name is None or holder not in name.holders:
                raise NameTaken(f"the connection that used the name {member!r} is gone: connect again")
            self._hold(member, name, name.key, session, name.holders[holder], is_session=True)

    def _hold(
        self, member: str, name: _Name, key: bytes | None, holder: Hashable, like: _Held, is_session: bool = False
    ) -> None:
        assert self._mutex.locked()
        if len(name.holders) >= MAX_HOLDERS:
            raise ServerFull(f"the name {member!r} has {MAX_HOLDERS} connections already: close some")
        shares: list[tuple[Shares, Hashable]] = []
        if key is not None:
            shares.append((self._of_keys, key))
            if not like.is_known:
                shares.append((self._newcomers, like.peer))
        elif is_session:  # a guest's connection makes room for others
            shares.append((self._guests, like.peer))
        for share, owner in shares:
            if not share.fits(owner):
                raise ServerFull(self._full(share))
        for share, owner in shares:
            share.take(owner)
        self._names[member] = name
        name.holders[holder] = _Held(like.peer, like.is_known, tuple(shares))

    def _full(self, share: Shares) -> str:
        if share is self._of_keys:
            return f"your key has {share.each:,} connections here already: close some"
        if share is self._newcomers:
            return f"{share.each:,} connections of keys that are new here come from your address: try later"
        return "as many guests are members as can be: try later, or come with PyroChat's own client, which has a key"

    def keep(self, member: str, holder: Hashable) -> None:
        """*holder* holds the name since before this server was started, in whichever room."""
        with self._mutex:
            name = self._names.get(member)
            if name is None:  # else a room is opened late: whoever has the name now keeps it
                key = self._key_of(member)
                name = self._names[member] = _Name(key, is_ownerless=key is None)
            name.holders[holder] = _Held()

    def in_use(self) -> list[tuple[str, bytes | None]]:
        """Each name that somebody holds, folded, with the key of those who do."""
        with self._mutex:
            return [(member, name.key) for member, name in self._names.items()]

    def release(self, member: str, holder: Hashable) -> None:
        """*holder* holds the name no longer. Idempotent."""
        with self._mutex:
            name = self._names.get(member)
            held = None if name is None else name.holders.pop(holder, None)
            if name is None or held is None:
                return
            for share, owner in held.shares:
                share.give_back(owner)
            if not name.holders:
                del self._names[member]
