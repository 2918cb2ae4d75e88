"""Making a stream anew from this server's copy of a log: where the cluster's is broken or gone, or keeps texts that were deleted;
and taking logs into a cluster, and out of it again.

The identity stays, and with it every number. What nobody but another server has would be lost: so the one that has most does it.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pyrochat.core.log import Standing
from pyrochat.storage.copying import description, parts
from pyrochat.storage.log_file import connect, file_stem, forget_standing, log_path, note_standing, read_about
from pyrochat.storage.log_formats import FORMAT, format_of
from pyrochat.storage.log_lock import LogLock
from pyrochat.storage.registry_file import RegistryFile
from pyrochat.storage.registry_log import RegistryLog
from pyrochat.values.errors import CannotHost, LogUnreadable

if TYPE_CHECKING:
    from pyrochat.orders.cluster.cluster import Cluster


def rebuild(cluster: "Cluster", stem: str, tail: int, entry: Callable[[], int], path: Path) -> int:
    """Make the stream of the room whose files are called *stem* anew, from the log at *path*; returns how many messages it has.

    tail: how many it has here. entry: the number of the last that was applied. Raises CannotHost where another server has more.
    """
    _check_has_most(cluster, stem, tail)
    cluster.freeze(stem, entry)
    with contextlib.closing(connect(path)) as db:
        about = read_about(db, path)
        standing = about.standing or Standing()
        tip = _tip(db)
        cluster.make_anew(stem, about.identity, entry(), description(about, tip, standing), parts(db))
    return tip[0]


def rebuild_registry(cluster: "Cluster", file: RegistryFile) -> int:
    """The same for the register of names; returns how many entries it has."""
    log = RegistryLog(file)
    cluster.freeze(cluster.registry, lambda: (log.standing or Standing()).entry)
    about, rows = log.copy()
    cluster.make_anew(cluster.registry, log.identity, (log.standing or Standing()).entry, about, [("entries", rows)])
    return len(rows)


def _check_has_most(cluster: "Cluster", stem: str, tail: int) -> None:
    others = [peer for peer in cluster.liveness.peers() if peer.home != cluster.home]
    most = max(others, key=lambda peer: peer.tails.get(stem, 0), default=None)
    if most is not None and most.tails.get(stem, 0) > tail:
        raise CannotHost(
            f"{most.label} has {most.tails[stem]:,} messages, this server {tail:,}: do it there, nothing is lost then"
        )


def take_in(cluster: "Cluster", data: Path, names: Iterable[str]) -> list[str]:
    """Take the logs of the rooms *names* in *data*, and the register of names, into *cluster*; returns a line for each.

    Raises CannotHost where the cluster has them already.
    """
    told = []
    registry = RegistryFile(data)
    try:
        if registry.standing is None:
            about, rows = RegistryLog(registry).copy()
            cluster.check_new(cluster.registry)
            identity = cluster.new_identity()
            cluster.make_anew(cluster.registry, identity, 0, about, [("entries", rows)])
            RegistryLog(registry).share(identity)
            told.append(f"the register of names, {len(rows):,} entries, is the cluster's now")
        with registry.reading() as tables:
            known = [room.name for room in tables.rooms()] + [room.room for room in tables.closed_rooms()]
    finally:
        registry.close()
    for name in dict.fromkeys([*names, *known]):
        path = log_path(data, name)
        if not path.exists():
            continue
        with _locked(path, name), contextlib.closing(connect(path)) as db:
            _check_newest(db, path)
            about_log = read_about(db, path)
            if about_log.standing is not None:
                continue
            stem, tip = file_stem(name), _tip(db)
            cluster.check_new(stem)
            cluster.make_anew(stem, about_log.identity, 0, description(about_log, tip, Standing()), parts(db))
            note_standing(db, Standing())
        told.append(f"room {about_log.room!r}, {tip[0]:,} messages, is the cluster's now")
    return told


def take_out(data: Path) -> list[str]:
    """Make all logs of a cluster in *data*, and its register of names, this machine's own; returns a line for each."""
    told = []
    registry = RegistryFile(data)
    with contextlib.closing(registry):
        if registry.standing is not None:
            RegistryLog(registry).make_own()
            told.append("the register of names is this machine's own now")
    for path in sorted((data / "rooms").glob("*.sqlite3")):
        with contextlib.suppress(LogUnreadable), _locked(path, path.stem), contextlib.closing(connect(path)) as db:
            about = read_about(db, path)
            if about.standing is not None:
                forget_standing(db)
                told.append(f"room {about.room!r}, {_tip(db)[0]:,} messages, is this machine's own now")
    return told


@contextlib.contextmanager
def _locked(path: Path, room: str) -> Iterator[None]:
    lock = LogLock(path, room)
    try:
        yield
    finally:
        lock.release()


def _check_newest(db: sqlite3.Connection, path: Path) -> None:
    if format_of(db) != FORMAT:
        raise CannotHost(
            f"{path} has format {format_of(db)}: host it once without the cluster, so that it is brought up to date"
        )


def _tip(db: sqlite3.Connection) -> tuple[int, bytes]:
    row = db.execute("SELECT id, digest FROM messages ORDER BY id DESC LIMIT 1").fetchone()
    return (row[0], row[1]) if row else (0, b"")
