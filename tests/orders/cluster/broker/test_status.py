"""What the status says of a cluster: who leads, who lags, what can still fail."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyrochat.orders.cluster.broker.connecting import options
from pyrochat.orders.cluster.broker.looking import NOT_LISTED, look, stream_status, ways_by, ways_to
from pyrochat.orders.cluster.broker.nodes import Node
from pyrochat.orders.cluster.broker.status import BrokerStatus, ClusterStatus, Copy, StreamStatus
from tests.orders.cluster.broker.brokers import SECRET, SPACE, Machines, free_ports
from tests.support import Running, eventually

# -- what is concluded -------------------------------------------------------------------------------------------


def cluster(answering: int, count: int, *current: int, syncs: bool = True) -> ClusterStatus:
    """*count* brokers, of which *answering* answer; of each stream, which all keep, so many copies are *current*."""
    brokers = [BrokerStatus(f"b{n}", "2.15.1" if n < answering else None, syncs=syncs) for n in range(count)]
    streams = [
        StreamStatus(f"s{n}", 1, "b0", tuple(Copy(f"b{k}", k < good) for k in range(count)))
        for n, good in enumerate(current)
    ]
    return ClusterStatus(tuple(brokers), tuple(streams))


@pytest.mark.parametrize(
    ("status", "spare", "said"),
    [
        (cluster(3, 3, 3), 1, ["1 machine may fail"]),
        (cluster(5, 5, 5), 2, ["2 machines may fail"]),
        (cluster(3, 3), 1, ["1 machine may fail"]),
        (cluster(2, 3, 2), 0, ["no machine may fail now", "not all copies of s0 are current"]),
        (cluster(3, 3, 3, 2), 0, ["no machine may fail now", "not all copies of s1 are current"]),
        (cluster(3, 3, 1, 3), -1, ["no majority of the copies of s0 is current, or nobody leads them yet: wait"]),
        (cluster(1, 3), -1, ["no majority: 1 of 3 machines answer, 2 are needed; nothing is stored"]),
        (cluster(0, 3), -2, ["no majority: 0 of 3 machines answer, 2 are needed; nothing is stored"]),
        (cluster(1, 1, 1), 0, ["there is one machine only: nothing goes on without it"]),
        (cluster(2, 2, 2), 0, ["no machine may fail now"]),
    ],
)
def test_what_can_still_fail(status: ClusterStatus, spare: int, said: list[str]) -> None:
    assert status.spare == spare
    assert status.outlook == said


def test_brokers_that_lose_in_a_power_cut_what_they_have_acknowledged_are_named() -> None:
    (said,) = cluster(1, 1, syncs=False).outlook[1:]
    assert said == "a power cut may lose what is acknowledged: set sync_interval: always at b0"


# -- what brokers say --------------------------------------------------------------------------------------------


def said_by(leader: str | None, *others: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "x_S", "state": {"messages": 7}, "cluster": {"leader": leader, "replicas": list(others)}, **more}


B, C = {"name": "b", "current": True, "active": 1}, {"name": "c", "current": True, "active": 1}
ALL = {"a", "b", "c"}


def test_a_leader_knows_its_copies() -> None:
    found = stream_status(said_by("a", B, {**C, "current": False, "lag": 5}), "a", ALL)
    assert found == StreamStatus("x_S", 7, "a", (Copy("a", True), Copy("b", True), Copy("c", False, 5)))


@pytest.mark.parametrize("away", [{"offline": True}, {"active": 6_000_000_000}, {"current": False}])
def test_a_copy_that_is_away_is_not_current(away: dict[str, Any]) -> None:
    assert stream_status(said_by("a", B, {**C, **away}), "a", ALL).copies[2] == Copy("c", False)


def test_a_copy_of_a_machine_that_was_taken_off_the_list_is_said_to_be_one() -> None:
    gone = {"name": "Server name unknown at this time (peerID: rileRijc)", "current": False, "offline": True}
    assert Copy(NOT_LISTED, False) in stream_status(said_by("a", B, gone), "a", ALL).copies


def test_who_leads_no_majority_does_not_lead() -> None:
    """One that was cut off believes for 10 s that it does."""
    silent = {"active": 6_000_000_000}
    assert stream_status(said_by("a", {**B, **silent}, {**C, **silent}), "a", ALL).leader is None


def test_what_a_follower_says_of_copies_is_not_looked_at() -> None:
    found = stream_status(said_by("b", {**B, "current": False}, {**C, "current": False}), "a", {"a", "c"})
    assert found == StreamStatus("x_S", 7, None, (Copy("a", True), Copy("b", False), Copy("c", True)))


def test_a_stream_that_is_kept_once_has_nobody_to_lead_it() -> None:
    said = {"name": "x_S", "state": {"messages": 7}}
    assert stream_status(said, "a", {"a"}) == StreamStatus("x_S", 7, "a", (Copy("a", True),))


def test_asked_through_another_broker_the_leader_answers() -> None:
    said = said_by("b", {"name": "a", "current": True, "active": 1}, C, config={"name": "x_S"})
    del said["name"]
    assert stream_status(said, "a", ALL).leader == "b"


def test_a_stream_that_nobody_leads_is_there_all_the_same() -> None:
    assert stream_status({"name": "x_S"}, "a", ALL) == StreamStatus("x_S", None, None, ())


# -- real brokers ------------------------------------------------------------------------------------------------


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    with contextlib.closing(Machines(tmp_path)) as three:
        yield three


def looked(machines: Machines, own: bool) -> ClusterStatus:
    """As it looks with the system account, or without."""
    ways = ways_to(machines.nodes, SECRET) if own else ways_by(options(machines.nodes, None, SECRET))
    found = Running(lambda: look(ways, SPACE)).result()
    assert isinstance(found, ClusterStatus)
    return found


def is_whole(status: ClusterStatus) -> bool:
    return status.spare == 1 and any(broker.leads for broker in status.brokers) and len(status.streams) == 1


def test_it_says_how_three_machines_are_and_what_is_left_without_them(machines: Machines) -> None:
    names = [node.name for node in machines.nodes]
    eventually(lambda: is_whole(looked(machines, True)))
    whole = looked(machines, True)
    assert [broker.name for broker in whole.brokers] == names
    assert all(broker.version and broker.syncs for broker in whole.brokers)
    assert sum(broker.leads for broker in whole.brokers) == 1
    assert [copy.broker for copy in whole.streams[0].copies] == names
    assert whole.streams[0].leader in names
    outside = looked(machines, False)
    assert (outside.streams, outside.spare) == (whole.streams, 1)

    leading = {whole.streams[0].leader, *(broker.name for broker in whole.brokers if broker.leads)}
    stopped, ended, left = sorted(range(3), key=lambda number: names[number] in leading)  # who leads nothing first
    pid = machines.children[stopped].pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        for own in (True, False):
            two = looked(machines, own)
            assert two.brokers[stopped].version is None
            assert two.brokers[stopped].trouble == "it does not answer"
            assert two.spare == 0
        machines.children[ended].close()
        for own in (True, False):
            one = looked(machines, own)
            assert [number for number in range(3) if one.brokers[number].version is not None] == [left]
            assert one.brokers[ended].trouble == "connection refused"
            assert one.outlook == ["no majority: 1 of 3 machines answer, 2 are needed; nothing is stored"]
        assert [stream.leader for stream in looked(machines, True).streams] == [None]
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_cluster_that_is_not_there_is_a_status_too() -> None:
    node = Node("127.0.0.1", free_ports(("127.0.0.1",)))
    found = look(ways_to([node], SECRET), SPACE)
    assert found.brokers == (BrokerStatus(node.name, trouble="connection refused"),)
    assert found.spare == -1
