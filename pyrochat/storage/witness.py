"""The witness of a log: a small file beside it that says how far the log once went.

SQLite drops a torn end of its write-ahead log silently, and an old copy of a file looks like a whole
log. Somebody has to have seen more: the clients, when they come back, and this file, before anybody
joins. It is written soon after each commit (`SqliteLog.look`), without fsync: it can only be behind, never ahead.
"""

import logging
import os
from pathlib import Path

from pyrochat.core.integrity import Tip
from pyrochat.trust.files import open_private, read_small

logger = logging.getLogger(__name__)


def read(log_path: Path) -> Tip | None:
    """What the file beside the log says; None where there is none, or (logged) it makes no sense."""
    try:
        identity, tail, digest = read_small(_beside(log_path)).decode().split()
        return Tip(identity, int(tail), bytes.fromhex(digest))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        logger.warning("%s can't be read (%s): whether the log has lost its end is not known", _beside(log_path), error)
        return None


def write(log_path: Path, seen: Tip) -> None:
    """Replace the file beside the log in one step. Where that raises OSError, the older one stays."""
    path = _beside(log_path)
    fresh = path.with_suffix(".tail-new")
    with open(open_private(fresh, os.O_TRUNC), "w") as file:
        file.write(f"{seen.identity} {seen.tail} {seen.digest.hex()}\n")
    os.replace(fresh, path)


def _beside(log_path: Path) -> Path:
    return log_path.with_suffix(".tail")
