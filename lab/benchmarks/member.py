"""A process with all members of a peer: ``python -m lab.benchmarks.member PEER MEMBERS PORT…``.

Commands come as lines of JSON on its input, answers as lines on its output: ``reset``, ``wait`` (until
so many have come, or nothing more comes), ``latest`` (when each timed text had come to the last member).
"""

import json
import resource
import sys
import time
from collections.abc import Sequence

from lab.benchmarks.arrivals import Arrivals, latest_arrivals
from lab.benchmarks.contestants import PEERS

_LOOK_SECONDS = 0.01


def _wait(members: Sequence[Arrivals], expected: int, idle_seconds: float) -> dict[str, int]:
    total, changed_at = -1, time.monotonic()
    while True:
        count = sum(member.count for member in members)
        if count != total:
            total, changed_at = count, time.monotonic()
        if total >= expected or time.monotonic() > changed_at + idle_seconds:
            return {"total": total, "last_ns": max(member.last_ns for member in members)}
        time.sleep(_LOOK_SECONDS)


def raise_descriptor_limit() -> None:
    """Allow this process as many open files as the system lets it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main() -> None:
    """Connect, and answer commands until the input ends."""
    raise_descriptor_limit()
    peer, count = PEERS[sys.argv[1]], int(sys.argv[2])
    members = [Arrivals() for _ in range(count)]
    peer.connect_members([int(port) for port in sys.argv[3:]], [member.take for member in members])
    print(json.dumps({"connected": count}), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        answer: object = None
        match command["do"]:
            case "reset":
                for member in members:
                    member.reset()
            case "wait":
                answer = _wait(members, command["expected"], command["idle_seconds"])
            case "latest":
                answer = latest_arrivals(members)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
