"""The disk is full, by a limit on the size of the server's files: a clear error, and no lie.

Each round: the limit, until every sender was refused; then it is lifted. Before every second round the
server is killed under load, so that answers get lost, and their sends are repeated on the full disk: what
is stored must not be called refused. At the end it is killed while the limit holds, and what it has
acknowledged has to be in the file as it is.
"""

import time
from collections.abc import Callable
from functools import partial

from lab.faults.cluster import Cluster
from lab.faults.events import OK
from lab.faults.history import load
from lab.faults.report import Report
from lab.processes import eventually

REFUSAL = "log-unavailable"
BACK_SECONDS = 5.0
_SENDERS = 6
_EVERY_SECONDS = 0.005
_START_SECONDS = 60.0
_HOLD_SECONDS = 1.0


def run(cluster: Cluster, progress: Callable[[str], None], rounds: int) -> Report:
    """Fill the disk *rounds* times, and once more with the server killed meanwhile."""
    report = Report(f"{rounds + 1} times no file of the server may grow")
    cluster.serve()
    for number in range(_SENDERS):
        cluster.start_recorder(f"sender{number}", every=_EVERY_SECONDS)
    cluster.wait_until_back(0, _START_SECONDS)
    longest, missing, codes, died = 0.0, 0, set[str](), 0
    for number in range(rounds + 1):
        progress(f"full, {number + 1} of {rounds + 1}")
        failed = {status.client: status.failed for status in cluster.statuses()}
        if number % 2:
            _kill(cluster)
            cluster.serve()
        cluster.limit_file_size(0 if number % 2 else _wal_size(cluster) + 16_384)
        report.faults["disk full"] += 1
        told = "every sender is told that its message could not be stored"
        eventually(partial(_all_refused, cluster, failed), 30.0, told)
        codes |= {status.code for status in cluster.statuses()}
        time.sleep(_HOLD_SECONDS)
        died += cluster.server is None or not cluster.server.is_running
        if number == rounds:
            _kill(cluster)
            missing += _missing_on_disk(cluster)
            over = cluster.serve()
        else:
            cluster.limit_file_size(None)
            over = time.monotonic_ns()
        cluster.wait_until_back(over, _START_SECONDS)
        longest = max(longest, (time.monotonic_ns() - over) / 1e9)
    progress("everybody is to have everything")
    cluster.settle()
    report.check(cluster.history())
    report.add("what senders are told", ", ".join(sorted(codes)), REFUSAL, codes == {REFUSAL})
    report.add("acknowledged, and not in the file after kill -9", str(missing), "0", missing == 0)
    report.add("times that the server ended over it", str(died), "0", died == 0)
    report.add(
        "all senders are acknowledged again after", f"{longest:.2f} s", f"{BACK_SECONDS:g} s", longest < BACK_SECONDS
    )
    return report


def _kill(cluster: Cluster) -> None:
    assert cluster.server is not None
    cluster.server.kill()


def _all_refused(cluster: Cluster, failed: dict[str, int]) -> bool:
    """Whether every sender has more failures than it had."""
    return all(status.failed > failed[status.client] for status in cluster.statuses())


def _wal_size(cluster: Cluster) -> int:
    wal = cluster.log_of(cluster.rooms[0]).with_suffix(".sqlite3-wal")
    return wal.stat().st_size if wal.exists() else 0


def _missing_on_disk(cluster: Cluster) -> int:
    room = cluster.rooms[0]
    stored = {content.text for content in cluster.replica_on_disk(room).contents}
    history = load(sorted(cluster.histories.glob("*.jsonl")))
    return sum(send.outcome == OK and send.text not in stored for send in history.sends)
