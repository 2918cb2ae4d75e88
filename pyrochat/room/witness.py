"""The witness of a log: a small file beside it that says how far the log once went.

SQLite drops a torn end of its write-ahead log silently, and an old copy of a file looks like a whole
log. Somebody has to have seen more: the clients, when they come back, and this file, before anybody
joins. It is written at most once a second, without fsync: it can only be behind, never ahead.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Witness", "read", "write"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Witness:
    """The log *identity* had message *tail*, with the chain's *digest* there."""

    identity: str
    tail: int
    digest: bytes


def read(log_path: Path) -> Witness | None:
    """What the file beside the log says; None where there is none, or it makes no sense."""
    try:
        identity, tail, digest = _beside(log_path).read_text().split()
        return Witness(identity, int(tail), bytes.fromhex(digest))
    except (OSError, ValueError):
        return None


def write(log_path: Path, seen: Witness) -> None:
    """Replace the file beside the log in one step. Where that can't be done, the older one stays."""
    path = _beside(log_path)
    fresh = path.with_suffix(".tail-new")
    try:
        fresh.write_text(f"{seen.identity} {seen.tail} {seen.digest.hex()}\n")
        os.replace(fresh, path)
    except OSError as error:
        log.debug("can't write %s: %s", path, error)


def _beside(log_path: Path) -> Path:
    return log_path.with_suffix(".tail")
