"""A room server of a made-up later version, which knows one more kind of command: ``python -m lab.faults.machines.later …``."""

import sys
from typing import Any, NamedTuple

from pyrochat.core import commands, room
from pyrochat.core.room import Transition


class Wave(NamedTuple):
    """Nothing happens, but that it was ordered."""

    name: str


def install() -> None:
    """From now on this process is of the later version."""
    from pyrochat.orders.cluster import cluster

    names: Any = commands._NAMES
    kinds: Any = commands._KINDS
    names[Wave], kinds["wave"] = "wave", Wave
    commands.ENTRY_VERSION = 2
    vars(cluster)["ENTRY_VERSION"] = 2
    do: Any = Transition._do

    def _do(self: Transition, command: Any) -> Any:
        if isinstance(command, Wave):
            print(f"a wave, among entries of version {self.state.version}", file=sys.stderr, flush=True)
            return []
        return do(self, command)

    later: Any = room.Transition
    later._do = _do


def wave_when_allowed() -> None:
    """As soon as the room may have the new command, hand it in."""
    from pyrochat.room.room import Room

    tick: Any = Room.tick
    waved: set[int] = set()

    def tick_(self: Any, now: float) -> None:
        if self._applier.state.version >= 2 and id(self) not in waved:
            waved.add(id(self))
            self._order.submit(Wave("hello"))
        tick(self, now)

    later: Any = Room
    later.tick = tick_


if __name__ == "__main__":
    install()
    wave_when_allowed()
    from pyrochat.commands.server import run

    run()
