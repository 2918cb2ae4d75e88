"""Which faults when: drawn from a seed, and from nothing else, so that a run can be had again.

A schedule has no end; a run takes as many rounds of it as there is time for. In a round one to three
faults overlap; then all is well again, until everybody has recovered and a little longer.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

EVERYBODY = -1


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault. weight: how often it is drawn; least, most: seconds that it lasts."""

    name: str
    weight: int
    least: float
    most: float
    targets_client: bool = False
    can_target_all: bool = False
    takes_server: bool = False  # two such faults can't overlap


KINDS = (
    Kind("server killed", 5, 0.0, 1.5, takes_server=True),
    Kind("server ended", 2, 0.0, 1.0, takes_server=True),
    Kind("server stopped", 2, 0.2, 4.0, takes_server=True),
    Kind("disk full", 3, 0.5, 3.0),
    Kind("name server killed", 2, 0.5, 3.0),
    Kind("name server stopped", 1, 0.5, 6.0, takes_server=True),  # a server does not start beside it
    Kind("client killed", 3, 0.0, 1.0, targets_client=True),
    Kind("client stopped", 3, 0.5, 8.0, targets_client=True),
    Kind("connection delayed", 2, 0.5, 3.0, targets_client=True, can_target_all=True),
    Kind("connection reset", 2, 0.0, 0.0, targets_client=True, can_target_all=True),
    Kind("connection closed", 2, 0.0, 0.0, targets_client=True, can_target_all=True),
    Kind("cut in mid-frame", 3, 0.5, 0.5, targets_client=True, can_target_all=True),
    Kind("blackhole to server", 2, 0.5, 8.0, targets_client=True, can_target_all=True),
    Kind("blackhole to client", 2, 0.5, 8.0, targets_client=True, can_target_all=True),
    Kind("blackhole", 2, 0.5, 8.0, targets_client=True, can_target_all=True),
    Kind("connection swallowed", 2, 0.5, 3.0, targets_client=True),
    Kind("connections refused", 1, 0.5, 3.0, targets_client=True, can_target_all=True),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: *start* seconds into its round, for *seconds*. target: a client's number, or `EVERYBODY`.

    amount: 0 to 1, of whatever the kind has an amount of.
    """

    kind: str
    target: int
    start: float
    seconds: float
    amount: float

    @property
    def end(self) -> float:
        """Seconds into the round at which it is over."""
        return self.start + self.seconds

    def __str__(self) -> str:
        return self.kind


@dataclass(frozen=True, slots=True)
class Round:
    """Faults that overlap, after *pause* seconds without any. visitor: somebody new comes, and goes afterwards."""

    pause: float
    faults: tuple[Fault, ...]
    visitor: bool


def rounds(seed: int, clients: int) -> Iterator[Round]:
    """The schedule of *seed* for so many clients; it doesn't end."""
    draw = random.Random(seed)
    while True:
        count = draw.choices((1, 2, 3), (6, 3, 1))[0]
        kinds: list[Kind] = []
        while len(kinds) < count:
            kind = draw.choices(KINDS, [kind.weight for kind in KINDS])[0]
            if kind not in kinds and not (kind.takes_server and any(other.takes_server for other in kinds)):
                kinds.append(kind)
        targets = draw.sample(range(clients), count)
        faults = tuple(
            Fault(
                kind.name,
                EVERYBODY if kind.can_target_all and draw.random() < 0.25 else target if kind.targets_client else 0,
                draw.uniform(0.0, 0.5 if count > 1 else 0.0),
                draw.uniform(kind.least, kind.most),
                draw.random(),
            )
            for kind, target in zip(kinds, targets, strict=True)
        )
        yield Round(draw.uniform(0.2, 1.5), faults, draw.random() < 0.25)
