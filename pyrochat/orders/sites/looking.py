"""The beginning: a site that is in no room yet looks for one that is; who finds nobody founds the room.

Those who look at the same moment meet each other looking: the one with the lowest id founds, and the others wait for it.
"""

import logging
import secrets
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from pyrochat.clock import monotonic
from pyrochat.orders.sites.face import LOOKING, SiteFace
from pyrochat.orders.sites.wire import Dial, Wire
from pyrochat.values.errors import InvalidArgument, PyroChatError, Refused, RoomClosing

log = logging.getLogger(__name__)

FOUNDING_SECONDS = 5.0
_AMONG_OTHERS_SECONDS = 1.5
_PAUSE_SECONDS = 0.2


def new_look_id() -> str:
    """What a site is known by as long as it looks."""
    return secrets.token_hex(16)


class Looking(ABC):
    """Of a site with *face*. candidates: where sites may be, asked anew each time. at: where others reach this one, ``host:port``, or empty.

    seconds: until the room is founded, where nobody is found. closing: it is given up.
    """

    def __init__(
        self, face: SiteFace, dial: Dial, at: str, candidates: Callable[[], Sequence[str]],
        seconds: float = FOUNDING_SECONDS, closing: threading.Event | None = None,
    ) -> None:  # fmt: skip
        self._face = face
        self._dial = dial
        self._at = at
        self._candidates = candidates
        self._seconds = seconds
        self._closing = closing or threading.Event()
        self._met: dict[str, None] = {}

    @abstractmethod
    def _enter(self, wire: Wire, address: str, state: str, root: str) -> None:
        """The site at *address* is in a room: ask it for what it takes to be in that too. *wire* is closed where this raises, and
        nowhere else. Raises PyroChatError where another site has to be found."""

    @abstractmethod
    def _entered(self) -> None:
        """`_enter` was done. Raises what ends the looking."""

    @abstractmethod
    def _found(self) -> None:
        """Found the room. Raises what ends the looking."""

    def look(self) -> bool:
        """Find a site and be of its room, or found the room, before this one is started; whether one was found.

        Raises RoomClosing, CannotHost, what a site refuses us with, and LogUnavailable.
        """
        self._face.called = lambda address: self._met.setdefault(address)
        began = monotonic()
        while not self._closing.is_set():
            lookers, refusal = [], None
            for address in dict.fromkeys([*self._candidates(), *list(self._met)]):
                if address in ("", self._at):
                    continue
                try:
                    looker = self._meet(address)
                except Refused as error:
                    refusal = error
                    continue
                except PyroChatError as error:
                    log.debug("no site at %s: %s", address, error)
                    continue
                if looker is None:
                    self._entered()
                    return True
                lookers.append(looker)
            if refusal is not None and not refusal.may_pass:
                raise refusal
            waited = monotonic() - began
            is_lowest = all(self._face.look_id < other for other in lookers)
            if is_lowest and waited >= (min(_AMONG_OTHERS_SECONDS, self._seconds) if lookers else self._seconds):
                self._found()
                return False
            self._closing.wait(_PAUSE_SECONDS)
        raise RoomClosing("the server is being stopped")

    def _meet(self, address: str) -> str | None:
        """By what the site at *address* is known, where it looks itself; None where it is in a room, and `_enter` was done."""
        wire = self._dial(address)
        try:
            state, root, id, *_ = wire.call("meet", self._at)
            if state != LOOKING:
                self._enter(wire, address, state, root)
                return None
            if id == self._face.look_id:
                raise InvalidArgument("that is this site itself")
        except BaseException:
            wire.close()
            raise
        wire.close()
        return str(id)
