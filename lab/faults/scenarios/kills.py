"""kill -9 of the server under load: nothing is lost, nothing is twice, and everybody is back soon."""

import random
import time
from collections.abc import Callable

from lab.faults.cluster import Cluster
from lab.faults.report import Report, percentile

BACK_SECONDS = 5.0
_START_SECONDS = 60.0
_PATIENCE_SECONDS = 30.0


def run(cluster: Cluster, progress: Callable[[str], None], seed: int, count: int, senders: int, rate: float) -> Report:
    """Kill the server *count* times, at moments drawn from *seed*."""
    report = Report(f"{count} times kill -9 of the server, {senders} senders with {rate:g} messages/s each")
    draw = random.Random(seed)
    cluster.serve()
    for number in range(senders):
        cluster.start_recorder(f"sender{number}", every=1.0 / rate)
    cluster.wait_until_back(0, _START_SECONDS)
    connected: list[float] = []  # seconds from "ready" until a client was connected
    acknowledged: list[float] = []  # seconds from "ready" until all had been acknowledged again
    for number in range(count):
        progress(f"kill {number + 1} of {count}")
        time.sleep(draw.uniform(0.05, 1.0))
        assert cluster.server is not None
        cluster.server.kill()
        report.faults["server killed"] += 1
        ready = cluster.serve()
        cluster.wait_until_back(ready, _PATIENCE_SECONDS)
        acknowledged.append((time.monotonic_ns() - ready) / 1e9)
        connected += [max(0.0, (status.connected_at - ready) / 1e9) for status in cluster.statuses()]
    progress("everybody is to have everything")
    cluster.settle()
    progress("the checker looks at the history")
    report.check(cluster.history())
    longest = max(connected)
    report.add("a client is connected again after (p50)", f"{percentile(connected, 0.5):.2f} s")
    report.add("… at the latest", f"{longest:.2f} s", f"{BACK_SECONDS:g} s", longest < BACK_SECONDS)
    longest = max(acknowledged)
    report.add(
        "all clients are acknowledged again after", f"{longest:.2f} s", f"{BACK_SECONDS:g} s", longest < BACK_SECONDS
    )
    return report
