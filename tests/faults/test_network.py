"""Where machines are: on loopback without root; what a killed bench has left is told from what a living one uses."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from lab.faults.machines.network import Loopback, is_stale, name_of
from lab.processes import BenchError


def test_machines_on_loopback_have_an_address_each_and_free_ports() -> None:
    network = Loopback()
    assert network.hosts == ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    assert network.before(0) == network.before(None) == []
    for host in network.hosts:
        for port in (network.port, network.route_port):
            socket.create_server((host, port)).close()


def test_machines_on_loopback_can_not_be_cut_off() -> None:
    with pytest.raises(BenchError, match="root"):
        Loopback().cut(0, [1, 2])


def test_only_what_a_process_has_left_that_is_gone_is_stale() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert is_stale(f"{name_of(gone.pid)}-net")
    assert is_stale(name_of(gone.pid))
    assert not is_stale(name_of(os.getpid()))
    assert not is_stale("tmpfs")
    assert not is_stale(str(gone.pid))
