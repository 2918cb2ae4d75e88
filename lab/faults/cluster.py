"""A name server, a server and its clients, in folders and on ports of their own.

All on 127.0.0.1. `Cluster` is a context manager; at its end every process is gone, and the folder too
unless `keep` was called. What clients were told is in the folder ``history``, see `events`.
"""

import contextlib
import json
import resource
import shutil
import sqlite3
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from Pyro5.api import Proxy as PyroProxy
from Pyro5.errors import PyroError

from lab.faults.events import EventFile, ServerStarted
from lab.faults.history import Content, History, Replica, load
from lab.faults.proxy import Proxy
from lab.place import HOST, READY_SECONDS, Place
from lab.processes import BenchError, Process, eventually
from pyrochat import Timing

_SETTLE_SECONDS = 75.0
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Status:
    """Where a member stands; see `recorder.Member.status`. Times are `time.monotonic_ns()`."""

    client: str
    state: str
    end: int
    sends: bool
    acknowledged: int
    failed: int
    unknown: int
    code: str
    under_way: int
    last_ok_begun: int
    connected_at: int

    def is_back(self, since: int) -> bool:
        """Whether it is connected and, if it sends, acknowledged for something that it began after *since*."""
        return self.state == "connected" and (self.last_ok_begun > since or not self.sends)

    def __str__(self) -> str:
        return f"{self.client} ({self.state} {self.code})".replace(" )", ")")


