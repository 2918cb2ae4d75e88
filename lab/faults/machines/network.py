"""Where machines are: hosts that reach each other, until somebody cuts them off."""

import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from lab.ports import free_ports
from lab.processes import BenchError

MACHINES = 3
_PREFIX = "pyrochat-"


class Network(ABC):
    """hosts: the machines' addresses. port: rooms are served there; route_port: brokers meet there. Both are the same on all."""

    hosts: list[str]
    port: int
    route_port: int

    @abstractmethod
    def before(self, machine: int | None) -> list[str]:
        """What stands before a command, so that it runs on *machine*; None: where the clients are."""

    def cut(self, machine: int, others: Sequence[int], sends: bool = False, gets: bool = False) -> None:
        """Packets between *machine* and *others* vanish. sends, gets: but for those that *machine* sends, or that it gets."""
        raise BenchError(
            "machines on loopback can't be cut off from each other: this needs root, for network namespaces"
        )

    def heal(self) -> None:  # noqa: B027 - nothing was cut
        """They come again."""

    def close(self) -> None:  # noqa: B027
        """Idempotent."""


class Loopback(Network):
    """All on this machine, by different addresses."""

    def __init__(self, machines: int = MACHINES) -> None:
        self.hosts = [f"127.0.0.{number}" for number in range(1, machines + 1)]
        self.route_port = free_ports(self.hosts, (0, 1, 2, 3))  # the broker's, and those that follow it
        self.port = self.route_port + 3

    def before(self, machine: int | None) -> list[str]:
        return []


class Namespaces(Network):
    """A network namespace for each machine, and one for the clients, which has the bridge between them. Needs root, and iproute2."""

    port, route_port = 5679, 6222

    def __init__(self, machines: int = MACHINES) -> None:
        self._name = name_of(os.getpid())
        self.hosts = [f"10.99.0.{number}" for number in range(1, machines + 1)]
        self._cuts: list[list[str]] = []
        try:
            self._make()
        except (OSError, subprocess.CalledProcessError) as error:
            self.close()
            raise BenchError(
                f"no network namespaces can be made ({error}): be root, and install iproute2 and iptables"
            ) from None

    def _make(self) -> None:
        remove_stale()
        middle = self._space(None)
        _run("ip", "netns", "add", middle)
        _run("ip", "-n", middle, "link", "set", "lo", "up")
        _run("ip", "-n", middle, "link", "add", "bridge", "type", "bridge")
        _run("ip", "-n", middle, "addr", "add", "10.99.0.254/24", "dev", "bridge")
        _run("ip", "-n", middle, "link", "set", "bridge", "up")
        for number, host in enumerate(self.hosts):
            space, port = self._space(number), f"port{number}"
            _run("ip", "netns", "add", space)
            _run("ip", "-n", space, "link", "set", "lo", "up")
            _run("ip", "-n", space, "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", middle)
            _run("ip", "-n", middle, "link", "set", port, "master", "bridge", "up")
            _run("ip", "-n", space, "addr", "add", f"{host}/24", "dev", "eth0")
            _run("ip", "-n", space, "link", "set", "eth0", "up")

    def _space(self, machine: int | None) -> str:
        return f"{self._name}-{'net' if machine is None else machine}"

    def before(self, machine: int | None) -> list[str]:
        return ["ip", "netns", "exec", self._space(machine)]

    def cut(self, machine: int, others: Sequence[int], sends: bool = False, gets: bool = False) -> None:
        for other in others:
            if not sends:
                self._drop(other, self.hosts[machine])
            if not gets:
                self._drop(machine, self.hosts[other])

    def _drop(self, machine: int, source: str) -> None:
        rule = ["INPUT", "-s", source, "-j", "DROP"]
        _run(*self.before(machine), "iptables", "-A", *rule)
        self._cuts.append([*self.before(machine), "iptables", "-D", *rule])

    def heal(self) -> None:
        cuts, self._cuts = self._cuts, []
        for cut in cuts:
            _run(*cut)

    def close(self) -> None:
        for machine in (None, *range(len(self.hosts))):
            subprocess.run(["ip", "netns", "del", self._space(machine)], capture_output=True, check=False)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def name_of(pid: int) -> str:
    """What everything of a bench that outlives its process is called by."""
    return f"{_PREFIX}{pid}"


def remove_stale() -> None:
    """Away with the namespaces and disks of benches that were killed."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False).stdout
    for name in (line.split()[0] for line in listed.splitlines() if line.strip()):
        if is_stale(name):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    for source, place, *_ in (line.split() for line in Path("/proc/mounts").read_text().splitlines()):
        if is_stale(source):
            subprocess.run(["umount", "-l", place], capture_output=True, check=False)


def is_stale(name: str) -> bool:
    """Whether it is called by a process that is gone."""
    pid = name.removeprefix(_PREFIX).partition("-")[0]
    return name.startswith(_PREFIX) and pid.isdigit() and not os.path.exists(f"/proc/{pid}")
