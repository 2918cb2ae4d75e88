"""``pyrochat-server --cluster-status`` as an operator reads it."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from pyrochat.commands.cluster import ClusterOptions
from pyrochat.commands.cluster_status import machines_table, show_cluster, streams_table
from pyrochat.commands.shell import FAILED
from pyrochat.orders.cluster.broker.status import BrokerStatus, Copy, StreamStatus
from pyrochat.orders.cluster.liveness import Peer
from tests.orders.cluster.broker.brokers import free_ports


def lines(table: Table) -> list[list[str]]:
    """What is printed, by columns: two spaces or more stand between two."""
    console = Console(width=200)
    with console.capture() as captured:
        console.print(table)
    return [[part.strip() for part in line.split("  ") if part.strip()] for line in captured.get().splitlines()]


def peer(label: str, at: str) -> Peer:
    return Peer(f"{label}/1", label, at, 1, {})


def test_a_machine_stands_there_with_its_room_server() -> None:
    brokers = (
        BrokerStatus("a:6222", "2.15.1", leads=True), BrokerStatus("b:6222", trouble="connection refused"),
        BrokerStatus("[::1]:6222", "2.15.1"),
    )  # fmt: skip
    peers = [peer("::1", "[::1]:5679"), peer("a", "a:5679"), peer("elsewhere:5679", "elsewhere:5679")]
    assert lines(machines_table(brokers, peers))[1:] == [
        ["a:6222", "2.15.1", "leads", "there", "a:5679"],
        ["b:6222", "not there: connection refused", "not seen"],
        ["[::1]:6222", "2.15.1", "there", "[::1]:5679"],
        ["elsewhere:5679", "there", "elsewhere:5679"],
    ]


def test_a_copy_that_lags_is_named_with_what_it_lacks() -> None:
    copies = (Copy("a", True), Copy("b", False, 1200), Copy("c", False))
    streams = (StreamStatus("room lobby", 12345, "a", copies), StreamStatus("room den", None, None, ()))
    assert lines(streams_table(streams))[1:] == [
        ["room lobby", "12,345", "a", "3", "b by 1,200, c"],
        ["room den", "?", "nobody", "0", "nobody"],
    ]


def test_a_cluster_that_nobody_can_reach_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef")
    secret.chmod(0o600)
    said = ClusterOptions(f"127.0.0.1:{free_ports(('127.0.0.1',))}", secret, None, None, None)
    assert show_cluster(said, tmp_path, 5679) == FAILED
    shown = capsys.readouterr().out
    assert shown.startswith("no broker of the cluster can be reached from here\n")
    assert "not there: connection refused" in shown
    assert shown.endswith("the only machine does not answer; nothing is stored\n")
