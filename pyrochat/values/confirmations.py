"""Who has a message, who has read it, who is still waited for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Confirmations:
    """The state of one message among those who had joined for the first time at or before it, without its sender.

    delivered_to: names whose replica has it, whether they are here or not: a confirmation is never taken back.
    read_by: names to whom it has been shown; a subset of `delivered_to`.
    waiting_for: names that are here and have not read it.
    away: names that are not here, have not read it, and may come back. Who joined later for the first time is in none.
    """

    id: int
    delivered_to: frozenset[str]
    read_by: frozenset[str]
    waiting_for: frozenset[str]
    away: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, id: int, delivered_to: Iterable[str], read_by: Iterable[str], waiting_for: Iterable[str],
        away: Iterable[str] = (),
    ) -> Confirmations:  # fmt: skip
        """The confirmations from any four iterables of names."""
        return cls(id, frozenset(delivered_to), frozenset(read_by), frozenset(waiting_for), frozenset(away))

    def to_wire(self) -> list[list[str]]:
        """``[delivered_to, read_by, waiting_for, away]``, each sorted."""
        return [sorted(self.delivered_to), sorted(self.read_by), sorted(self.waiting_for), sorted(self.away)]

    def __repr__(self) -> str:
        def names(group: frozenset[str]) -> str:
            return ", ".join(sorted(group)) or "nobody"

        return (
            f"<Confirmations of #{self.id}: delivered to {names(self.delivered_to)}; "
            f"read by {names(self.read_by)}; waiting for {names(self.waiting_for)}; away {names(self.away)}>"
        )
