"""The traps: what strangers and hostile members try, and the refusal that each has to meet."""

from collections.abc import Callable
from dataclasses import dataclass

from lab.attacks.target import Target
from lab.attacks.wire import CLOSED

GONE = rf"{CLOSED}|cut off"


@dataclass(frozen=True, slots=True)
class Trap:
    """One attack. refusal: a pattern that its outcome has to match. most_mib: how much the server may grow.

    tls, private: the server speaks TLS, has a password. descriptors: it may have so many open; 0: as many as it likes.
    """

    name: str
    attack: Callable[[Target], str]
    refusal: str
    most_mib: float = 10.0
    tls: bool = False
    private: bool = False
    descriptors: int = 0

    @property
    def server(self) -> tuple[bool, bool, int]:
        """What kind of server it needs."""
        return self.tls, self.private, self.descriptors
