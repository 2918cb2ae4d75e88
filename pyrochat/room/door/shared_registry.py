"""The registry of a cluster: every server follows the same log of it, and each has what that comes to in its own file."""

import contextlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from pyrochat.core.commands import Entry
from pyrochat.core.marks import Mark
from pyrochat.core.order import Applied, Follower, Order
from pyrochat.core.registry import RegistryCommand
from pyrochat.storage.registry_file import RegistryFile
from pyrochat.storage.registry_log import RegistryLog
from pyrochat.values.errors import LogUnavailable, PyroChatError

log = logging.getLogger(__name__)


class SharedRegistry(Follower):
    """Lets *order* decide what changes in *file*. error: why this server can't go on with it."""

    def __init__(self, file: RegistryFile, order: Order) -> None:
        self.error: PyroChatError | None = None
        self._file, self._log = file, RegistryLog(file)
        self._order = order
        self._entry = file.standing.entry if file.standing else 0
        file.decide = self.submit
        order.start(self)

    def submit(self, command: RegistryCommand) -> None:
        """See `RegistryFile.submit`. Raises LogUnavailable too where no majority answers."""
        wanted: Any = command
        outcome = self._order.submit(wanted).outcome()
        if isinstance(outcome, PyroChatError):
            raise outcome

    def catch_up(self) -> bool:
        """Wait a moment for all that was decided before; whether it is here."""
        with contextlib.suppress(LogUnavailable):
            self._order.catch_up()
            return True
        return False

    def close(self) -> None:
        """Take nothing more."""
        self._order.close()

    # -- what the order calls ---------------------------------------------------------------------------------

    @property
    def entry(self) -> int:
        return self._entry

    def apply(self, entries: Sequence[Entry]) -> Applied:
        wanted: Any = entries
        try:
            outcomes = self._log.apply(wanted)
        except LogUnavailable as error:
            return Applied([[error] * len(entry.commands) for entry in entries], error)
        self._entry = max([self._entry, *(entry.number for entry in entries)])
        self._file.touched = True
        return Applied(outcomes)

    @property
    def copying(self) -> bool:
        return self._file.standing is not None and self._file.standing.copying

    def adopt(self, number: int, identity: str, about: Mapping[str, Any]) -> None:
        self._log.adopt(number, identity, about)
        self._entry = number

    def paste(self, number: int, kind: str, rows: Sequence[Any]) -> None:
        self._log.paste(number, kind, rows)
        self._entry = number
        self._file.touched = True

    def stopped(self, error: PyroChatError) -> None:
        self.error = error
        log.critical("the register of names: %s", error)

    def due_seconds(self) -> float | None:
        return None

    def heard(self, marks: Mapping[str, Mark]) -> None:
        """Nobody has marks here."""
