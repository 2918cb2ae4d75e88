"""The rooms' place in the name server: taken at the start, mended while the server runs, given back at the end."""

import contextlib
import logging
import random
import threading
from collections.abc import Collection, Mapping, Sequence

from pyrochat.pyro.embedded import EmbeddedNameServer
from pyrochat.pyro.naming import NameServer
from pyrochat.pyro.probing import PROBE_SECONDS, Presence, ProbeResult, is_here, look
from pyrochat.room.siblings import Siblings
from pyrochat.threads import Defects, go_on
from pyrochat.values.addresses import Address, shown_address
from pyrochat.values.errors import (
    NameServerNotFound,
    NameServerRefused,
    NameServerSilent,
    PortInUse,
    PyroChatError,
    Unavailable,
)
from pyrochat.values.protocol import SERVER_OBJECT, room_object

log = logging.getLogger(__name__)

CHECK_SECONDS = 3.0  # a restarted name server knows the rooms again after so long
_PARTING_SECONDS = 1.0
_EVERYWHERE = ("0.0.0.0", "::", "")


class Registration:
    """Keeps rooms registered as ``pyrochat.<room>``, and the server as ``pyrochat.server``.

    uris: the URI of each room. address: ``(host, port)`` that they lead to. server_key: the server's public key, in
    hexadecimal. host: where the rooms listen; an embedded name server listens there too if that is everywhere, else
    where it is looked for. check_seconds: how often the entries are looked at. probe_seconds: see `look`.

    An entry that is missing, or leads to nobody, is written; one that leads to another server that is alive is left to
    it: at the start that raises NameServerRefused, later it is said, once. Raises CannotHost where no name server is
    there and none can be started. One that hangs is waited for while the rooms are open already.

    site: this server's label, where others, its siblings, have the same rooms and the same key: then each room is registered
    as ``pyrochat.<room>@<site>`` too (no room's name has an ``@``), and ``pyrochat.<room>`` leads to one of them that is alive.
    is_of_all: each site has a key of its own; whoever has the room is a sibling.

    A name server that was embedded in another server on this machine, and has ended with it, is taken over: started in
    this process, at the same address. One of another kind is its operator's to start again.
    """

    def __init__(
        self, uris: Mapping[str, str], server_uri: str, address: Address, server_key: str, host: str,
        *, check_seconds: float = CHECK_SECONDS, probe_seconds: float = PROBE_SECONDS, site: str | None = None,
        is_of_all: bool = False,
    ) -> None:  # fmt: skip
        self._site = site
        self._is_of_all = is_of_all
        self._rooms: dict[str, str] = {}  # of the names that are of this site, which room that is
        self._nameserver = NameServer()
        self._defects = Defects(log)
        self._address = address
        self._server_key = server_key
        self._check_seconds = check_seconds
        self._probe_seconds = probe_seconds
        self._mutex = threading.Lock()  # guards _uris, and what we write in the name server: nothing after the end
        rooms = self._named(uris)
        self._uris = rooms | {SERVER_OBJECT: server_uri}
        self._others: dict[str, Address] = {}  # who has our names, as far as it was said
        self._embedded: EmbeddedNameServer | None = None
        self._embedded_mutex = threading.Lock()  # guards it against being started after the end
        self._host = host
        self.embedded_at: str | None = None
        self._ended = threading.Event()
        try:
            if not self._nameserver.is_there():
                self._start_embedded_or_use_another()
            refused = self._take(rooms)
            if refused:
                raise next(iter(refused.values()))
            self._mend()
        except NameServerSilent as error:  # it hangs: no reason for the room to stay closed
            log.warning('%s; until it answers, others join with at="%s"', error, shown_address(address))
        except BaseException:
            self._give_back_all()
            raise
        self._thread = threading.Thread(target=self._keep, name="pyrochat-registration", daemon=True)
        try:
            self._thread.start()
        except BaseException:
            self._give_back_all()
            raise

    def _start_embedded_or_use_another(self) -> None:
        """Of several servers that look at the same moment one starts it, and the others have it too. Raises CannotHost."""
        try:
            self._start_embedded()
        except PortInUse:
            if not self._nameserver.is_there():
                raise

    def _start_embedded(self) -> None:
        """Raises CannotHost; PortInUse also where somebody else has just started one."""
        where, port = self._nameserver.address
        with self._embedded_mutex:
            if not self._ended.is_set():
                self._embedded = EmbeddedNameServer(self._host if self._host in _EVERYWHERE else where, port)
                self.embedded_at = str(self._nameserver)

    def add(self, uris: Mapping[str, str]) -> dict[str, NameServerRefused]:
        """Take the names of these rooms too; returns those of them that are refused. A name server that doesn't answer is
        told later.
        """
        names = self._named(uris)
        refused: dict[str, NameServerRefused] = {}
        try:
            refused = self._take(names)
        except Unavailable as error:
            shown = shown_address(self._address)
            log.warning('%s; until it does, others join %s with at="%s"', error, ", ".join(uris), shown)
        with self._mutex:
            self._uris |= {name: uri for name, uri in names.items() if name not in refused}
        return {room: refused[room_object(room)] for room in uris if room_object(room) in refused}

    def withdraw(self, room: str) -> None:
        """Give *room*'s name back."""
        names = self._named({room: ""})
        with self._mutex, contextlib.suppress(PyroChatError):
            for name in names:
                self._uris.pop(name, None)
            self._nameserver.remove(names, self._address)

    def _named(self, uris: Mapping[str, str]) -> dict[str, str]:
        """Under which names the rooms are registered."""
        named = {room_object(room): uri for room, uri in uris.items()}
        if self._site is not None:
            for room, uri in uris.items():
                name = f"{room_object(room)}@{self._site}"
                named[name], self._rooms[name] = uri, room
        return named

    def _take(self, uris: Mapping[str, str]) -> dict[str, NameServerRefused]:
        """Register *uris*, but for those whose names others have, which are returned."""
        entries, sites = self._nameserver.listed_of(uris)
        siblings = self._siblings(sites)
        refused: dict[str, NameServerRefused] = {}
        of_siblings = set()
        for name in uris:
            try:
                if name not in self._rooms and self._is_siblings(name, entries.get(name), siblings):
                    of_siblings.add(name)
            except NameServerRefused as error:
                refused[name] = error
        for name in uris.keys() & self._rooms.keys():
            if (own := room_object(self._rooms[name])) in refused:
                refused[name] = refused[own]
        left = of_siblings | refused.keys()
        self._nameserver.register({name: uri for name, uri in uris.items() if name not in left}, self._rooms)
        return refused

    def _is_siblings(self, name: str, found: Address | None, siblings: Siblings) -> bool:
        """Whether *name* leads to a sibling. Raises NameServerRefused where it leads to somebody else who is there and not we."""
        if found is not None and found != self._address:
            if siblings.lives_at(found):
                return True
            if siblings.is_gone_from(found):
                return False
            where = shown_address(found)
            seen = look(found, name, self._probe_seconds)
            if seen.presence is Presence.SILENT:
                raise NameServerRefused(
                    f"{name!r} is registered at {where}, where something takes connections and doesn't answer: "
                    "end it, or choose another name with room="
                )
            if seen.presence is Presence.SERVED and not self._is_us(found, seen):
                raise NameServerRefused(
                    f"{name!r} is served at {where} already: join it there, or choose another name with room="
                )
        return False

    def _siblings(self, sites: Mapping[str, Sequence[Address]], seconds: float | None = None) -> Siblings:
        key = "" if self._site is None else self._server_key
        return Siblings(key, sites, self._probe_seconds if seconds is None else seconds, self._is_of_all)

    def _is_us(self, found: Address, seen: ProbeResult) -> bool:
        """Whether *found* is our own port, by another name of this machine. A copy of our folder has our key too."""
        return seen.is_here and found[1] == self._address[1] and seen.server_key in ("", self._server_key)

    def _keep(self) -> None:
        go_on(lambda: not self._ended.wait(self._check_seconds) and self._look(), "the registration", self._defects)

    def _look(self) -> bool:
        try:
            for name in self._mend():
                log.info("registered %s with the name server at %s again", name, self._nameserver)
        except NameServerNotFound:
            log.debug("the name server at %s doesn't answer", self._nameserver)
            self._take_over()
        except PyroChatError as error:
            log.warning("the name server at %s: %s", self._nameserver, error)
        return True

    def _take_over(self) -> None:
        """Start a name server where one has ended with its process. Of several servers that try, the port takes one."""
        if not self._nameserver.is_embedded or not is_here(self._nameserver.address[0]):
            return
        if self._ended.wait(self._check_seconds * random.random()):  # not all at once
            return
        try:
            if self._nameserver.is_there():  # another was faster, or its operator
                return
            self._close_embedded()  # ours, if it can't be reached any more
            self._start_embedded()
            self._mend()
        except PyroChatError as error:
            log.debug("no name server was started at %s: %s", self._nameserver, error)
        else:
            log.info("the server that had the name server at %s has ended: it is in this one now", self._nameserver)

    def _mend(self) -> list[str]:
        """Write the entries that lead to nobody; returns their names. Raises NameServerNotFound."""
        written = []
        entries, sites = self._nameserver.listed("pyrochat.")
        siblings = self._siblings(sites)
        for name, uri in list(self._uris.items()):
            found = (
                self._address
                if name in self._rooms and self._address in sites.get(room_object(self._rooms[name]), ())
                else entries.get(name)
            )
            if found == self._address or (found is not None and self._leads_to_somebody(name, found, siblings)):
                continue
            try:
                with self._mutex:
                    if self._ended.is_set() or name not in self._uris:
                        continue
                    self._nameserver.register({name: uri}, self._rooms)
            except NameServerNotFound:
                raise
            except PyroChatError as error:  # this name, and perhaps no other
                log.warning("the name server at %s doesn't take %s: %s", self._nameserver, name, error)
            else:
                self._others.pop(name, None)
                written.append(name)
        return written

    def _leads_to_somebody(self, name: str, found: Address, siblings: Siblings) -> bool:
        """Whether *found*, which *name* stands for, is a server that is alive; said once, where that is not ours."""
        if siblings.lives_at(found):
            return True
        if siblings.is_gone_from(found):
            return False
        seen = look(found, name, self._probe_seconds)
        if seen.presence is Presence.ABSENT:
            return False
        if name != SERVER_OBJECT and not self._is_us(found, seen) and self._others.get(name) != found:
            log.warning(
                "the name server at %s has %s at %s, where another server answers or hangs: who asks it is sent there; "
                "others join here with at=\"%s\"", self._nameserver, name, shown_address(found), shown_address(self._address),
            )  # fmt: skip
        self._others[name] = found
        return True

    def close(self) -> None:
        """Take the names out again, and stop the name server if it is ours."""
        self._ended.set()
        parting = threading.Thread(target=self._withdraw_all, name="pyrochat-deregistration", daemon=True)
        parting.start()
        parting.join(_PARTING_SECONDS)  # a name server that hangs does not hold up the end
        self._close_embedded()

    def _withdraw_all(self) -> None:
        with self._mutex, contextlib.suppress(PyroChatError):
            handed_over = self._hand_over() if self._site is not None and self._embedded is None else ()
            self._nameserver.remove([name for name in self._uris if name not in handed_over], self._address)

    def _hand_over(self) -> Collection[str]:
        """What leads to us leads to a sibling from now on, if one is alive; returns the names for which that is so."""
        entries, sites = self._nameserver.listed("pyrochat.")
        handed_over: dict[str, str] = {}
        if (heir := next(self._siblings(sites, _PARTING_SECONDS / 8).living(self._address), None)) is not None:
            for name, uri in self._uris.items():
                if entries.get(name) == self._address and (name == SERVER_OBJECT or heir in sites.get(name, ())):
                    handed_over[name] = f"{uri.rpartition('@')[0]}@{shown_address(heir)}"
            self._nameserver.register(handed_over)
        return handed_over

    def _give_back_all(self) -> None:
        """The server can't start: no name may lead to it, and no name server of its own stay."""
        if self._embedded is None:
            self._withdraw_all()
        self._close_embedded()

    def _close_embedded(self) -> None:
        with self._embedded_mutex:
            embedded, self._embedded = self._embedded, None
        if embedded is not None:
            embedded.close()
