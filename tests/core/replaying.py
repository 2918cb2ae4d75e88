"""A process that applies entries and says what the room is then: ``python -m tests.core.replaying [MUTATION] < entries``.

With the name of a mutation, `core.room` is broken in that way first.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pyrochat.core
from pyrochat.core.commands import entry_from_wire
from pyrochat.core.log import MemberRecord
from pyrochat.core.memory_log import MemoryLog

if TYPE_CHECKING:
    from pyrochat.core.commands import Entry
    from pyrochat.core.room import RoomState, Transition

IDENTITY = "1b0a4b1e-0000-4000-8000-000000000000"
MUTATIONS = {
    "clock": ("clamped_time_us(entry.time_us)", "__import__('time').time_ns() // 1000"),
    "set": ("dict(self._present)", "{member: self._present[member] for member in set(self._present)}"),
    "random": ('f"{session.name} {JOINED}"', 'f"{session.name} {JOINED}" + __import__("uuid").uuid4().hex'),
    "host": ('f"{name} {LEFT}"', 'f"{name} {LEFT}" + str(__import__("os").getpid())'),
}


def mutate(name: str) -> None:
    """From now on `pyrochat.core.room` is broken."""
    path = Path(pyrochat.core.__file__).with_name("room.py")
    right, wrong = MUTATIONS[name]
    source = path.read_text()
    assert source.count(right) == 1, right
    spec = importlib.util.spec_from_file_location("pyrochat.core.room", path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["pyrochat.core.room"] = module
    exec(compile(source.replace(right, wrong), path, "exec"), module.__dict__)


def records_of(transition: Transition) -> list[MemberRecord]:
    """The records of the members that have come or gone."""
    members = transition.state.members
    known = [(member, members[member]) for member in dict.fromkeys(transition.moved)]
    return [MemberRecord(each.name, 0, 0, each.first_joined, each.joined) for _, each in known]


def apply(log: MemoryLog, state: RoomState, entries: list[Entry], rules: type[Transition] | None = None) -> RoomState:
    """What *state* becomes with *entries*, in one commit."""
    from pyrochat.core.room import Transition

    transition = (rules or Transition)(state, log, entries)
    for entry in entries:
        transition.apply(entry)
    log.append(
        transition.messages, records_of(transition), transition.owners,
        digests=transition.digests, sessions=transition.sessions, erased=list(transition.erased.values()),
    )  # fmt: skip
    return transition.state


def replay(lines: str) -> str:
    """What the room is when the entries of *lines*, in JSON, are applied in groups of three: its state, all of it."""
    from pyrochat.core.room import RoomState

    log = MemoryLog("lobby", IDENTITY)
    state = RoomState.of(log)
    entries = [entry_from_wire(fields) for fields in json.loads(lines)]
    for first in range(0, len(entries), 3):
        state = apply(log, state, entries[first : first + 3])
    return repr((state, log.tip, log.read(0, 10_000), sorted(log.sessions())))


if __name__ == "__main__":
    for mutation in sys.argv[1:]:
        mutate(mutation)
    print(replay(sys.stdin.read()))
