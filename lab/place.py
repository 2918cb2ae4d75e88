"""A place for servers and clients: folders and ports that nobody else has, and processes that end with it.

All on 127.0.0.1. What the lab starts, it starts here.
"""

import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from lab.ports import free_port
from lab.processes import Process

HOST = "127.0.0.1"
READY_SECONDS = 60.0
_READY_LINE = "ready at PYRO:"


def script(name: str) -> str:
    """The console script *name* of the environment that runs the lab."""
    return str(Path(sys.executable).with_name(name))


class Place:
    """A context manager: at its end every process is gone, and the folder too, unless it was to be kept.

    folder: for everything; None makes one. port: the server's. environment: what all processes get.
    """

    def __init__(self, purpose: str, folder: Path | None = None) -> None:
        self._is_ours = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix=f"pyrochat-{purpose}-"))
        self.port, self.nameserver_port = free_port(), free_port()
        self.environment = {
            "PYRO_NS_HOST": HOST, "PYRO_NS_PORT": str(self.nameserver_port),
            "PYROCHAT_CONFIG_DIR": str(self.folder / "config"), "PYROCHAT_DATA": str(self.folder / "data"),
        }  # fmt: skip
        self._started: list[Process] = []
        self.ready_at = 0  # when the server was ready last, `time.monotonic_ns()`

    @property
    def at(self) -> str:
        """``host:port`` of the server."""
        return f"{HOST}:{self.port}"

    def start(self, command: Sequence[str], name: str) -> Process:
        """Start *command*; its errors go to the file NAME.log in the folder."""
        process = Process(command, self.environment, self.folder / f"{name}.log")
        self._started.append(process)
        return process

    def start_module(self, module: str, *arguments: object, name: str) -> Process:
        """The same for ``python -m MODULE ARGUMENT…``."""
        return self.start([sys.executable, "-m", module, *map(str, arguments)], name)

    def start_server(
        self, *options: str, rooms: Sequence[str] = ("lobby",), command: Sequence[str] = (), before: Sequence[str] = ()
    ) -> Process:
        """Start a server of *rooms*; returns when it is ready. command: instead of the shipped one. before: what runs it."""
        named = [part for room in rooms for part in ("--room", room)]
        where = ["--host", HOST, "--port", str(self.port)]
        server = self.start([*before, *(command or [script("pyrochat-server")]), *named, *where, *options], "server")
        for _ in rooms:
            self.ready_at = server.wait_for_line(_READY_LINE, READY_SECONDS)
        return server

    def start_nameserver(self) -> Process:
        """Start an empty name server."""
        where = ["--host", HOST, "--port", str(self.nameserver_port)]
        return self.start([sys.executable, "-m", "Pyro5.nameserver", *where], "nameserver")

    def log_text(self, name: str = "server") -> str:
        """What the process called *name* has logged."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def close(self) -> None:
        """End everything. Idempotent."""
        for process in reversed(self._started):
            process.kill()
        if self._is_ours:
            shutil.rmtree(self.folder, ignore_errors=True)

    def keep(self) -> Path:
        """Don't delete the folder at the end; returns it."""
        self._is_ours = False
        return self.folder

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
