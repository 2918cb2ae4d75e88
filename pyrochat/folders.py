"""Where PyroChat keeps things for a user. All paths are absolute: a program that changes its folder keeps them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import platformdirs

__all__ = [
    "config_file", "config_folder", "data_folder", "is_in_config_folder", "key_file", "known_servers_file",
    "server_key_file",
]  # fmt: skip

_CONFIG_FILES = re.compile(r"config\.toml|\.?(server-)?(key|tls)(-[0-9a-f]+)?\.pem.*|\.?known_servers\.json.*")


def config_folder() -> Path:
    """The user's configuration folder; `PYROCHAT_CONFIG_DIR` names another."""
    named = os.environ.get("PYROCHAT_CONFIG_DIR")
    return Path(named or platformdirs.user_config_path("pyrochat", appauthor=False)).absolute()


def is_in_config_folder(name: str) -> bool:
    """Whether a file *name* in the configuration folder is ours; in one that is only PyroChat's all are."""
    return not os.environ.get("PYROCHAT_CONFIG_DIR") or _CONFIG_FILES.fullmatch(name) is not None


def config_file() -> Path:
    """Where the user writes down what the clients need not be told each time."""
    return config_folder() / "config.toml"


def data_folder() -> Path:
    """The user's folder for the logs of rooms; `PYROCHAT_DATA` names another."""
    named = os.environ.get("PYROCHAT_DATA")
    return Path(named or platformdirs.user_data_path("pyrochat", appauthor=False)).absolute()


def key_file() -> Path:
    """Where this user's private key is."""
    return config_folder() / "key.pem"


def server_key_file() -> Path:
    """Where the private key of the servers is that this user starts."""
    return config_folder() / "server-key.pem"


def known_servers_file() -> Path:
    """Where it stands which servers this user knows."""
    return config_folder() / "known_servers.json"
