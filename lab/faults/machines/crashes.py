"""Machines and servers that die, stop, or are away for a while."""

import contextlib
import sqlite3
import time

from lab.faults.machines.machine import Machine
from lab.faults.machines.round import UP_SECONDS, Round, Silence
from lab.processes import eventually

_LEFT_SECONDS = 5.0  # beyond the grace
_BACK_SECONDS = 15.0
_AGAIN_SECONDS = 3.0  # in which somebody would leave a second time


def kill_server(round: Round, away_seconds: float = 5.0) -> None:
    """A room server."""
    machine = round.follower()
    machine.kill_server()
    time.sleep(away_seconds)
    round.trio.start_machines([machine])


def kill_leader(round: Round) -> None:
    """The machine that leads."""
    _kill(round, round.trio.leader())


def kill_other(round: Round) -> None:
    """Another one. Only those who are elsewhere are promised that they hardly notice."""
    machine = round.follower()
    round.uncounted.update(*(recorder.names for recorder in round.trio.recorders_at(machine)))
    _kill(round, machine)


def _kill(round: Round, machine: Machine) -> None:
    machine.kill()
    time.sleep(14)
    round.trio.start_machines([machine])


def stop(round: Round) -> None:
    """The machine that leads sleeps for 10 s."""
    machine = round.trio.leader()
    machine.stop()
    time.sleep(10)
    machine.resume()


def two_down(round: Round) -> None:
    """Two machines, and one after the other is back."""
    alive, *down = round.chance.sample(round.trio.machines, 3)
    for machine in down:
        machine.kill()
    since = time.monotonic_ns()
    round.refuses(alive, until=time.monotonic() + 5)
    round.silences.append(Silence(since, time.monotonic_ns()))
    down[0].start()
    down[0].wait()
    round.goes_on_within(5, "back")
    round.trio.start_machines(down[1:])


def kill_all(round: Round) -> None:
    """All machines."""
    for machine in round.trio.machines:
        machine.kill()
    start_all(round)


def start_all(round: Round) -> None:
    """All machines are there again."""
    begun = time.monotonic()
    for machine in round.trio.machines:
        machine.start()
    round.goes_on_within(_BACK_SECONDS, "back", begun)
    for machine in round.trio.machines:
        machine.wait()


def gone_for_good(round: Round) -> None:
    """A machine, and a client that knows only that one."""
    trio, name = round.trio, "ghost"
    machine = round.follower()
    member = trio.start_members([name], machine, only=True)
    trio.wait_until_back(0, UP_SECONDS)
    trio.recorders.remove(member)
    member.kill()
    machine.kill()
    begun, others = time.monotonic(), trio.others(machine)

    def leaves(other: Machine) -> int:
        with contextlib.closing(sqlite3.connect(f"{trio.log_on(other).as_uri()}?mode=ro", uri=True, timeout=10)) as db:
            return int(db.execute("SELECT count(*) FROM messages WHERE text = ?", (f"{name} left",)).fetchone()[0])

    eventually(lambda: any(leaves(other) for other in others), UP_SECONDS, "the ghost has left")
    round.within(time.monotonic() - begun, trio.timing.grace_seconds + _LEFT_SECONDS, "left")
    time.sleep(_AGAIN_SECONDS)
    for other in others:
        round.expect(leaves(other) == 1, f"at {other.host} it has left {leaves(other)} times")
    round.left, round.uncounted = 1, {name}
    trio.start_machines([machine])
