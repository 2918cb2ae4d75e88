"""The bench: a round of a fault on three machines under load, and the verdict."""

import random
import time
from collections.abc import Callable

from lab.faults.machines.round import UP_SECONDS, Fault, Round
from lab.faults.machines.trio import Trio
from lab.faults.machines.verdict import Verdict, judge
from lab.processes import BenchError

_BEFORE_SECONDS = 2.0
_AFTER_SECONDS = 2.0

Progress = Callable[[str], None]


def play(
    fault: Fault, number: int, seed: int, progress: Progress, is_quick: bool = False, senders: int = 8, listeners: int = 3
) -> Verdict:  # fmt: skip
    """One round of *fault* on machines of its own. is_quick: on loopback. Raises BenchError where there can be no such machines."""
    with Trio(in_namespaces=not is_quick, seed=seed) as trio:
        round = Round(trio, random.Random(f"{seed} {fault.name} {number}"))
        begun = 0
        try:
            progress(f"{fault.name} {number}: starting")
            if fault.has_disks:
                for machine in trio.machines:
                    machine.mount()
            trio.start_machines()
            trio.start_clients(senders, listeners)
            time.sleep(_BEFORE_SECONDS)
            progress(f"{fault.name} {number}: {fault.what}")
            begun = time.monotonic_ns()
            fault.do(round)
            trio.wait_until_back(time.monotonic_ns(), UP_SECONDS)
            time.sleep(_AFTER_SECONDS)
            progress(f"{fault.name} {number}: everybody is to have everything")
            trio.settle()
        except BenchError as error:
            round.problems.append(str(error))
            trio.end_processes()
        logs = [trio.log_on(machine) for machine in trio.machines]
        verdict = judge(fault, number, round, trio.history(), begun, logs)
        if not verdict.is_good:
            verdict.notes.append(f"files in {trio.keep()}")
    return verdict
