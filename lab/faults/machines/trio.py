"""A cluster of three machines, with clients that send, listen and write down what they are told."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lab.faults.cluster import Cluster, Recorder, replica_in
from lab.faults.history import History, load
from lab.faults.machines.machine import Machine
from lab.faults.machines.network import Loopback, Namespaces, Network
from lab.place import script
from lab.processes import BenchError, Process, eventually
from pyrochat import Timing

ROOM = "lobby"
LISTENER = "listener"
_SAME_SECONDS = 30.0
_BACK_SECONDS = 60.0
_COMMAND_SECONDS = 120.0


class Stranger:
    """A process that does one thing."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def result(self) -> int:
        """Its exit code; raises BenchError where it does not end."""
        try:
            return self._process.wait(_BACK_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise BenchError(f"not within {_BACK_SECONDS:g} s: somebody has joined, or was refused") from None


class Trio(Cluster):
    """Three machines; `start_machines` starts them. in_namespaces: each in a network namespace; else on loopback."""

    def __init__(self, in_namespaces: bool, seed: int = 0, timing: Timing | None = None) -> None:
        self.network: Network = Namespaces() if in_namespaces else Loopback()
        super().__init__([ROOM], timing, seed)
        secret = self.folder / "secret"
        secret.write_text(secrets.token_hex(32))
        secret.chmod(0o600)
        self.secret = secret
        self._poster: Process | None = None
        self._begun_at: dict[Recorder, Machine] = {}
        options = [*self._timing_options(), "--room", ROOM]
        self.machines = [
            Machine(number, self.network, self.folder, secret, self.environment, options)
            for number in range(len(self.network.hosts))
        ]

    # -- machines -------------------------------------------------------------------------------------------

    def start_machines(self, machines: Iterable[Machine] | None = None, **how: Any) -> None:
        """Start *machines* (all), and wait until their rooms are ready."""
        started = list(self.machines if machines is None else machines)
        for machine in started:
            machine.start(**how)
        for machine in started:
            machine.wait()

    def others(self, machine: Machine) -> list[Machine]:
        """All but *machine*."""
        return [other for other in self.machines if other is not machine]

    def leader(self) -> Machine:
        """The machine whose broker leads the room's stream."""

        by_name = {machine.name: machine for machine in self.machines}
        said = eventually(lambda: self.administer("leader"), _BACK_SECONDS, "the room's stream has a leader")
        return by_name[said]

    def administer(self, *arguments: str) -> str:
        """What ``python -m lab.faults.machines.broker`` says, run where the clients are. Raises BenchError."""
        command = [
            *self.network.before(None), sys.executable, "-m", "lab.faults.machines.broker", str(self.secret),
            ",".join(f"{host}:{self.network.route_port}" for host in self.network.hosts), *arguments,
        ]  # fmt: skip
        done = _done(command)
        if done.returncode != 0:
            raise BenchError(f"{' '.join(arguments)}: {done.stderr.strip()[-500:]}")
        return done.stdout.strip()

    def operate(self, machine: Machine, *arguments: str) -> tuple[int, str]:
        """What ``pyrochat-server`` says to an operator on *machine*, and its exit code."""
        program = [*self.network.before(machine.number), script("pyrochat-server")]
        done = _done([*program, *arguments, "--data", str(machine.data)])
        return done.returncode, (done.stdout + done.stderr).strip()

    def try_to_post(self, machine: Machine) -> dict[str, Any]:
        """What somebody with nothing but Pyro5 is told who posts at *machine*: ``{"seconds", "id" or "code"}``."""
        if self._poster is None or not self._poster.is_running:
            command = [sys.executable, "-m", "lab.faults.machines.poster", str(self.histories), ROOM]
            log = self.folder / "poster.log"
            self._poster = Process([*self.network.before(None), *command], self.environment, log)
        self._poster.tell(machine.at)
        said: dict[str, Any] = json.loads(self._poster.line(_BACK_SECONDS)[1])
        return said

    # -- clients --------------------------------------------------------------------------------------------

    def start_clients(self, senders: int = 8, listeners: int = 3, every: float = 0.05) -> None:
        """Members that send and that only listen, spread over the machines; each knows all of them."""
        for machine in self.machines:
            here = range(machine.number, max(senders, listeners), len(self.machines))
            if names := [f"sender{number}" for number in here if number < senders]:
                self.start_members(names, machine, every=every)
            if names := [f"{LISTENER}{number}" for number in here if number < listeners]:
                self.start_members(names, machine, threads=0)
        self.wait_until_back(0, _BACK_SECONDS)

    def start_members(
        self, names: Sequence[str], first: Machine, only: bool = False, inside: Machine | None = None, **how: Any
    ) -> Recorder:
        """Members that begin at *first*, and know the others as well, unless *only*. inside: the machine that they run on."""
        places = [first] if only else [first, *self.others(first)]
        before = self.network.before(None if inside is None else inside.number)
        recorder = self.start_recorder(*names, at=",".join(machine.at for machine in places), before=before, **how)
        self._begun_at[recorder] = first
        return recorder

    def recorders_at(self, machine: Machine) -> list[Recorder]:
        """Those whose members have begun there."""
        return [recorder for recorder in self.recorders if self._begun_at[recorder] is machine]

    def start_stranger(self, name: str, machine: Machine, user: Path) -> Stranger:
        """Somebody of whom nobody knows joins at *machine* as *name*, and leaves. user: the folder of what they keep, a key too."""
        program = "import sys; from pyrochat import join; join(sys.argv[1], at=sys.argv[2]).leave()"
        command = [*self.network.before(None), sys.executable, "-c", program, name, machine.at]
        environment = {
            **os.environ, **self.environment, "PYROCHAT_DATA": str(user), "PYROCHAT_CONFIG_DIR": str(user)
        }  # fmt: skip
        return Stranger(subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL))

    def log_on(self, machine: Machine) -> Path:
        """The room's log there."""
        return machine.data / "rooms" / f"{ROOM}.sqlite3"

    def tail(self, room: str, after: int = 0) -> int:
        """The id of the last message of all copies."""
        return max(self.tip(machine)[0] for machine in self.machines)

    def last_tail(self, room: str) -> int:
        """The same, where all copies are to end alike. Raises BenchError."""
        self.wait_until_same()
        return self.tail(room)

    def tip(self, machine: Machine) -> tuple[int, str]:
        """The last message of the copy of *machine*, and the digest there; ``(0, "")`` where there is none."""
        try:
            with contextlib.closing(_opened(self.log_on(machine))) as db:
                row = db.execute("SELECT id, hex(digest) FROM messages ORDER BY id DESC LIMIT 1").fetchone()
        except sqlite3.OperationalError:
            return 0, ""
        return (row[0], row[1]) if row else (0, "")

    def wait_until_close(self) -> None:
        """Wait until all copies have what any of them has now. Raises BenchError."""
        end = self.tail(ROOM)

        def look() -> bool:
            return all(self.tip(machine)[0] >= end for machine in self.machines)

        eventually(look, _SAME_SECONDS, f"all copies have {end} messages")

    def wait_until_one_may_fail(self) -> None:
        """Wait until that is so, as an operator does before another machine is taken. Raises BenchError."""
        machine = self.machines[0]

        def look() -> bool:
            return "1 machine may fail" in self.operate(machine, *machine.place, "--cluster-status")[1]

        eventually(look, _BACK_SECONDS, "the cluster's status says that a machine may fail")

    def wait_until_same(self, machines: Iterable[Machine] | None = None) -> None:
        """Wait until all copies (of *machines*) end with the same digest. Raises BenchError."""
        compared = list(self.machines if machines is None else machines)

        def look() -> bool:
            return len({self.tip(machine) for machine in compared}) == 1

        eventually(look, _SAME_SECONDS, f"all copies are the same: {[self.tip(machine) for machine in compared]}")

    def history(self) -> History:
        """Everything recorded, and the copies of all machines as they are on disk."""
        history = load(sorted(self.histories.glob("*.jsonl")))
        for machine in self.machines:
            if self.log_on(machine).exists():
                with contextlib.closing(_opened(self.log_on(machine))) as db:
                    history.replicas.append(replica_in(db, f"machine{machine.number}@{ROOM}", ROOM))
        return history

    # -- the end --------------------------------------------------------------------------------------------

    def end_processes(self) -> None:
        """Kill the clients, end the machines in order. Idempotent."""
        super().end_processes()
        if self._poster is not None:
            self._poster.kill()
        for machine in self.machines:
            if machine.is_running:
                machine.resume()
                machine.end()

    def close(self) -> None:
        """Idempotent."""
        if self._poster is not None:
            self._poster.kill()
        for machine in self.machines:
            machine.close()
        self.network.close()
        super().close()


def _done(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """What has come of *command*; raises BenchError where it does not end."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        raise BenchError(f"not within {_COMMAND_SECONDS:g} s: {' '.join(command)}") from None


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=10)
