"""Which servers of a cluster are there: each says so twice a second, to all that listen, and nobody keeps it.

Silence only proposes: that the sessions of a server that is gone are lost is decided by the order (`core.commands.Restarted`).
"""

import json
import threading
from collections.abc import Callable
from typing import NamedTuple, Protocol

from pyrochat.clock import monotonic

BEAT_SECONDS = 0.5
SILENT_SECONDS = 3.0
_SUBJECT = "alive"
_GONE = float("-inf")


class Radio(Protocol):
    """What `Engine` does for this."""

    connected_at: float | None

    def shout(self, subject: str, data: bytes) -> None:
        """Tell *data* to all that listen now."""

    def listen(self, subject: str, heard: Callable[[bytes], None]) -> None:
        """Call *heard* with what is told."""

    def repeat(self, seconds: float, step: Callable[[], None]) -> None:
        """Call *step* again and again."""


class Peer(NamedTuple):
    """A server as it has told of itself. home: its run. label: its name, the same after each start. at: where its clients
    come, ``host:port``. version: of the entries that it knows. tails: how many messages it has of each room that it has open, by the
    name of its stream."""

    home: str
    label: str
    at: str
    version: int
    tails: dict[str, int]


class Liveness:
    """own: what to tell of this server, asked each time. is_silent: tell nothing. silent_seconds: whoever says nothing for so long is
    gone. Any thread may ask."""

    def __init__(
        self, radio: Radio, own: Callable[[], Peer], now: Callable[[], float] = monotonic, is_silent: bool = False,
        silent_seconds: float = SILENT_SECONDS,
    ) -> None:  # fmt: skip
        self._silent_seconds = silent_seconds
        self._radio = radio
        self._own = own
        self._now = now
        self._mutex = threading.Lock()  # guards the next one
        self._heard: dict[str, tuple[float, Peer]] = {}  # by home
        radio.listen(_SUBJECT, self._hear)
        if not is_silent:
            radio.repeat(BEAT_SECONDS, self._beat)

    def _beat(self) -> None:
        self._radio.shout(_SUBJECT, json.dumps([*self._own(), False]).encode())

    def say_goodbye(self) -> None:
        """The server ends: nobody has to wait for its silence."""
        self._radio.shout(_SUBJECT, json.dumps([*self._own(), True]).encode())

    def _hear(self, data: bytes) -> None:
        try:
            *fields, is_end = json.loads(data)
            peer = Peer(*fields)
        except (ValueError, TypeError):
            return
        with self._mutex:
            for home, (_, other) in list(self._heard.items()):
                if other.label == peer.label and home != peer.home:
                    del self._heard[home]
            self._heard[peer.home] = (_GONE if is_end else self._now(), peer)

    def is_alive(self, home: str) -> bool:
        """Whether the run *home* of a server may be there still."""
        own = self._own()
        if home == own.home:
            return True
        if label_of(home) == own.label:  # an earlier run of ours
            return False
        connected_at = self._radio.connected_at
        if connected_at is None:
            return True
        with self._mutex:
            heard_at = self._heard[home][0] if home in self._heard else connected_at
        return heard_at != _GONE and self._now() - max(connected_at, heard_at) < self._silent_seconds

    @property
    def is_alone(self) -> bool:
        """Whether no other server is heard of."""
        return len(self.peers()) == 1

    def peers(self) -> list[Peer]:
        """Those that are there now, this server included, by label."""
        with self._mutex:
            heard = [peer for at, peer in self._heard.values() if self._now() - at < self._silent_seconds]
        own = self._own()
        others = [peer for peer in heard if peer.label != own.label]
        return sorted([own, *others], key=lambda peer: peer.label)


def label_of(home: str) -> str:
    """The label of the server whose run is called *home*."""
    return home.rpartition("/")[0]
