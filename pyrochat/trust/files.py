"""Small private files: made once, whole, and readable by their owner only."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from pyrochat.values.errors import Unavailable

__all__ = ["keep", "write_private"]


def keep(path: Path, make: Callable[[], bytes]) -> bytes:
    """What *path* holds; where there is no such file, what *make* returns, written with mode 0600.

    Of several processes that make it at once one wins, and all get the same. Raises Unavailable.
    """
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
            _write(fresh, make())
            try:
                os.link(fresh, path)  # whoever is first wins, whole
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        return path.read_bytes()
    except OSError as error:
        raise _unusable(path, error) from None


def write_private(path: Path, data: bytes) -> None:
    """Write *data* to *path* in place of what was there, with mode 0600, whole or not at all. Raises Unavailable."""
    fresh = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(fresh, data)
        os.replace(fresh, path)
    except OSError as error:
        with contextlib.suppress(OSError):  # a full disk must not be filled by trying again
            fresh.unlink()
        raise _unusable(path, error) from None


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _unusable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"can't use {path} ({error.strerror or error}): choose a folder that you can write "
        "(PYROCHAT_CONFIG_DIR for a user's files, --data for a server's)"
    )
