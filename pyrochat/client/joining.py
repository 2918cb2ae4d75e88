"""`join`: from a name and a room to a Chat."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from pyrochat.client.chat import AUTO, Chat
from pyrochat.client.session import Address
from pyrochat.folders import client_secret
from pyrochat.pyro.naming import NameServer
from pyrochat.pyro.remote import RemoteObject, parse_address
from pyrochat.values.errors import PyroChatError, RoomNotFound
from pyrochat.values.protocol import DEFAULT_PORT, DEFAULT_ROOM, SERVER_OBJECT, Timing, room_object
from pyrochat.values.rules import checked_name, checked_room_name, fold

__all__ = ["join"]

_TIMEOUT_SECONDS = 10.0


def join(
    name: str,
    room: str = DEFAULT_ROOM,
    at: str | None = None,
    *,
    read: str = AUTO,
    progress: Callable[[int, int], object] | None = None,
    timing: Timing | None = None,
) -> Chat:
    """Join *room* as *name*; returns a `Chat` whose replica has the whole history.

    at: ``host:port`` of the room's server; None asks the Pyro name server (PYRO_NS_HOST and
    PYRO_NS_PORT say where that is).
    read: ``"auto"`` confirms what handlers, `listen` and `unread` have shown; ``"manual"`` leaves it
    to `mark_read`.
    progress: called now and then with ``(messages here, messages in all)`` while the history comes.
    timing: the failure detector's times, where the server's differ from the defaults.

    Raises InvalidName, InvalidRoomName, NameServerNotFound, RoomNotFound, RoomUnreachable, NameTaken,
    VersionMismatch, ServerFull.
    """
    name, room = checked_name(name), checked_room_name(room)
    chat = Chat(name, room, _finder(room, at), client_secret(), read, timing or Timing())
    chat._open(progress)
    return chat


def _finder(room: str, at: str | None) -> Callable[[], tuple[Address, str]]:
    """How to look up ``(address, the room's own spelling of its name)``."""
    if at is None:
        return lambda: _by_name_server(room)
    address = parse_address(at, DEFAULT_PORT)
    return lambda: (address, _spelling_at(address, room))


def _by_name_server(room: str) -> tuple[Address, str]:
    nameserver = NameServer()
    prefix = room_object("")
    entries = nameserver.entries(prefix)
    for name, address in entries.items():
        if name != SERVER_OBJECT and fold(name.removeprefix(prefix)) == fold(room):
            return address, name.removeprefix(prefix)
    rooms = sorted(name.removeprefix(prefix) for name in entries if name != SERVER_OBJECT)
    known = f"it knows {', '.join(rooms)}" if rooms else "it knows no room: start one with pyrochat-server"
    raise RoomNotFound(f"the name server at {nameserver} knows no room {room!r}; {known}")


def _spelling_at(address: Address, room: str) -> str:
    with contextlib.closing(RemoteObject(address, SERVER_OBJECT, "hello", timeout=_TIMEOUT_SECONDS)) as server:
        answer = server.call("rooms")
    rooms = [str(name) for name in answer] if isinstance(answer, list) else []
    for name in rooms:
        if fold(name) == fold(room):
            return name
    if not rooms:
        raise PyroChatError(f"{address[0]}:{address[1]} is no PyroChat server")
    raise RoomNotFound(f"there is no room {room!r} at {address[0]}:{address[1]}; it has {', '.join(rooms)}")
