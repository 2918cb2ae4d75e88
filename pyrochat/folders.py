"""Where PyroChat keeps things for a user, and the secret that proves to be the same client."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import platformdirs

from pyrochat.values.errors import Unavailable

__all__ = ["client_secret", "config_folder", "data_folder"]


def config_folder() -> Path:
    """The user's configuration folder; `PYROCHAT_CONFIG_DIR` names another."""
    return Path(os.environ.get("PYROCHAT_CONFIG_DIR") or platformdirs.user_config_path("pyrochat", appauthor=False))


def data_folder() -> Path:
    """The user's folder for the logs of rooms; `PYROCHAT_DATA` names another."""
    return Path(os.environ.get("PYROCHAT_DATA") or platformdirs.user_data_path("pyrochat", appauthor=False))


def client_secret() -> str:
    """This user's secret, 64 hexadecimal digits, made on first use with mode 0600.

    Raises Unavailable where the configuration folder can't be used.
    """
    path = config_folder() / "secret"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_name(f".secret-{secrets.token_hex(8)}")
        if not path.exists():
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32))
            try:
                os.link(fresh, path)  # whoever is first wins, whole
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        secret = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(
            f"can't use {path} ({error}): set PYROCHAT_CONFIG_DIR to a folder that you can write"
        ) from None
    if len(secret) < 32:
        raise Unavailable(f"{path} is no secret: remove it, and a new one is made")
    return secret
