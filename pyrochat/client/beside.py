"""The other rooms of a Chat's server: which there are, one more, closed ones, and who may enter this one."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Self

from pyrochat.client.answers import CREATE_ROOM, DIRECT, INVITE, REMOVE, ROOMS
from pyrochat.client.reading import AUTO
from pyrochat.client.session import ASK_SECONDS, ClientSession
from pyrochat.values.addresses import shown_address
from pyrochat.values.errors import InvalidArgument, RemovedFromRoom
from pyrochat.values.progress import Progress
from pyrochat.values.rules import (
    CLOSED,
    checked_name,
    checked_names,
    checked_place,
    checked_room_name,
    checked_timeout,
    fold,
)


class Beside:
    """Asks by the chat's session."""

    name: str
    room: str
    _session: ClientSession

    def _beside(self, room: str, read: str, progress: Progress | None) -> Self:
        """A Chat of the same member in another room of the server, joined."""
        raise NotImplementedError

    @property
    def at(self) -> str:
        """``host:port`` of the room's server, to be given to ``join(at=…)``."""
        return shown_address(self._session.address)

    @property
    def is_closed(self) -> bool:
        """Whether this is a room for those who were let in: a closed one, or the direct one of two."""
        return self._session.is_closed_room

    @property
    def is_direct(self) -> bool:
        """Whether this is the room of two; its name is theirs, with a ``+`` between them."""
        names = self.room.split(CLOSED)
        return self.is_closed and len(names) > 1 and fold(self.name) in map(fold, names[:2])

    def rooms(self, *, timeout: float | None = ASK_SECONDS) -> list[str]:
        """The names of the rooms on this server, closed ones among them that this member may enter; asks it.

        Raises WaitTimeout, ChatClosed.
        """
        return self._session.ask(ROOMS, timeout=checked_timeout(timeout))

    def create_room(
        self, name: str, members: Iterable[str] | None = None, *, timeout: float | None = ASK_SECONDS
    ) -> str:
        """Open room *name* on this server, also after a restart; returns what `join_room` takes.

        members: None opens it for everybody, and nothing happens where it is there. Names of others make it a closed room
        of theirs and ours: nobody else can see, join, read or search it. Its name is only a label; where another room is
        called the same for us, what is returned has a ``+`` in it. They need keys, and to have joined this server once.

        Raises InvalidRoomName, InvalidArgument for a name without a key, NewRoomsRefused, RateLimited, ServerFull, DiskFull,
        NameServerRefused, CannotHost, LogUnavailable, WaitTimeout, ChatClosed.
        """
        timeout = checked_timeout(timeout)
        name = checked_room_name(name)
        if members is None:
            self._session.ask(CREATE_ROOM, name, timeout=timeout)
            return name
        if isinstance(members, str):
            raise InvalidArgument(f"members are a list of names: [{members!r}]")
        once = secrets.token_hex(16)
        created = self._session.ask(CREATE_ROOM, name, checked_names(list(members)), once, timeout=timeout)
        return name if created is None else created[0]

    def direct(self, name: str, *, read: str = AUTO, progress: Progress | None = None) -> Self:
        """Join the room of this member and *name*, which nobody else can see; returns a Chat of its own. See `join`.

        It is opened with the first call of either; the other is told. It belongs to the two keys.

        Raises InvalidArgument where *name* has no key here, QuotaUsedUp after 100 such rooms, and what `join_room` raises.
        """
        [room, _] = self._session.ask(DIRECT, checked_name(name), timeout=ASK_SECONDS)
        return self._beside(room, read, progress)

    def invite(self, name: str, *, timeout: float | None = ASK_SECONDS) -> None:
        """Let *name* into this closed room; nothing happens where it is in. Raises InvalidArgument, WaitTimeout, ChatClosed."""
        self._session.ask(INVITE, checked_name(name), timeout=checked_timeout(timeout))

    def remove(self, name: str, *, timeout: float | None = ASK_SECONDS) -> None:
        """Shut *name* out of this closed room: it hears nothing more, and keeps what it has. One's own name: give it up.

        Who has created the room may, who has invited *name*, and *name* itself. Raises NotYours, InvalidArgument,
        WaitTimeout, ChatClosed.
        """
        timeout = checked_timeout(timeout)
        try:
            self._session.ask(REMOVE, checked_name(name), timeout=timeout)
        except RemovedFromRoom:  # the answer is lost with the session
            if fold(name) != fold(self.name):
                raise

    def join_room(self, room: str, *, read: str = AUTO, progress: Progress | None = None) -> Self:
        """Join another room of this server, as `rooms` calls it, as the same member; returns a Chat of its own. See `join`.

        Password, key and certificate are this Chat's. Raises InvalidRoomName, RoomNotFound, RoomUnreachable,
        and what else `join` raises.
        """
        return self._beside(checked_place(room), read, progress)
