"""The name server dies and comes back empty: chats go on, and newcomers find the room again soon.

And it may hang, while the server is told to end.
"""

import time
from collections.abc import Callable

from lab.faults.cluster import Cluster
from lab.faults.report import Report

FIND_SECONDS = 10.0
END_SECONDS = 5.0
_START_SECONDS = 60.0
_OUTAGE_SECONDS = 2.0


def run(cluster: Cluster, progress: Callable[[str], None], rounds: int) -> Report:
    """Kill and restart the name server *rounds* times."""
    report = Report(f"{rounds} times the name server killed and started empty")
    cluster.serve_names()
    cluster.serve()
    for number in range(4):
        cluster.start_recorder(f"member{number}", at=None)
    cluster.wait_until_back(0, _START_SECONDS)
    longest_find = 0.0
    reconnected = 0
    for number in range(rounds):
        progress(f"name server killed, {number + 1} of {rounds}")
        connected = {status.client: status.connected_at for status in cluster.statuses()}
        assert cluster.nameserver is not None
        cluster.nameserver.kill()
        report.faults["name server killed"] += 1
        time.sleep(_OUTAGE_SECONDS)
        cluster.wait_until_back(time.monotonic_ns(), FIND_SECONDS)  # everybody is acknowledged without it
        cluster.serve_names()
        started = time.monotonic_ns()
        newcomer = cluster.start_recorder(f"newcomer{number}", at=None)
        cluster.wait_until_back(started, _START_SECONDS)
        joined = next(s.connected_at for s in cluster.statuses([newcomer]))
        longest_find = max(longest_find, (joined - started) / 1e9)
        reconnected += sum(connected.get(s.client, s.connected_at) != s.connected_at for s in cluster.statuses())
    progress("the server ends, while the name server hangs")
    assert cluster.nameserver is not None
    assert cluster.server is not None
    cluster.nameserver.stop()
    begun = time.monotonic()
    code = cluster.server.end()
    ended = time.monotonic() - begun
    cluster.nameserver.resume()
    report.faults["name server stopped"] += 1
    cluster.wait_until_back(cluster.serve(), _START_SECONDS)
    progress("everybody is to have everything")
    cluster.settle()
    report.check(cluster.history())
    report.add("clients that lost their connection over it", str(reconnected), "0", reconnected == 0)
    report.add(
        "a newcomer joins by name, after the name server's start", f"{longest_find:.2f} s", f"{FIND_SECONDS:g} s",
        longest_find <= FIND_SECONDS,
    )  # fmt: skip
    report.add(
        "SIGTERM ends the server, while the name server hangs", f"{ended:.1f} s, exit code {code}", f"{END_SECONDS:g} s",
        ended <= END_SECONDS and code == 0,
    )  # fmt: skip
    return report
