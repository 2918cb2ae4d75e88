"""Which name belongs to which key, who is banned, which rooms were created: for all rooms of a server.

What follows from what is decided in `core.registry`, and kept in `storage.registry_file`; here names are folded, and
questions asked. The operator's commands write the same file while the server runs; it looks whether that has happened
(`has_changed`).
"""

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pyrochat.core.registry import Ban, Claim, CreateRoom, ForgetRoom, Free, NameRecord, RoomRecord, Unban, taken
from pyrochat.storage.registry_file import BUSY_SECONDS, RegistryFile, connect
from pyrochat.values.errors import Banned
from pyrochat.values.rules import checked_name, fold


@dataclass(frozen=True, slots=True)
class RegistryEntry:
    """name: as it was written first. key: the public key, None for a banned name without one. since_us: Unix µs.
    rival: it is refused, because another name is the same since names are compared after NFKC."""

    name: str
    key: bytes | None
    since_us: int
    banned: bool
    rival: bool = False


class Registry:
    """The registry in the folder *data*; see `RegistryFile`. Any thread may call.

    Every method raises LogUnavailable where the file fails.
    """

    def __init__(
        self, data: Path, *, busy_seconds: float = BUSY_SECONDS,
        connect: Callable[[Path, float], sqlite3.Connection] = connect,
    ) -> None:  # fmt: skip
        self.file = RegistryFile(data, busy_seconds=busy_seconds, connect=connect)
        self.has_changed = self.file.has_changed
        self.close = self.file.close

    # -- who is it --------------------------------------------------------------------------------------------

    def key_of(self, member: str) -> bytes | None:
        """The key that the folded name *member* belongs to."""
        with self.file.reading() as tables:
            entry = _entry(tables.name(member))
        return entry.key if entry else None

    def seconds_known(self, key: bytes) -> float:
        """How long ago *key* got its first name; 0.0 where it has none. Negative where the clock was corrected."""
        with self.file.querying() as db:
            since_us = db.execute("SELECT min(since_us) FROM names WHERE key = ?", (key,)).fetchone()[0]
        return 0.0 if since_us is None else (time.time_ns() // 1000 - since_us) / 1_000_000

    def check(self, name: str, key: bytes | None) -> RegistryEntry | None:
        """What is known of *name*, where *key* (None: a guest) may use it.

        Raises NameTaken where it belongs to another key, Banned.
        """
        member, wanted = fold(name), _hex(key)
        with self.file.reading() as tables:
            if tables.is_banned(member, wanted):
                raise Banned(f"the name {name!r} is banned here")
            known = tables.name(member)
            if known is not None and known.key not in (None, wanted):
                is_rival = wanted is not None and any(rival.key == wanted for rival in tables.rivals(member))
                raise taken(name, known.name if is_rival else None)
        return _entry(known)

    def claim(self, name: str, key: bytes | None) -> None:
        """Let *key* (None: a guest) use *name*; it belongs to the first key that comes. Raises as `check` does."""
        entry = self.check(name, key)
        if key is not None and (entry is None or entry.key != key):
            self.file.submit(Claim(fold(name), name, key.hex()))

    def rival_of(self, member: str) -> str | None:
        """Whose name is the same as the folded name *member* now, and waits for it."""
        with self.file.reading() as tables:
            return next((rival.name for rival in tables.rivals(member)), None)

    def is_banned(self, member: str, key: bytes | None) -> bool:
        """Whether the folded name *member* is banned, or the key of a banned name is *key*."""
        with self.file.reading() as tables:
            return tables.is_banned(member, _hex(key))

    def bans(self) -> tuple[set[str], set[bytes]]:
        """The folded names that are banned, and the keys that they belong to."""
        with self.file.querying() as db:
            rows = db.execute("SELECT member, key FROM names WHERE banned").fetchall()
        return {member for member, _ in rows}, {key for _, key in rows if key is not None}

    # -- the operator ---------------------------------------------------------------------------------------

    def entries(self) -> list[RegistryEntry]:
        """All names, in the order in which they came."""
        with self.file.reading() as tables:
            return [entry for record in tables.names() if (entry := _entry(record)) is not None]

    def remove(self, name: str) -> None:
        """Free *name*: the next key that uses it owns it. Raises InvalidArgument where nobody has it, or it is banned."""
        self.file.submit(Free(fold(checked_name(name)), name))

    def ban(self, name: str) -> None:
        """Nobody gets in as *name*, and the key that it belongs to under no name."""
        self.file.submit(Ban(fold(checked_name(name)), name))

    def unban(self, name: str) -> None:
        """Take a ban back. Raises InvalidArgument where there is none."""
        self.file.submit(Unban(fold(checked_name(name)), name))

    # -- rooms ------------------------------------------------------------------------------------------------

    def rooms(self) -> list[RoomRecord]:
        """The rooms that were created, in the order in which they came."""
        with self.file.reading() as tables:
            return tables.rooms()

    def has_room(self, name: str) -> bool:
        """Whether room *name* was created before."""
        with self.file.reading() as tables:
            return tables.room(fold(name), name) is not None

    def remember_room(self, name: str, creator: str) -> None:
        """*creator* makes room *name*: the next start hosts it again."""
        self.file.submit(CreateRoom(fold(name), name, creator))

    def forget_room(self, name: str) -> None:
        """The next start doesn't host room *name* any more. Raises InvalidArgument where it is not remembered."""
        self.file.submit(ForgetRoom(fold(name), name))


def _entry(record: NameRecord | None) -> RegistryEntry | None:
    if record is None:
        return None
    key = None if record.key is None else bytes.fromhex(record.key)
    return RegistryEntry(record.name, key, record.since_us, record.banned, record.rival_of is not None)


def _hex(key: bytes | None) -> str | None:
    return None if key is None else key.hex()
