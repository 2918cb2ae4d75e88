"""An arena: one peer's server, a process with its members, one with its sender."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from lab.benchmarks.contestants import PEERS
from lab.benchmarks.measure import cpu_seconds, resident_bytes
from lab.place import Place
from lab.processes import BenchError, Process

_CONNECT_SECONDS = 180.0
_ANSWER_SECONDS = 180.0
_IDLE_SECONDS = 2.0
_QUIET_SECONDS = 15.0
_QUIET_SHARE = 0.2  # of a core; 1,000 members of PyroChat beat with 5 %
_LOOK_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class FanOut:
    """One burst. seconds: from the first send to the last arrival at a member's handler."""

    messages: int
    expected: int
    arrived: int
    seconds: float
    server_seconds: float

    @property
    def deliveries_a_second(self) -> float:
        """End to end."""
        return self.arrived / self.seconds

    @property
    def server_microseconds(self) -> float:
        """The server's CPU time for each delivery."""
        return self.server_seconds / self.arrived * 1e6

    @property
    def loss(self) -> float:
        """The share that never came."""
        return 1 - self.arrived / self.expected


@dataclass(frozen=True, slots=True)
class Latencies:
    """In milliseconds, one for each message. lost: messages that not all members have got."""

    to_last: list[float]
    to_acknowledged: list[float]
    lost: int


@dataclass(frozen=True, slots=True)
class Posts:
    """Acknowledged posts of several senders."""

    posts: int
    seconds: float
    server_seconds: float

    @property
    def posts_a_second(self) -> float:
        """Acknowledged."""
        return self.posts / self.seconds


class Arena(Place):
    """A context manager; at its end every process is gone, and the folder too.

    prepare: called with the folder before the server starts.
    """

    def __init__(self, peer: str, members: int = 0, prepare: Callable[[Path], None] | None = None) -> None:
        self.peer = PEERS[peer]
        self.members = members
        super().__init__("benchmark")
        self.server_pid = 0
        self.ports: list[int] = []
        self._prepare = prepare
        self._member_process: Process | None = None
        self._senders: dict[str, Process] = {}

    def __enter__(self) -> Self:
        try:
            if self._prepare is not None:
                self._prepare(self.folder)
            server, self.ports = self.peer.start_server(self.folder)
            self._started.append(server)
            self.server_pid = server.pid
            if self.members:
                self.connect(self.members)
        except BaseException:
            self.close()
            raise
        return self

    def start_there(self, module: str, *arguments: object) -> Process:
        """Start ``python -m module arguments ports``."""
        return self.start_module(module, *arguments, *self.ports, name=module)

    def connect(self, members: int) -> None:
        """Start the process with the members."""
        self.members = members
        self._member_process = self.start_there("lab.benchmarks.member", self.peer.name, members)
        self._member_process.line(_CONNECT_SECONDS)
        self.wait_until_quiet()

    def wait_until_quiet(self) -> None:
        """Until server and members have done what joins or deliveries brought with them."""
        deadline = time.monotonic() + _QUIET_SECONDS
        while time.monotonic() < deadline:
            before = self.server_cpu() + cpu_seconds(self.member_pid)
            time.sleep(_LOOK_SECONDS)
            if self.server_cpu() + cpu_seconds(self.member_pid) - before < _LOOK_SECONDS * _QUIET_SHARE:
                return

    @property
    def member_pid(self) -> int:
        """The process with the members."""
        assert self._member_process is not None
        return self._member_process.pid

    def server_cpu(self) -> float:
        """The server's CPU time so far, in seconds."""
        return cpu_seconds(self.server_pid)

    def server_memory(self) -> int:
        """The server's resident memory, in bytes."""
        return resident_bytes(self.server_pid)

    # -- the work ----------------------------------------------------------------------------------------------

    def burst(self, messages: int) -> FanOut:
        """*messages* texts, as fast as the client can."""
        return self._fan_out(messages, {"do": "burst", "messages": messages})

    def singles(self, messages: int, threads: int) -> FanOut:
        """*messages* single sends from *threads* of one process."""
        messages -= messages % threads
        return self._fan_out(messages, {"do": "singles", "messages": messages, "threads": threads})

    def paced(self, rate: float, seconds: float) -> Latencies:
        """*rate* messages a second."""
        count = round(rate * seconds)
        self.wait_until_quiet()
        self._ask_members(do="reset")
        sent = self._ask_sender({"do": "paced", "rate": rate, "count": count})
        self._ask_members(do="wait", expected=count * self.members, idle_seconds=_IDLE_SECONDS)
        latest = {int(number): found for number, found in self._ask_members(do="latest").items()}
        to_last = [
            (latest[number][1] - begun) / 1e6 for number, begun in enumerate(sent["begun_ns"]) if number in latest
        ]
        pairs = zip(sent["begun_ns"], sent["acknowledged_ns"], strict=True)
        lost = sum(latest.get(number, (0, 0))[0] < self.members for number in range(count))
        return Latencies(to_last, [(done - begun) / 1e6 for begun, done in pairs], lost)

    def posts(self, senders: int, seconds: float, peer: str | None = None) -> Posts:
        """*senders* connections post for *seconds*; peer: another way to post to the same server."""
        cpu = self.server_cpu()
        done = self._ask_sender({"do": "posts", "senders": senders, "seconds": seconds}, peer)
        return Posts(done["posts"], (done["done_ns"] - done["first_ns"]) / 1e9, self.server_cpu() - cpu)

    def _fan_out(self, messages: int, command: dict[str, Any]) -> FanOut:
        expected = messages * self.members
        self.wait_until_quiet()
        self._ask_members(do="reset")
        cpu = self.server_cpu()
        sent = self._ask_sender(command)
        found = self._ask_members(do="wait", expected=expected, idle_seconds=_IDLE_SECONDS)
        if not found["total"]:
            raise BenchError(f"{self.peer.title}: nothing has arrived")
        seconds = (found["last_ns"] - sent["first_ns"]) / 1e9
        return FanOut(messages, expected, found["total"], seconds, self.server_cpu() - cpu)

    def _ask_members(self, **command: Any) -> Any:
        assert self._member_process is not None
        return _ask(self._member_process, command)

    def _ask_sender(self, command: dict[str, Any], peer: str | None = None) -> Any:
        name = peer or self.peer.name
        if name not in self._senders:
            self._senders[name] = self.start_there("lab.benchmarks.sender", name)
            self._senders[name].line(_CONNECT_SECONDS)
            time.sleep(0.1)
        return _ask(self._senders[name], command)


def _ask(process: Process, command: dict[str, Any]) -> Any:
    process.tell(json.dumps(command))
    return json.loads(process.line(_ANSWER_SECONDS)[1])
