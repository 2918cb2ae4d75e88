"""Fixtures of all tests: folders of their own, a server, members, and a look at the threads at the end."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import pyrochat
from pyrochat import Chat, Server
from tests.support import QUICK, QUICK_PACE, eventually, hosted

# The suite starts hundreds of processes: what one has compiled, none compiles again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# The same examples in each run, however long they take. New ones: pytest --hypothesis-profile explore
settings.register_profile(
    "suite", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", settings.get_profile("suite"), derandomize=False)
settings.load_profile("suite")

SHARED_THREADS = (
    "pyrochat-callbacks",
    "pyrochat-handlers",
    "pyrochat-logging",
)  # for the process, however many chats it has had


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Whatever a test starts has to be gone when it ends."""
    before = set(threading.enumerate())
    yield

    def left() -> list[str]:
        return [t.name for t in threading.enumerate() if t not in before and t.name not in SHARED_THREADS]

    eventually(lambda: not left(), 20, lambda: f"threads are left: {left()}")


@pytest.fixture(autouse=True)
def config_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration and a data folder that no other test sees."""
    folder = tmp_path / "config"
    monkeypatch.setenv("PYROCHAT_CONFIG_DIR", str(folder))
    monkeypatch.setenv("PYROCHAT_DATA", str(tmp_path / "user-data"))
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folder for the logs."""
    return tmp_path / "data"


@pytest.fixture
def host_lobby(data: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers of the room "lobby" with the options of `pyrochat.host`, or of `Server` (``host_lobby(pace=…)``).

    All are closed at the end.
    """
    servers: list[Server] = []

    def host(**options: object) -> Server:
        options = {"data": data, "nameserver": False, "timing": QUICK} | options
        servers.append(hosted(**options))
        return servers[-1]

    yield host
    for server in servers:
        server.close()


@pytest.fixture
def serve(data: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers of the room "lobby" with what only `Server` takes (``serve(bounds=…)``); all closed at the end."""
    servers: list[Server] = []

    def start(**options: object) -> Server:
        options = {"data": data, "nameserver": False, "timing": QUICK, "pace": QUICK_PACE} | options
        servers.append(Server(["lobby"], **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def server(host_lobby: Callable[..., Server]) -> Server:
    """A server of the room "lobby"."""
    return host_lobby()


@pytest.fixture
def joined(config_dir: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Chat]]:
    """Joins the server's room; all leave at the end.

    ``joined("Erick", client="other")`` comes with another key, as from another machine.
    """
    chats: list[Chat] = []

    def join(name: str, client: str = "", **options: object) -> Chat:
        options = {"at": server.at, "timing": QUICK} | options
        own = os.environ["PYROCHAT_CONFIG_DIR"]
        monkeypatch.setenv("PYROCHAT_CONFIG_DIR", str(config_dir.with_name(f"config-{client}")) if client else own)
        try:
            chats.append(pyrochat.join(name, **options))
        finally:
            monkeypatch.setenv("PYROCHAT_CONFIG_DIR", own)
        return chats[-1]

    yield join
    for chat in chats:
        chat.leave()
