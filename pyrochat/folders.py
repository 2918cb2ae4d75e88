"""Where PyroChat keeps things for a user. All paths are absolute: a program that changes its folder keeps them."""

import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import platformdirs

from pyrochat.values.errors import Unavailable

_CONFIG_FILES = re.compile(r"config\.toml|\.?(server-)?(key|tls)(-[0-9a-f]+)?\.pem.*|\.?known_(servers|logs)\.json.*")


def _folder(variable: str, option: str, usual: Callable[[], Path]) -> Path:
    """What the environment's *variable* names, or the *usual* folder. Raises Unavailable where there is no home."""
    named = os.environ.get(variable)
    try:
        return Path(named or usual()).absolute()
    except RuntimeError:  # no HOME, and no entry in the list of users: a container
        raise Unavailable(f"you have no home folder here: name another with {option}") from None


def config_folder() -> Path:
    """The user's configuration folder; `PYROCHAT_CONFIG_DIR` names another. Raises Unavailable."""
    usual = partial(platformdirs.user_config_path, "pyrochat", appauthor=False)
    return _folder("PYROCHAT_CONFIG_DIR", "PYROCHAT_CONFIG_DIR", usual)


def is_in_config_folder(name: str) -> bool:
    """Whether a file *name* in the configuration folder is ours; in one that is only PyroChat's all are."""
    return not os.environ.get("PYROCHAT_CONFIG_DIR") or _CONFIG_FILES.fullmatch(name) is not None


def config_file() -> Path:
    """Where the user writes down what the clients need not be told each time."""
    return config_folder() / "config.toml"


def data_folder() -> Path:
    """The user's folder for the logs of rooms; `PYROCHAT_DATA` names another. Raises Unavailable."""
    usual = partial(platformdirs.user_data_path, "pyrochat", appauthor=False)
    return _folder("PYROCHAT_DATA", "data= or PYROCHAT_DATA", usual)


def key_file() -> Path:
    """Where this user's private key is."""
    return config_folder() / "key.pem"


def server_key_file() -> Path | None:
    """Where the private key of the servers is that this user starts; None where the user has no folder for it."""
    try:
        return config_folder() / "server-key.pem"
    except Unavailable:
        return None


def known_servers_file() -> Path:
    """Where it stands which servers this user knows."""
    return config_folder() / "known_servers.json"


def known_logs_file() -> Path:
    """Where it stands which log each room had when this user was in it last."""
    return config_folder() / "known_logs.json"
