"""Which log each room had when this user was in it last, so that another one can be told.

A convenience, not a protection: a file that can't be read or written is passed over, and keeps nobody out.
"""

import json
from pathlib import Path

import filelock

from pyrochat.asides import aside_logger
from pyrochat.trust.files import make_folder, read_json, write_private
from pyrochat.values.errors import Unavailable

log = aside_logger(__name__)

_LOCK_SECONDS = 1.0
_MOST_CHARACTERS = 1_000  # of a place and of a log's id
_SHOWN = 8  # digits of a log's id


class KnownLogs:
    """What the file *path* holds: by place (a room where it is found), the id of its log; of *most_rooms* at the most."""

    def __init__(self, path: Path, most_rooms: int = 1_000) -> None:
        self._path = path
        self._most_rooms = most_rooms

    def get(self, place: str) -> str:
        """The id of the log that *place* had; empty where none is known."""
        return self._all().get(place, "")

    def remember(self, place: str, log_id: str) -> None:
        """*place* has the log *log_id* from now on. The oldest of many places are forgotten."""
        if self.get(place) == log_id:
            return
        try:
            make_folder(self._path.parent)
            with filelock.FileLock(f"{self._path}.lock", timeout=_LOCK_SECONDS, mode=0o600):
                known = self._all()
                known.pop(place, None)
                known[place] = log_id
                write_private(self._path, json.dumps(dict(list(known.items())[-self._most_rooms :]), indent=1).encode())
        except (OSError, filelock.Timeout, Unavailable) as error:
            log.info("the log of %s is not remembered: %s", place, error)

    def _all(self) -> dict[str, str]:
        try:
            found = read_json(self._path)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            log.info("which logs are known can't be read: %s", error)
            return {}
        entries = found.items() if isinstance(found, dict) else ()
        return {
            place: log_id for place, log_id in entries if isinstance(log_id, str) and len(log_id) <= _MOST_CHARACTERS
        }


def other_log(room: str, known: str, now: str) -> str:
    """What to say where *room* has the log *now*, and this user knew the log *known*."""
    return (
        f"room {room} has another log ({now[:_SHOWN]}) than the one that you knew ({known[:_SHOWN]}): it was archived or hosted anew, or "
        "went on without what was lost; its messages have numbers of their own, and what you have read before may be missing"
    )
