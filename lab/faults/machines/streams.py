"""Streams that say things twice, late, or no more; and copies that are not what was in the stream."""

import contextlib
import json
from collections.abc import Callable

from lab.faults.machines import tampering
from lab.faults.machines.machine import Machine
from lab.faults.machines.round import UP_SECONDS, Round
from lab.faults.machines.trio import ROOM
from lab.processes import BenchError, eventually

_TWICE_SECONDS = 5
_LATE = 5  # of each sort
_CUT = 5  # entries
_FEWEST_TWICE = 20


def twice(round: Round) -> None:
    """Whatever is in the streams of the room and of the register is published again, for a while at once."""
    for machine in round.trio.machines:  # of these no key tells that they are there
        round.expect("id" in round.trio.try_to_post(machine), f"a post at {machine.host} was refused")
    for stem in ("REGISTRY", ROOM):
        count = int(round.trio.administer("twice", stem, str(_TWICE_SECONDS)))
        round.notes.append(f"{count} of {stem} twice")
        round.expect(stem != ROOM or count >= _FEWEST_TWICE, f"only {count} entries were published twice")


def late(round: Round) -> None:
    """Entries arrive that were there before, and some that nobody has heard of but that are older than others of their server."""
    for _ in range(_LATE):
        round.trio.administer("late", str(round.chance.randrange(1, 20)))
    for number in range(_LATE):
        round.trio.administer("abandoned", f"never said {number}")  # the checker finds it, should it be in the log


def orphaned(round: Round) -> None:
    """An entry of a server that is gone arrives, with posts that their clients have repeated elsewhere."""
    machine = round.follower()
    gone = json.loads(round.trio.administer("last-of", machine.host))
    machine.kill_server()
    round.trio.start_machines([machine])
    round.trio.administer("orphan", gone["run"], str(gone["count"] + 1))


def changed(round: Round) -> None:
    """One byte of one text, in the file of one server."""
    _with_copy(round, lambda machine: tampering.change_a_byte(round.trio.log_on(machine), round.chance))


def diverged(round: Round) -> None:
    """A copy that is whole in itself, and yet another one than the others have: only what stands in the entries can tell."""
    _with_copy(round, lambda machine: tampering.rewrite(round.trio.log_on(machine), round.chance))


def _with_copy(round: Round, tamper: Callable[[Machine], str]) -> None:
    """A machine whose copy is tampered with refuses to serve it and says why; with none it gets what the others have."""
    machine = round.follower()
    round.expect(machine.end() == 0, f"{machine.host} did not end in order")
    round.notes.append(tamper(machine))
    machine.start()
    with contextlib.suppress(BenchError):  # it may say so and end
        machine.wait()
        eventually(lambda: round.is_refused(machine), UP_SECONDS, "it stops")
        round.notes.append("it stops with the room")
    is_said = round.said(machine, "was changed", "is damaged", "is not what", "has had message")
    round.expect(is_said, f"{machine.host} does not say what is wrong with its copy")
    round.expect(
        not machine.is_running or round.is_refused(machine), f"{machine.host} serves a copy that is not the room's"
    )
    machine.close()
    log = round.trio.log_on(machine)
    for path in log.parent.glob(f"{log.name}*"):
        path.unlink()
    round.trio.start_machines([machine])


def cut_short(round: Round) -> None:
    """A stream ends before what all servers have had: they stop, until it is made anew."""
    trio = round.trio
    for recorder in trio.recorders:
        recorder.ask("pause")
    trio.wait_until_same()
    trio.administer("cut", str(_CUT))
    for machine in trio.machines:
        eventually(lambda machine=machine: round.said(machine, "its stream ends at"), UP_SECONDS, "it says so")  # type: ignore[misc]
        round.expect(round.is_refused(machine), f"{machine.host} goes on")
    round.rebuild()
    for machine in trio.machines:
        machine.end()
    trio.start_machines()
    for recorder in trio.recorders:
        recorder.ask("go")


def poisoned(round: Round) -> None:
    """By the one publish that the brokers refuse and keep."""
    _broken(round, "poison")


def deleted(round: Round) -> None:
    """The room's stream."""
    _broken(round, "delete")


def _broken(round: Round, how: str) -> None:
    round.trio.administer(how)
    round.refuses(round.chance.choice(round.trio.machines))
    round.rebuild()
    round.goes_on_within(15, "back")
