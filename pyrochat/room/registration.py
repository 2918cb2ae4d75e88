"""The rooms' place in the name server: taken at the start, kept, given back at the end."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Mapping

from pyrochat.pyro.embedded import EmbeddedNameServer
from pyrochat.pyro.naming import NameServer
from pyrochat.pyro.remote import RemoteObject
from pyrochat.threads import Defects, go_on
from pyrochat.values.errors import (
    NameServerNotFound,
    NameServerRefused,
    NameServerSilent,
    PyroChatError,
    RoomNotFound,
    RoomSilent,
    RoomUnreachable,
    Unavailable,
)
from pyrochat.values.protocol import SERVER_OBJECT, room_object

__all__ = ["Registration"]

log = logging.getLogger(__name__)

CHECK_SECONDS = 3.0  # a restarted name server knows the rooms again after so long
_ALIVE_SECONDS = 2.0
_PARTING_SECONDS = 1.0
_EVERYWHERE = ("0.0.0.0", "::", "")


class Registration:
    """Keeps rooms registered as ``pyrochat.<room>``, and the server as ``pyrochat.server``.

    uris: the URI of each room. address: ``(host, port)`` that they lead to. host: where the
    rooms listen; an embedded name server listens there too if that is everywhere, else where it is looked for. Raises NameServerRefused where a
    room's name stands for another server that is alive, CannotHost where none can be started. A name
    server that hangs is waited for while the rooms are open already.
    """

    def __init__(self, uris: Mapping[str, str], server_uri: str, address: tuple[str, int], host: str) -> None:
        self._nameserver = NameServer()
        self._defects = Defects(log)
        self._address = address
        self._uris = {room_object(room): uri for room, uri in uris.items()}
        self._embedded: EmbeddedNameServer | None = None
        self.embedded_at: str | None = None
        try:
            if not self._nameserver.is_there():
                where, port = self._nameserver.address
                self._embedded = EmbeddedNameServer(host if host in _EVERYWHERE else where, port)
                self.embedded_at = str(self._nameserver)
            for name, uri in self._uris.items():
                self._take(name, uri)
            if not self._alive(SERVER_OBJECT):
                self._uris[SERVER_OBJECT] = server_uri
                self._take(SERVER_OBJECT, server_uri)
        except NameServerSilent as error:  # it hangs: no reason for the room to stay closed
            log.warning("%s; until it answers, others join with --at %s:%d", error, *address)
        except BaseException:
            self._give_back_all()
            raise
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="pyrochat-registration", daemon=True)
        try:
            self._thread.start()
        except BaseException:
            self._give_back_all()
            raise

    def add(self, room: str, uri: str) -> None:
        """Take *room*'s name too. Raises NameServerRefused; a name server that doesn't answer is told later."""
        name = room_object(room)
        try:
            self._take(name, uri)
        except NameServerRefused:
            raise
        except Unavailable as error:
            log.warning("%s; until it does, others join %s with --at %s:%d", error, room, *self._address)
        self._uris[name] = uri

    def withdraw(self, room: str) -> None:
        """Give *room*'s name back."""
        name = room_object(room)
        self._uris.pop(name, None)
        with contextlib.suppress(PyroChatError):
            self._nameserver.remove(name, self._address)

    def _take(self, name: str, uri: str) -> None:
        if self._alive(name):
            host, port = self._nameserver.lookup(name)
            raise NameServerRefused(
                f"{name!r} is served at {host}:{port} already: join it there, or choose another name with --room"
            )
        self._nameserver.register(name, uri)

    def _alive(self, name: str) -> bool:
        """Whether *name* stands for another server than ours that answers, or hangs, for it."""
        try:
            address = self._nameserver.lookup(name)
        except RoomNotFound:
            return False
        if address == self._address:
            return False
        try:
            RemoteObject(address, name, "hello", timeout=_ALIVE_SECONDS).close()
        except RoomSilent:
            return True
        except (RoomUnreachable, RoomNotFound):
            return False
        except PyroChatError as error:
            log.info("%s at %s:%d refuses (%s), so it is alive", name, *address, error)
        return True

    def _keep(self) -> None:
        go_on(lambda: not self._ended.wait(CHECK_SECONDS) and self._check(), "the registration", self._defects)

    def _check(self) -> bool:
        try:
            entries = self._nameserver.entries("pyrochat.")
            for name, uri in list(self._uris.items()):
                if name not in entries:
                    self._nameserver.register(name, uri)
                    log.info("registered %s with the name server at %s again", name, self._nameserver)
        except NameServerNotFound:
            log.debug("the name server at %s doesn't answer", self._nameserver)
        except PyroChatError as error:
            log.warning("the name server at %s: %s", self._nameserver, error)
        return True

    def close(self) -> None:
        """Take the names out again, and stop the name server if it is ours."""
        self._ended.set()
        parting = threading.Thread(target=self._remove_all, name="pyrochat-deregistration", daemon=True)
        parting.start()
        parting.join(_PARTING_SECONDS)  # a name server that hangs does not hold up the end
        self._close_embedded()

    def _remove_all(self) -> None:
        self._thread.join()
        self._withdraw_all()

    def _withdraw_all(self) -> None:
        for name in list(self._uris):
            with contextlib.suppress(PyroChatError):
                self._nameserver.remove(name, self._address)

    def _give_back_all(self) -> None:
        """The server can't start: no name may lead to it, and no name server of its own stay."""
        if self._embedded is None:
            self._withdraw_all()
        self._close_embedded()

    def _close_embedded(self) -> None:
        if self._embedded is not None:
            self._embedded.close()
            self._embedded = None
