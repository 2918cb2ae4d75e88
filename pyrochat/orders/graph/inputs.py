"""What the order of a site has in its queue beside what clients want: what other sites have said, and want."""

from collections.abc import Sequence
from dataclasses import dataclass

from pyrochat.core.commands import OwnCommand
from pyrochat.core.graph.bodies import Admission
from pyrochat.core.graph.record import Told


@dataclass(frozen=True, slots=True)
class Arrived(OwnCommand):
    """*giver* has handed over *events*."""

    events: Sequence[Told]
    giver: str


@dataclass(frozen=True, slots=True)
class Remember(OwnCommand):
    """Other sites are at *peers*, ``host:port``."""

    peers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Admit(OwnCommand):
    """Let a site in."""

    key: str
    nonce: str
    label: str


@dataclass(frozen=True, slots=True)
class Enter(OwnCommand):
    """This site was let in."""

    admission: Admission


@dataclass(frozen=True, slots=True)
class BeginAnew(OwnCommand):
    """This site, *site*, has lost some of what it had said: it begins under another nonce."""

    site: str
