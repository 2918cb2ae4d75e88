"""What operators do: restarts, upgrades, an empty folder; and a name that three want at once."""

import shutil
import sys
import time

from lab.faults.machines.round import UP_SECONDS, Round
from lab.place import script
from lab.processes import eventually

_SHIPPED = [script("pyrochat-server")]
_LATER = [sys.executable, "-m", "lab.faults.machines.later"]


def rolling(round: Round) -> None:
    """One machine after the other."""
    _restart_all(round, _SHIPPED)


def upgrade(round: Round) -> None:
    """The same, with a version that has one more kind of command."""
    _restart_all(round, _LATER)
    for machine in round.trio.machines:
        eventually(
            lambda machine=machine: round.said(machine, "entries of version 2"),  # type: ignore[misc]
            UP_SECONDS,
            f"the later version is used at {machine.host}",
        )


def _restart_all(round: Round, command: list[str]) -> None:
    for machine in round.trio.machines:
        code = machine.end()
        round.expect(code == 0, f"{machine.host} ended with {code}")
        machine.start(command=command)
        machine.wait()
        time.sleep(2)


def empty(round: Round) -> None:
    """A machine begins again with nothing, its broker too."""
    machine = round.follower()
    machine.kill()
    shutil.rmtree(machine.data)
    begun = time.monotonic()
    round.trio.start_machines([machine])
    round.trio.wait_until_close()
    round.notes.append(f"there again in {time.monotonic() - begun:.1f} s")


def one_name(round: Round) -> None:
    """Three with a key each claim a name, at a machine each, at once."""
    trio = round.trio
    name = f"claimed{round.chance.randrange(1000)}"
    strangers = [trio.start_stranger(name, machine, trio.folder / f"user{machine.number}") for machine in trio.machines]
    codes = sorted(stranger.result() for stranger in strangers)
    round.expect(codes == [0, 1, 1], f"of three who claim one name at once, these came in: {codes}")
    for machine in trio.machines:
        listed = trio.operate(machine, "names", "list")[1].split()
        round.expect(listed.count(name) == 1, f"at {machine.host} the name stands {listed.count(name)} times")
    round.joined = round.left = codes.count(0)
