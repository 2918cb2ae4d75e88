"""A fault with its bound, and one time that it happens."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from lab.faults.events import OK
from lab.faults.history import History
from lab.faults.machines.machine import Machine
from lab.faults.machines.trio import ROOM, Trio
from lab.processes import eventually

UP_SECONDS = 60.0
SAYS_SECONDS = 5.0
REFUSALS = ("log-unavailable", "log-uncertain")


@dataclass(frozen=True)
class Silence:
    """Nobody may be acknowledged for what it began and was told in this time (`time.monotonic_ns()`).

    clients: whose sends count; None: everybody's.
    """

    since: int
    until: int
    clients: frozenset[str] | None = None

    def broken_by(self, history: History) -> int:
        """How many sends were acknowledged all the same."""
        return sum(
            send.outcome == OK
            and send.ended is not None
            and self.since <= send.begun
            and send.ended <= self.until
            and (self.clients is None or send.member in self.clients)
            for send in history.sends
        )


@dataclass
class Round:
    """What the fault is done to, and what came of it.

    notes: figures beside the longest gap. problems: what was not as it has to be. left, joined: how many messages of these
    kinds are right beyond the first joins of all clients. uncounted: members whose gaps have no bound.
    """

    trio: Trio
    chance: random.Random
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)
    left: int = 0
    joined: int = 0
    uncounted: set[str] = field(default_factory=set)

    def expect(self, is_so: bool, problem: str) -> None:
        """It *is_so*, or that is a *problem*."""
        if not is_so:
            self.problems.append(problem)

    def within(self, seconds: float, bound: float, what: str) -> None:
        """A figure with its bound."""
        self.notes.append(f"{what} {seconds:.2f} s")
        self.expect(seconds <= bound, f"{what}: {seconds:.2f} s, the bound is {bound:g}")

    def acknowledged(self) -> int:
        """How many sends were, in all."""
        return sum(status.acknowledged for status in self.trio.statuses())

    def goes_on_within(self, bound: float, what: str, since: float | None = None) -> None:
        """From *since* (now) on it takes so long until somebody is acknowledged again. since: `time.monotonic()`."""
        begun, before = since or time.monotonic(), self.acknowledged()
        eventually(lambda: self.acknowledged() > before, UP_SECONDS, "somebody is acknowledged")
        self.within(time.monotonic() - begun, bound, what)

    def follower(self) -> Machine:
        """A machine that does not lead."""
        return self.chance.choice(self.trio.others(self.trio.leader()))

    def refuses(self, machine: Machine, until: float = 0.0) -> None:
        """Whoever posts at *machine* is told in time that it can't be; once, and again until then (`time.monotonic()`)."""
        longest, codes = 0.0, set()
        while True:
            said = self.trio.try_to_post(machine)
            longest = max(longest, said["seconds"])
            codes.add(said.get("code"))
            if time.monotonic() >= until:
                break
        self.within(longest, SAYS_SECONDS, "says so within")
        self.expect(codes <= set(REFUSALS), f"posts at {machine.host} were answered {codes - set(REFUSALS)}")

    def is_refused(self, machine: Machine) -> bool:
        """Whether a post at *machine* is not taken, whatever it is told."""
        return "code" in self.trio.try_to_post(machine)

    def said(self, machine: Machine, *parts: str) -> bool:
        """Whether one of *parts* stands in the log of its server."""
        text = machine.log.read_text(errors="replace")
        return any(part in text for part in parts)

    def rebuild(self) -> None:
        """Its operator has the room's stream made anew, on the machine that has most."""
        tips = {machine: self.trio.tip(machine)[0] for machine in self.trio.machines}
        most = max(tips, key=lambda machine: tips[machine])
        begun = time.monotonic()
        code, said = self.trio.operate(most, "rebuild", ROOM)
        self.expect(code == 0, f"rebuild: {said}")
        self.notes.append(f"rebuilt in {time.monotonic() - begun:.1f} s")


@dataclass(frozen=True)
class Fault:
    """name: on the command line. what: for people. bound: the longest gap for a member, seconds. do: lets it happen, and be over.
    in_namespaces: whether it needs them. has_disks: whether each machine has a disk of its own."""

    name: str
    what: str
    bound: float
    do: Callable[[Round], None]
    in_namespaces: bool = False
    has_disks: bool = False
