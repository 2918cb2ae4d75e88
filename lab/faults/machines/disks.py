"""Disks that forget, and disks that are full."""

import time

from lab.faults.machines import power
from lab.faults.machines.crashes import start_all
from lab.faults.machines.round import UP_SECONDS, Round

_FULL_SECONDS = 12.0


def power_cut(round: Round) -> None:
    """All machines at once, each with a room server whose disk forgets what was not synced."""
    trio = round.trio
    built = power.forgetful_in(trio.folder)
    for machine in trio.machines:  # one after the other: from now on they forget
        machine.end()
        machine.start(environment=power.environment(trio.folder, machine.data, built))
        machine.wait()
    trio.wait_until_back(time.monotonic_ns(), UP_SECONDS)
    time.sleep(3)
    for machine in trio.machines:
        machine.kill()
    lost = sum(power.cut(trio.folder, machine.data) for machine in trio.machines)
    round.notes.append(f"{lost} files had lost something")
    round.expect(lost > 0, "the power cut has taken nothing")
    start_all(round)


def full(round: Round) -> None:
    """Each machine in turn, for longer than the others need to elect another leader, where it led."""
    trio = round.trio
    for machine in trio.machines:
        machine.fill()
        before = round.acknowledged()
        time.sleep(_FULL_SECONDS)
        round.expect(round.acknowledged() > before, f"nobody is acknowledged while the disk of {machine.host} is full")
        machine.free()
        trio.wait_until_back(time.monotonic_ns(), UP_SECONDS)
        trio.wait_until_one_may_fail()
        is_said = round.said(machine, "can't write the log", "is nearly full")
        round.expect(is_said, f"{machine.host} does not say that its disk is full")
    round.notes.append("all came back by themselves")