class Recorder(Process):
    """A `lab.faults.recorder` process: the members *names* of *room*, in their *life*-th process."""

    def __init__(
        self, names: Sequence[str], room: str, life: int, arguments: Sequence[str],
        environment: Mapping[str, str], log: Path, before: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.names = list(names)
        self.room = room
        recorder = [sys.executable, "-m", "lab.faults.recorder", "--room", room, "--life", str(life)]
        command = [*before, *recorder, *arguments, *names]
        super().__init__(command, environment, log)

    def ask(self, command: str, timeout: float = 10.0) -> dict[str, object]:
        """Its answer to *command*; raises BenchError."""
        self.tell(command)
        return self.answer(timeout)

    def answer(self, timeout: float = 10.0) -> dict[str, object]:
        """Its answer to the oldest command that was told, and not asked; raises BenchError."""
        answer: dict[str, object] = json.loads(self.line(timeout)[1])
        return answer


class Cluster(Place):
    """What faults are done to. timing: for server and clients alike."""

    def __init__(self, rooms: Sequence[str] = ("lobby",), timing: Timing | None = None, seed: int = 0) -> None:
        super().__init__("faults")
        self.rooms = list(rooms)
        self.timing = timing or Timing()
        self.seed = seed
        self.histories = self.folder / "history"
        self.histories.mkdir()
        self.server: Process | None = None
        self.nameserver: Process | None = None
        self.recorders: list[Recorder] = []
        self.proxies: list[Proxy] = []
        self._lives: dict[str, int] = {}
        self._starts = EventFile(self.histories / "server.jsonl")

    def _timing_options(self) -> list[str]:
        timing = self.timing
        times = {"beat": timing.beat_seconds, "silence": timing.silent_seconds, "grace": timing.grace_seconds}
        return [part for name, seconds in times.items() for part in (f"--{name}", str(seconds))]

    # -- processes ---------------------------------------------------------------------------------------------

    def serve_names(self) -> None:
        """Start an empty name server; nothing happens where its port is taken (by the room server's own)."""
        self.nameserver = self.start_nameserver()
        with contextlib.suppress(BenchError):
            self.nameserver.wait_for_line("NS running", READY_SECONDS)

    def serve(self) -> int:
        """Start the server on its data; returns when it was ready (`time.monotonic_ns()`)."""
        self.server = self.start_server(*self._timing_options(), "--rate", "0", rooms=self.rooms)  # one address for all
        self._starts.write(ServerStarted(self.ready_at))
        return self.ready_at

    def start_recorder(
        self, *names: str, room: str | None = None, at: str | None = "", threads: int = 1, every: float = 0.05,
        confirm: float = 0.3, silent: bool = False, before: Sequence[str] = (),
    ) -> Recorder:  # fmt: skip
        """Start members in one process. at: "" is the server itself, None asks the name server. before: what runs it."""
        life = self._lives[names[0]] = self._lives.get(names[0], 0) + 1
        arguments = [
            "--folder", str(self.histories), "--threads", str(threads),
            "--every", str(every), "--confirm", str(confirm), "--seed", str(self.seed), *self._timing_options(),
        ]  # fmt: skip
        if at is not None:
            arguments += ["--at", at or self.at]
        if silent:
            arguments.append("--silent")
        log = self.folder / f"{names[0]}.log"
        recorder = Recorder(names, room or self.rooms[0], life, arguments, self.environment, log, before)
        self.recorders.append(recorder)
        return recorder

    def start_proxy(self) -> Proxy:
        """A proxy before the server."""
        self.proxies.append(Proxy((HOST, self.port)))
        return self.proxies[-1]

    def limit_file_size(self, size: int | None) -> None:
        """No file of the live server, if it lives, may grow beyond *size* bytes; None lifts the limit."""
        assert self.server is not None
        with contextlib.suppress(ProcessLookupError):
            _, hard = resource.prlimit(self.server.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(self.server.pid, resource.RLIMIT_FSIZE, (hard if size is None else size, hard))

    # -- what can be waited for --------------------------------------------------------------------------------

    def statuses(self, recorders: Sequence[Recorder] | None = None) -> list[Status]:
        """Where every member of every recorder (of *recorders*) stands."""
        asked = self.recorders if recorders is None else recorders
        for recorder in asked:
            recorder.tell("status")
        return [Status(**member) for recorder in asked for member in recorder.answer()["members"]]  # type: ignore[attr-defined]

    def wait_until_back(self, since: int, timeout: float) -> None:
        """Wait until every client is connected, and every sender acknowledged for a send begun after *since*.

        Raises BenchError that names those who are not.
        """
        deadline = time.monotonic() + timeout
        while away := [status for status in self.statuses() if not status.is_back(since)]:
            if time.monotonic() > deadline:
                raise BenchError(f"not back within {timeout:g} s: {', '.join(map(str, away))}")
            time.sleep(0.02)

    def log_of(self, room: str) -> Path:
        """The file of a room's log."""
        return self.folder / "data" / "rooms" / f"{room}.sqlite3"

    def tail(self, room: str, after: int = 0) -> int:
        """The id of the room's last message, asked of the room with nothing but Pyro5."""
        with PyroProxy(f"PYRO:pyrochat.{room}@{self.at}") as proxy:
            proxy._pyroHandshake = {"name": f"bench-{room}-{time.monotonic_ns()}"}  # the last one may not be gone yet
            proxy._pyroTimeout = 10.0
            try:
                while page := proxy.history(after, _PAGE):
                    after = int(page[-1][0])
            except PyroError as error:
                raise BenchError(f"the room {room!r} can't be asked for its end: {error}") from None
        return after

    def last_tail(self, room: str) -> int:
        """The same, where nobody sends any more."""
        return self.tail(room)

    def settle(self) -> None:
        """Stop sending, wait until everybody has everything, end the processes.

        After this the history is complete; raises BenchError where somebody doesn't get there.
        """
        for recorder in self.recorders:
            recorder.ask("pause")
        eventually(lambda: not any(s.under_way for s in self.statuses()), _SETTLE_SECONDS, "no send is under way")
        tails = {room: self.last_tail(room) for room in self.rooms}
        for recorder in self.recorders:
            recorder.tell(f"settle {tails[recorder.room]}")
        behind = [str(r.names) for r in self.recorders if not r.answer(_SETTLE_SECONDS)["settled"]]
        self.end_processes()
        if behind:
            raise BenchError(f"not at the log's end: {', '.join(behind)}")

    def history(self) -> History:
        """Everything recorded, and the logs as they are on disk, each as one more replica that was waited for."""
        history = load(sorted(self.histories.glob("*.jsonl")))
        history.replicas += [self.replica_on_disk(room) for room in self.rooms if self.log_of(room).exists()]
        return history

    def replica_on_disk(self, room: str) -> Replica:
        """The log of *room* read with nothing but SQLite, from a copy; the server has to be gone."""
        copy = self.folder / "copy"
        copy.mkdir(exist_ok=True)
        log = self.log_of(room)
        for suffix in ("", "-wal"):
            source = log.with_name(log.name + suffix)
            target = copy / source.name
            target.unlink(missing_ok=True)
            if source.exists():
                shutil.copyfile(source, target)
        with contextlib.closing(sqlite3.connect(copy / log.name)) as db:
            return replica_in(db, f"disk@{room}", room)

    # -- the end -----------------------------------------------------------------------------------------------

    def end_processes(self) -> None:
        """Kill the clients, end the servers in order. Idempotent."""
        for recorder in self.recorders:
            recorder.kill()
        self.recorders.clear()
        for process in (self.server, self.nameserver):
            if process is not None:
                process.end()
        self.server = self.nameserver = None

    def close(self) -> None:
        """End everything. Idempotent."""
        for recorder in self.recorders:
            recorder.kill()
        for proxy in self.proxies:
            proxy.close()
        self._starts.close()
        super().close()


def replica_in(db: sqlite3.Connection, client: str, room: str) -> Replica:
    """The log of *room* that *db* is open on, as what *client* was told, all of it."""
    replica, now = Replica(client, "", room, complete=True), time.monotonic_ns()
    for id, *content in db.execute("SELECT id, sender, text, kind, key FROM messages ORDER BY id"):
        replica.add(id, Content(*content), now)
    replica.tail = replica.end = replica.last
    return replica
