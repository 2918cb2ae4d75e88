"""The operator's door: a socket in the data folder, by which commands reach the server that is running there.

Only who may open it (its mode is 0600) is served. A request and its answer are a line of JSON each. Several servers may
share a folder, each with rooms of its own: each has a socket of its own, and whoever asks goes from one to the next.
"""

import contextlib
import json
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from pyrochat.pyro.forks import not_for_children
from pyrochat.threads import Defects, go_on
from pyrochat.values.errors import CannotHost, PyroChatError

log = logging.getLogger(__name__)

_SOCKETS = "operator-*.sock"
_MOST_BYTES = 65_536
_SECONDS = 15.0  # that the other side may take
_ENDING_SECONDS = 2.0  # that whoever is served at the end may take
_LONGEST_PATH = 100  # of a Unix socket's

Work = Callable[..., object]


class OperatorSocket:
    """Serves the operator in a thread. works: what it can do, by name: each gets the request's other fields as keywords, and
    returns what is to be told, None where it is another server's to do."""

    def __init__(self, data: Path, works: Mapping[str, Work]) -> None:
        self._works = works
        self._defects = Defects(log)
        self._path = data / f"operator-{os.getpid()}-{id(self):x}.sock"
        _remove_stale(data)
        self._socket = not_for_children(socket.socket(socket.AF_UNIX))
        unready = self._path.with_suffix(".new")
        try:
            with _reachable(unready) as address:
                self._socket.bind(address)
            unready.chmod(0o600)
            self._socket.listen(8)
            unready.rename(self._path)  # only now it is found: what refuses is left by a server that was killed
        except OSError as error:
            self._socket.close()
            unready.unlink(missing_ok=True)
            raise CannotHost(
                f"can't make the operator's socket {self._path} ({error.strerror}): see to the folder"
            ) from None
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="pyrochat-operator", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        go_on(self._serve_one, "the operator's socket", self._defects)

    def _serve_one(self) -> bool:
        try:
            connection, _ = self._socket.accept()
        except OSError:
            if self._closing:
                return False
            raise
        with connection, contextlib.suppress(OSError):  # who asks may be gone
            connection.settimeout(_SECONDS)
            connection.sendall(json.dumps(self._answer(_line(connection))).encode() + b"\n")
        return not self._closing

    def _answer(self, line: bytes) -> dict[str, object]:
        try:
            match json.loads(line or b"null"):
                case {"do": str(work), **fields} if work in self._works:
                    return {"done": self._works[work](**{str(name): value for name, value in fields.items()})}
        except PyroChatError as error:
            return {"error": str(error)}
        except (ValueError, TypeError, RecursionError):
            pass
        return {"error": "this server does not know that: is it an older version?"}

    def close(self) -> None:
        """Serve nobody any more. Idempotent."""
        self._closing = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(_ENDING_SECONDS)
        self._path.unlink(missing_ok=True)


def ask_server(data: Path, work: str, seconds: float = _SECONDS, **fields: object) -> object:
    """Let the server of *data* whose it is do *work*, within *seconds*; what it tells, None where none that runs does it.

    Raises CannotHost with what it says where it refuses.
    """
    _remove_stale(data)
    for path in sorted(data.glob(_SOCKETS)):
        try:
            with _connected(path) as asking:
                asking.settimeout(seconds)
                asking.sendall(json.dumps({"do": work, **fields}).encode() + b"\n")
                answer = json.loads(_line(asking) or b"{}")
        except FileNotFoundError:  # its server has just ended
            continue
        except (OSError, ValueError) as error:
            raise CannotHost(f"the server that runs there does not answer ({error}): try again") from None
        if "error" in answer:
            raise CannotHost(str(answer["error"]))
        if answer.get("done") is not None:
            return answer["done"]
    return None


def _remove_stale(data: Path) -> None:
    """Away with the sockets of servers that were killed."""
    for path in data.glob(_SOCKETS):
        try:
            with _connected(path):
                pass
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except OSError:  # whoever asks will hear of it
            pass


@contextlib.contextmanager
def _connected(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(_SECONDS)
        with _reachable(path) as address:
            asking.connect(address)
        yield asking


def _line(connection: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n") and len(data) < _MOST_BYTES and (more := connection.recv(4096)):
        data += more
    return data


@contextlib.contextmanager
def _reachable(path: Path) -> Iterator[str]:
    """The address of the socket at *path*; a long path is said by way of its folder's descriptor, where the system can."""
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
