"""A member falls silent, and nothing is closed: what do the others feel, when does it leave, does it heal?

Stopped (SIGSTOP), or behind a proxy that passes nothing on. The others' latency is from the beginning of
a send until another member's program was shown the message. It is held against that of the quiet times
before and after together: a machine is never equally busy twice.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from lab.faults.cluster import Cluster, Recorder
from lab.faults.events import OK
from lab.faults.history import History
from lab.faults.proxy import BOTH, TO_CLIENT, TO_SERVER
from lab.faults.report import Report, percentile
from lab.processes import eventually

SILENT = "silent"
QUIET = "all well"
MOST_RATIO = 1.5
HEAL_SECONDS = 15.0

_START_SECONDS = 90.0
_WARM_UP_SECONDS = 3.0
_MARGIN_SECONDS = 1.0  # the room looks around four times a second, and we see its message only when it comes

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """seconds: of each phase; members: in all; rate: messages a second in all."""

    seconds: float
    members: int
    rate: float


@dataclass(slots=True)
class _Phase:
    """A stretch of time, `time.monotonic_ns()`. healed: when the silent member had caught up."""

    name: str
    begun: int
    ended: int
    healed: int = 0

    @property
    def is_quiet(self) -> bool:
        """Whether nobody was silent."""
        return self.name == QUIET


def stopped(cluster: Cluster, progress: Progress, plan: Plan) -> Report:
    """SIGSTOP, and after a while SIGCONT."""
    report = Report(f"one of {plan.members} members stopped for {plan.seconds:g} s, {plan.rate:g} messages/s")
    silent = _start(cluster, plan, None)
    phases = [
        _quiet(plan, progress),
        _silence(cluster, silent, plan, progress, "stopped", silent.stop, silent.resume),
        _quiet(plan, progress),
    ]
    report.faults["member stopped"] += 1
    return _finish(cluster, report, phases, progress)


def blackhole(cluster: Cluster, progress: Progress, plan: Plan) -> Report:
    """Packets vanish to the server, to the client, and both ways."""
    report = Report(f"one of {plan.members} members behind a blackhole, {plan.rate:g} messages/s")
    proxy = cluster.start_proxy()
    silent = _start(cluster, plan, proxy.at)
    phases = [_quiet(plan, progress)]
    for direction in (TO_SERVER, TO_CLIENT, BOTH):
        name = f"blackhole {direction}" if direction != BOTH else "blackhole both ways"
        hold = lambda direction=direction: proxy.hold(direction)  # noqa: E731
        phases.append(_silence(cluster, silent, plan, progress, name, hold, proxy.release))
        phases.append(_quiet(plan, progress))
        report.faults[name] += 1
    return _finish(cluster, report, phases, progress)


def _start(cluster: Cluster, plan: Plan, at: str | None) -> Recorder:
    """The server, the members, and the load; returns the one that will fall silent. It sends nothing itself."""
    cluster.serve()
    others = plan.members - 1
    for number in range(others):
        cluster.start_recorder(f"member{number}", every=others / plan.rate, silent=True)
    silent = cluster.start_recorder(SILENT, threads=0, at=at or "")
    cluster.wait_until_back(0, _START_SECONDS)
    for recorder in cluster.recorders:
        recorder.ask("go")
    cluster.wait_until_back(0, _START_SECONDS)
    time.sleep(_WARM_UP_SECONDS)
    return silent


def _quiet(plan: Plan, progress: Progress) -> _Phase:
    return _phase(QUIET, plan.seconds / 2, progress)


def _phase(name: str, seconds: float, progress: Progress) -> _Phase:
    progress(name)
    begun = time.monotonic_ns()
    time.sleep(seconds)
    return _Phase(name, begun, time.monotonic_ns())


def _silence(
    cluster: Cluster, silent: Recorder, plan: Plan, progress: Progress, name: str,
    begin: Callable[[], None], end: Callable[[], None],
) -> _Phase:  # fmt: skip
    begin()
    phase = _phase(name, plan.seconds, progress)
    end()
    others = [recorder for recorder in cluster.recorders if recorder is not silent]
    goal = max(status.end for status in cluster.statuses(others))

    def caught_up() -> bool:
        status = cluster.statuses([silent])[0]
        return status.state == "connected" and status.end >= goal

    eventually(caught_up, 60.0, f"{SILENT} has caught up after: {name}")
    phase.healed = time.monotonic_ns()
    time.sleep(1.0)
    return phase


def _finish(cluster: Cluster, report: Report, phases: list[_Phase], progress: Progress) -> Report:
    progress("everybody is to have everything")
    cluster.settle()
    progress("the checker looks at the history")
    history = cluster.history()
    report.check(history)
    timing = cluster.timing
    bound = timing.beat_seconds + timing.silent_seconds + timing.grace_seconds + _MARGIN_SECONDS
    usual = [latency for phase in phases if phase.is_quiet for latency in _latencies(history, phase)]
    usual_p99 = percentile(usual, 0.99)
    report.add(f"{QUIET}: latency of the others, p50", _milliseconds(percentile(usual, 0.5)))
    report.add("… p99", _milliseconds(usual_p99))
    for phase in phases:
        if phase.is_quiet:
            continue
        latencies = _latencies(history, phase)
        p99 = percentile(latencies, 0.99)
        ratio = p99 / usual_p99 if usual_p99 else 0.0
        report.add(f"{phase.name}: latency of the others, p50", _milliseconds(percentile(latencies, 0.5)))
        figure = f"{_milliseconds(p99)}, {ratio:.2f} times"
        report.add("… p99", figure, f"{MOST_RATIO:g} times", ratio <= MOST_RATIO)
        left = _left(history, phase)
        figure = "never" if left is None else f"{left:.1f} s"
        report.add("… the silent one left the view after", figure, f"{bound:g} s", left is not None and left <= bound)
        healed = (phase.healed - phase.ended) / 1e9
        report.add("… and was healed after", f"{healed:.2f} s", f"{HEAL_SECONDS:g} s", healed <= HEAL_SECONDS)
    return report


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def _latencies(history: History, phase: _Phase) -> list[float]:
    """Seconds from each send of *phase* to each other member but the silent one."""
    begun = {
        send.text: (send.begun, send.member)
        for send in history.sends
        if phase.begun <= send.begun < phase.ended and send.outcome == OK
    }
    found = []
    for replica in history.replicas:
        if replica.member in ("", SILENT):
            continue
        for content, at in zip(replica.contents, replica.times, strict=True):
            send = begun.get(content.text)
            if send is not None and send[1] != replica.member:
                found.append((at - send[0]) / 1e9)
    return found


def _left(history: History, phase: _Phase) -> float | None:
    """Seconds from the beginning of *phase* until somebody was told that the silent member has left."""
    told = [
        at
        for replica in history.replicas
        if replica.member not in ("", SILENT)
        for content, at in zip(replica.contents, replica.times, strict=True)
        if content.text == f"{SILENT} left" and phase.begun <= at <= phase.healed
    ]
    return (min(told) - phase.begun) / 1e9 if told else None
