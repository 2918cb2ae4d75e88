"""What is attacked: a server process and the members who chat there, in folders and on ports of their own."""

import contextlib
import json
import os
import re
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyrochat
from lab.attacks.wire import Attacked, Stranger, call_frame
from lab.faults.report import percentile
from lab.place import HOST, READY_SECONDS, Place, script
from lab.processes import BenchError, Process, eventually
from pyrochat.room.door.registry import Registry
from pyrochat.trust.keys import Key


@dataclass(frozen=True, slots=True)
class Latency:
    """How long sends took, in milliseconds."""

    count: int
    p50: float
    p99: float

    def __str__(self) -> str:
        return f"{self.p50:.1f} / {self.p99:.1f}"


class Vitals:
    """Memory, threads and descriptors of a process, as the kernel counts them."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    @property
    def memory(self) -> float:
        """Resident memory now, MiB."""
        return self._status("VmRSS") / 1024

    @property
    def peak(self) -> float:
        """The most since `reset_peak`, MiB."""
        return self._status("VmHWM") / 1024

    def reset_peak(self) -> None:
        """Begin a new peak."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    @property
    def threads(self) -> int:
        """How many it has."""
        return self._status("Threads")

    @property
    def descriptors(self) -> int:
        """How many are open, but for files: the log has a few more readers when many read at once."""
        folder, count = Path(f"/proc/{self.pid}/fd"), 0
        for entry in os.listdir(folder):
            with contextlib.suppress(OSError):  # closed meanwhile
                count += not os.readlink(folder / entry).startswith("/")
        return count

    def _status(self, field: str) -> int:
        found = re.search(rf"^{field}:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text(), re.MULTILINE)
        if found is None:
            raise BenchError(f"process {self.pid} is gone")
        return int(found[1])


class Target(Place):
    """A server of the room "lobby". A context manager; at its end everything is gone.

    members: how many chat meanwhile, each *every* seconds. options: more options of the server's. password: its rooms'.
    descriptors: so many it may have open; 0: as many as we may.
    """

    def __init__(
        self, members: int = 10, every: float = 0.1, options: Sequence[str] = (), tls: bool = False,
        password: str | None = None, descriptors: int = 0,
    ) -> None:  # fmt: skip
        self.tls = tls
        self._descriptors = descriptors
        self.password = password
        super().__init__("attacks")
        if password is not None:
            self.environment["PYROCHAT_PASSWORD"] = password
        self.fingerprint: str | None = None
        self.crowd: Process | None = None
        try:
            self._let_be_known(members)
            self.server = self._serve([*options, *(["--tls"] if tls else [])])
            self.vitals = Vitals(self.server.pid)
            if members:
                self.crowd = self._start_crowd(members, every)
        except BaseException:
            self.close()
            raise

    @property
    def address(self) -> tuple[str, int]:
        """Of the server."""
        return HOST, self.port

    def _let_be_known(self, members: int) -> None:
        """The names of those who chat have been theirs for a day: so they share no limits with newcomers."""
        data, names = self.folder / "data", [f"member{number}" for number in range(members)]
        with contextlib.closing(Registry(data)) as registry:
            for name in names:
                registry.claim(name, Key.kept_at(self.folder / "config" / name / "key.pem").public)
        with contextlib.closing(sqlite3.connect(data / "names.sqlite3")) as db, db:
            db.execute("UPDATE names SET since_us = since_us - ?", (86_400_000_000,))

    def _serve(self, options: Sequence[str]) -> Process:
        limit = ["/bin/sh", "-c", f'ulimit -n {self._descriptors}; exec "$@"', "sh"] if self._descriptors else []
        server = self.start_server(*options, before=limit)
        if self.tls:
            found = None
            while found is None:
                found = re.search(r"--fingerprint (\S+)", server.line(READY_SECONDS)[1])
            self.fingerprint = found[1]
        return server

    def _start_crowd(self, members: int, every: float) -> Process:
        shown = ["--fingerprint", self.fingerprint] if self.fingerprint else []
        crowd = self.start_module(
            "lab.attacks.crowd", "--at", self.at, "--count", members, "--every", every, *shown, name="crowd"
        )
        crowd.wait_for_line("ready", READY_SECONDS)
        return crowd

    # -- how it is ---------------------------------------------------------------------------------------------

    def latency(self) -> Latency:
        """Of the members' sends since the last time; raises Attacked where one failed or a member is away."""
        assert self.crowd is not None
        self.crowd.tell("take")
        taken = json.loads(self.crowd.line(40.0)[1])
        if taken["errors"]:
            raise Attacked(f"a member could not send: {taken['errors'][0]}")
        latencies = taken["latencies"]
        return Latency(len(latencies), percentile(latencies, 0.5), percentile(latencies, 0.99))

    def check_alive(self) -> None:
        """Raise Attacked unless a guest is served and the server lives."""
        if not self.server.is_running:
            raise Attacked("the server has ended")
        with self.stranger() as guest:
            reply = guest.greet(f"guest{time.monotonic_ns() % 10**9}", password=self.password).ask(
                call_frame("members")
            )
            if reply.is_refusal:
                raise Attacked(f"a guest is not served: {reply.text}")

    def stranger(self, timeout: float = 20.0) -> Stranger:
        """A raw connection."""
        return Stranger(self.address, self.tls, timeout)

    @contextlib.contextmanager
    def configured(self) -> Iterator[None]:
        """This process has the target's folders for its configuration meanwhile."""
        before = {name: os.environ.get(name) for name in self.environment}
        os.environ.update(self.environment)
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)

    def join_seconds(self, name: str) -> float:
        """How long somebody new takes to join with the shipped client; raises Attacked where that fails."""
        with self.configured():
            begun = time.perf_counter()
            try:
                chat = pyrochat.join(name, at=self.at, fingerprint=self.fingerprint, password=self.password)
            except pyrochat.PyroChatError as error:
                raise Attacked(f"nobody can join: {error}") from None
            took = time.perf_counter() - begun
            chat.leave()
        return took

    def bytes_on_disk(self) -> int:
        """Of all files of the rooms: logs, indexes, and what SQLite keeps beside them."""
        return sum(file.stat().st_size for file in (self.folder / "data" / "rooms").iterdir())

    # -- the end -----------------------------------------------------------------------------------------------

    def verify(self) -> None:
        """End the server and let it check its log; raises Attacked where that is not whole."""
        if self.crowd is not None:
            self.crowd.kill()
        code = self.server.end()
        if code != 0:
            raise Attacked(f"the server ended with {code}")
        command = [script("pyrochat-server"), "--verify"]
        done = subprocess.run(command, env=os.environ | self.environment, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise Attacked(f"the log is not whole: {done.stdout}{done.stderr}")


def settled(vitals: Vitals, threads: int, descriptors: int, seconds: float = 20.0) -> bool:
    """Whether threads and descriptors get back to what they were (the server's spare workers wait for 10 s)."""
    with contextlib.suppress(BenchError):
        return eventually(
            lambda: vitals.threads <= threads and vitals.descriptors <= descriptors, seconds, "nothing is left open"
        )
    return False
