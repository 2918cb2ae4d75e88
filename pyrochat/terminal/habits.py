"""What the screen remembers from one time to the next: the rooms that one was in, the theme, what one wants to be told."""

import contextlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import filelock

from pyrochat.trust.files import make_folder, read_json, write_private
from pyrochat.values.errors import Unavailable
from pyrochat.values.rules import fold

log = logging.getLogger("pyrochat")

ALL, MENTIONS, NONE = "all", "mentions", "none"
NOTIFY = (ALL, MENTIONS, NONE)
"""Of which messages of a room one is told: all, those that concern one, none."""
_LOCK_SECONDS = 2.0
_MOST = 1_000  # of anything


@dataclass(frozen=True, slots=True)
class Habits:
    """rooms: those that were open. room: the one in front. notify: by room, one of `NOTIFY`, where it is not the usual.
    highlight: words that concern one beside one's name. ignored: members whose messages are not shown. theme: its name, for
    all members of this user; empty for the default.
    """

    rooms: tuple[str, ...] = ()
    room: str = ""
    notify: Mapping[str, str] = field(default_factory=dict)
    highlight: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    theme: str = ""

    def told_of(self, room: str) -> str:
        """Of which messages of *room* one is told."""
        return self.notify.get(room, MENTIONS)


class HabitFile:
    """The habits of one member of a user's, in the file *path* (None: in none); member: by whatever it is known.

    What can't be read is as if it were not there, what can't be written is lost: `keep` says so in the log.
    """

    def __init__(self, path: Path | None, member: str) -> None:
        self._path = path
        self._member = member
        kept = self._read()
        self.is_new = path is not None and not kept
        self.habits = _habits(kept, member)

    def keep(self, **changes: Any) -> None:
        """Some of the habits have changed."""
        habits = replace(self.habits, **changes)
        if habits == self.habits:
            return
        self.habits = habits
        if self._path is None:
            return
        try:
            make_folder(self._path.parent)
            with filelock.FileLock(self._path.with_suffix(".lock"), timeout=_LOCK_SECONDS, mode=0o600):
                kept = self._read()
                own = asdict(habits)
                theme = own.pop("theme")
                members = kept.get("members")
                members = members if isinstance(members, dict) else {}
                content = {"theme": theme, "members": {**members, self._member: own}}
                write_private(self._path, json.dumps(content).encode())
        except (Unavailable, OSError, filelock.Timeout) as error:
            log.warning("what the screen is to remember can't be kept in %s: %s", self._path, error)

    def _read(self) -> dict[str, Any]:
        with contextlib.suppress(OSError, ValueError, RecursionError, Unavailable):
            found = None if self._path is None else read_json(self._path)
            if isinstance(found, dict):
                return found
        return {}


def _habits(kept: Mapping[str, Any], member: str) -> Habits:
    members = kept.get("members")
    own = members.get(member) if isinstance(members, dict) else None
    own = own if isinstance(own, dict) else {}
    notify = own.get("notify")
    return Habits(
        _texts(own.get("rooms")),
        own["room"] if isinstance(own.get("room"), str) else "",
        {str(room): how for room, how in notify.items() if how in NOTIFY} if isinstance(notify, dict) else {},
        _texts(own.get("highlight")),
        _texts(own.get("ignored")),
        kept["theme"] if isinstance(kept.get("theme"), str) else "",
    )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(text for text in value[:_MOST] if isinstance(text, str)) if isinstance(value, list) else ()


def habits_of(path: Path, name: str, log_id: str) -> HabitFile:
    """The habits of *name* in the rooms beside the one whose log is *log_id*: wherever that is served."""
    return HabitFile(path, f"{fold(name)} in {log_id}")
