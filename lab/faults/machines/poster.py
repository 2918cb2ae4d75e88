"""Somebody with nothing but Pyro5, who posts where and when it is told: ``python -m lab.faults.machines.poster FOLDER ROOM``.

Each line of its input is an address, ``HOST:PORT``; it posts there once, writes down what it was told (`lab.faults.events`, in
FOLDER), and prints that as a line of JSON: ``{"seconds", "id" or "code"}``. seconds: how long the post took, without the connection.
"""

import json
import secrets
import sys
import time
from pathlib import Path

from Pyro5.api import Proxy
from Pyro5.errors import PyroError

from lab.faults.events import FAILED, OK, UNKNOWN, EventFile, Opened, SendBegun, SendEnded

CLIENT = "poster"
_TIMEOUT_SECONDS = 15.0
_NOT_STORED = "log-unavailable"


class Poster:
    """folder: of the history."""

    def __init__(self, folder: Path, room: str) -> None:
        self._room = room
        self._file = EventFile(folder / f"{CLIENT}@{room}.jsonl")
        self._count = 0

    def post(self, at: str) -> dict[str, object]:
        """Post once; what came of it."""
        self._count += 1
        name = f"{CLIENT}-{secrets.token_hex(4)}"  # another one each time: the last connection may not be gone yet
        text = f"{name}-{self._count}"
        self._file.write(Opened(CLIENT, name, self._room, time.monotonic_ns()))
        with Proxy(f"PYRO:pyrochat.{self._room}@{at}") as proxy:
            proxy._pyroHandshake = {"name": name}
            proxy._pyroTimeout = _TIMEOUT_SECONDS
            try:
                proxy._pyroBind()
            except (PyroError, OSError) as error:
                return {"seconds": 0.0, "code": _code(error)}
            begun = time.monotonic_ns()
            self._file.write(SendBegun(self._count, text, None, begun))
            id, code = None, None
            try:
                id = proxy.post(text)[0]
            except (PyroError, RuntimeError, ValueError, OSError) as error:
                code = _code(error)
            ended = time.monotonic_ns()
        outcome = OK if code is None else FAILED if code == _NOT_STORED else UNKNOWN
        self._file.write(SendEnded(self._count, outcome, id, code, ended))
        return {"seconds": (ended - begun) / 1e9, **({"id": id} if code is None else {"code": code})}


def _code(error: Exception) -> str:
    return str(error).partition(":")[0]


if __name__ == "__main__":
    _, _folder, _room = sys.argv
    poster = Poster(Path(_folder), _room)
    for line in sys.stdin:
        print(json.dumps(poster.post(line.strip())), flush=True)
