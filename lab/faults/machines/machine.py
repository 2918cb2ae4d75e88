"""A machine of a cluster: a room server, with the broker that it starts."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.faults.machines.network import Network, name_of
from lab.place import script
from lab.processes import Process, eventually

READY_SECONDS = 60.0
_GONE_SECONDS = 15.0
_DISK_BYTES = 96 * 1024 * 1024


class Machine:
    """The machine *number* of *network*. folder: of everything; its data is below. secret: the file with the cluster's secret."""

    def __init__(
        self, number: int, network: Network, folder: Path, secret: Path, environment: Mapping[str, str], options: Sequence[str]
    ) -> None:  # fmt: skip
        self.number = number
        self.host = network.hosts[number]
        self.at = f"{self.host}:{network.port}"
        self.data = folder / f"machine{number}"
        self.log = folder / f"machine{number}.log"
        self._network = network
        cluster = ",".join(f"{host}:{network.route_port}" for host in network.hosts)
        self.place = ["--cluster", cluster, "--cluster-secret-file", str(secret), "--advertise", self.host]
        self._options = [
            *self.place, "--host", self.host,
            "--port", str(network.port), "--data", str(self.data), "--rate", "0", *options,
        ]  # fmt: skip
        # a name server of its own: on loopback the three would start one at the same place
        self._environment = {**environment, "PYROCHAT_DATA": str(self.data), "PYRO_NS_HOST": self.host}
        self.process: Process | None = None
        self._is_mounted = False

    @property
    def name(self) -> str:
        """What its broker is called."""
        return f"{self.host}:{self._network.route_port}"

    @property
    def is_running(self) -> bool:
        """Whether its room server is."""
        return self.process is not None and self.process.is_running

    def start(self, *more: str, command: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> None:
        """Start it; see `wait`. command: instead of the shipped server."""
        program = list(command) or [script("pyrochat-server")]
        self.process = Process(
            [*self._network.before(self.number), *program, *self._options, *more],
            {**self._environment, **(environment or {})},
            self.log,
        )

    def wait(self) -> int:
        """Return when its room is ready: when that was (`time.monotonic_ns()`). Raises BenchError."""
        assert self.process is not None
        return self.process.wait_for_line("ready at PYRO:", READY_SECONDS)

    def kill(self) -> None:
        """The machine is gone: SIGKILL for all its processes."""
        self._signal(signal.SIGKILL)
        assert self.process is not None
        self.process.kill()

    def kill_server(self) -> None:
        """Only its room server is."""
        assert self.process is not None
        children = _children(self.process.pid)
        self.process.kill()
        for child in children:  # the broker ends with it
            eventually(lambda child=child: not _is_there(child), _GONE_SECONDS, "the broker has ended")  # type: ignore[misc]

    def stop(self) -> None:
        """All its processes are stopped."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """They go on."""
        self._signal(signal.SIGCONT)

    def mount(self) -> None:
        """Give it a small disk of its own. Needs root."""
        self.data.mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES},mode=0700", name_of(os.getpid()), str(self.data)],
            check=True,
            capture_output=True,
        )
        self._is_mounted = True

    def fill(self) -> None:
        """Its disk is full."""
        with contextlib.suppress(OSError), open(self.data / "ballast", "wb", buffering=0) as ballast:
            while True:
                ballast.write(bytes(1 << 20))
        with contextlib.suppress(OSError), open(self.data / "ballast", "ab", buffering=0) as ballast:
            while True:
                ballast.write(bytes(512))

    def free(self) -> None:
        """There is room on it again."""
        (self.data / "ballast").unlink()

    def end(self) -> int:
        """As its operator does; the exit code."""
        assert self.process is not None
        return self.process.end()

    def close(self) -> None:
        """Idempotent."""
        if self.process is not None and self.process.is_running:
            self.resume()
            self.kill()
        if self._is_mounted:
            self._is_mounted = False
            subprocess.run(["umount", "-l", str(self.data)], check=False, capture_output=True)

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        for pid in [self.process.pid, *_children(self.process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def _children(pid: int) -> list[int]:
    """The processes that *pid* has started."""
    try:
        threads = [int(name) for name in os.listdir(f"/proc/{pid}/task")]
        text = " ".join(Path(f"/proc/{pid}/task/{thread}/children").read_text() for thread in threads)
    except OSError:
        return []
    return [int(child) for child in text.split()]


def _is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
