"""An operator's redaction in a room that nobody hosts now."""

from contextlib import closing
from pathlib import Path

from pyrochat.core.commands import Entry
from pyrochat.core.current import operators_redaction
from pyrochat.room.applier import Applier
from pyrochat.room.clock import wall_clock_us
from pyrochat.storage.log_file import connect, read_about
from pyrochat.storage.search_index import index_path
from pyrochat.storage.sqlite_log import SqliteLog
from pyrochat.trust.salts import new_salt
from pyrochat.values.errors import UnknownMessage


def redact_in_file(path: Path, id: int) -> None:
    """Delete message *id* in the log at *path*; its index is made anew at the next start.

    Raises UnknownMessage, InvalidArgument, MessageRedacted, LogInUse, LogUnavailable, and what `SqliteLog` raises.
    """
    with closing(connect(path)) as db:
        title = read_about(db, path).room  # of a closed room, which is named by its id
    with closing(SqliteLog(path, title)) as log:
        found = log.read(id - 1, 1)
        if not found:
            raise UnknownMessage(f"there is no message {id}: the log ends at {log.tail}")
        applier = Applier(log, lambda members: 0.0, lambda transition: None)
        redaction = operators_redaction(found[0], new_salt())
        [[outcome]] = applier.apply([Entry(applier.entry + 1, wall_clock_us(), (redaction,))]).outcomes
        if isinstance(outcome, Exception):
            raise outcome
        index = index_path(path)
        for name in (index.name, f"{index.name}-wal", f"{index.name}-shm"):
            index.with_name(name).unlink(missing_ok=True)
