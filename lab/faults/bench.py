"""A run: clients under load, random faults from a seed, then the checker."""

import heapq
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from lab.faults.cluster import Cluster, Recorder
from lab.faults.injection import Client, Injection
from lab.faults.report import Report
from lab.faults.schedule import Round, rounds
from lab.processes import BenchError
from pyrochat import Timing

ROOMS = ("lobby", "den")
QUICK = Timing(beat_seconds=0.5, silent_seconds=2.0, grace_seconds=2.0)

_BACK_SECONDS = 40.0
_START_SECONDS = 60.0

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run consists of. rate: messages a second of each sender."""

    seconds: float
    seed: int
    senders: int = 8
    rate: float = 10.0
    timing: Timing = QUICK


class _Run:
    def __init__(self, cluster: Cluster, settings: Settings, progress: Progress) -> None:
        self._cluster = cluster
        self._settings = settings
        self._progress = progress
        self._clients: list[Client] = []
        self._visitors: list[Recorder] = []
        self._visitor_numbers = itertools.count(1)
        self.report = Report(f"seed {settings.seed}, {settings.senders} senders")
        self.longest_recovery = 0.0
        self.longest_after = ""

    def go(self) -> None:
        """Faults until the time is over, then the end; what goes wrong is in the report."""
        cluster, settings = self._cluster, self._settings
        end = time.monotonic() + settings.seconds
        injection: Injection | None = None
        try:
            cluster.serve_names()
            cluster.serve()
            self._clients = [self._client(number) for number in range(settings.senders)]
            cluster.start_recorder("listener", threads=0)
            cluster.wait_until_back(0, _START_SECONDS)
            injection = Injection(cluster, self._clients)
            for round in rounds(settings.seed, settings.senders):
                if time.monotonic() >= end:
                    break
                self._play(round, injection)
            self._progress("everybody is to have everything")
            cluster.settle()
        except BenchError as error:
            self.report.troubles.append(str(error))
        if injection is not None:
            self.report.troubles += injection.troubles
        cluster.end_processes()
        self._progress("the checker looks at the history")
        self.report.check(cluster.history())
        after = f" (after {self.longest_after})" if self.longest_after else ""
        self.report.add("longest recovery", f"{self.longest_recovery:.2f} s{after}")

    def _client(self, number: int) -> Client:
        """A sender with a proxy of its own; every fourth is in the second room."""
        proxy = self._cluster.start_proxy()
        room = ROOMS[number % 4 == 3]
        every = 1.0 / self._settings.rate

        def start() -> Recorder:
            return self._cluster.start_recorder(f"sender{number}", room=room, at=proxy.at, every=every)

        return Client(start(), proxy, start)

    def _play(self, round: Round, injection: Injection) -> None:
        """One round: its faults, then the wait until everybody is back."""
        time.sleep(round.pause)
        what = " and ".join(map(str, round.faults))
        self._progress(what)
        leaving, self._visitors = self._visitors, []
        if round.visitor:  # asks the name server, and goes straight to the room
            name = f"visitor{next(self._visitor_numbers)}"
            self._visitors.append(self._cluster.start_recorder(name, at=None, every=0.5))
        begun = time.monotonic()
        steps: list[tuple[float, int, Callable[[], None]]] = []
        for number, fault in enumerate(round.faults):
            self.report.faults[fault.kind] += 1
            steps.append((fault.start, 2 * number, partial(injection.begin, fault)))
            steps.append((fault.end, 2 * number + 1, partial(injection.end, fault)))
        heapq.heapify(steps)
        while steps:
            at, _, step = heapq.heappop(steps)
            time.sleep(max(0.0, begun + at - time.monotonic()))
            step()
        over = time.monotonic_ns()
        for visitor in leaving:
            visitor.ask("leave", _BACK_SECONDS)
            visitor.kill()
            self._cluster.recorders.remove(visitor)
        self._cluster.wait_until_back(over, _BACK_SECONDS)
        recovery = (time.monotonic_ns() - over) / 1e9
        for fault in round.faults:
            self.report.recovered(fault.kind, recovery)
        if recovery > self.longest_recovery:
            self.longest_recovery, self.longest_after = recovery, what


def run(cluster: Cluster, settings: Settings, progress: Progress) -> Report:
    """The report of a run on *cluster*, which has to have `ROOMS`. progress: told what goes on."""
    running = _Run(cluster, settings, progress)
    running.go()
    return running.report
