"""What checks find."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check says about one place. ids: of the messages that it is about."""

    room: str
    description: str
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A finding, with its kind: see `checker.CHECKS`."""

    kind: str
    room: str
    description: str
    ids: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.kind}: room {self.room}: {self.description}"
