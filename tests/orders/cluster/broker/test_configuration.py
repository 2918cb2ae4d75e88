"""The configuration that a broker of ours gets."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pyrochat.orders.cluster.broker.configuration import Files, configuration
from pyrochat.orders.cluster.broker.nodes import Node
from pyrochat.trust.files import write_private
from tests.orders.cluster.broker.brokers import SECRET, program

THREE = [Node("192.0.2.1"), Node("b.example", 7000), Node("2001:db8::1")]


def lines_of(own: Node, all_nodes: list[Node]) -> list[str]:
    return [line.strip() for line in configuration(own, all_nodes, SECRET, Files(Path("/data/broker"))).splitlines()]


def test_a_broker_listens_at_its_own_address_only() -> None:
    lines = lines_of(THREE[0], THREE)
    assert [line for line in lines if line.startswith(("listen", "http"))] == [
        'listen: "192.0.2.1:6223"', 'http: "127.0.0.1:6224"', 'listen: "192.0.2.1:6222"',
    ]  # fmt: skip


def test_it_goes_to_the_others_with_the_password_of_routes() -> None:
    login = f"nats://routes:{SECRET.password('routes')}@"
    assert f'routes: ["{login}192.0.2.1:6222", "{login}[2001:db8::1]:6222"]' in lines_of(THREE[1], THREE)


def test_clients_and_brokers_have_to_show_a_certificate() -> None:
    lines = [line for line in lines_of(THREE[0], THREE) if line.startswith("tls")]
    assert len(lines) == 2
    assert all("verify: true" in line for line in lines)


def test_what_is_acknowledged_is_on_disk() -> None:
    assert any("sync_interval: always" in line for line in lines_of(THREE[0], THREE))


def test_one_machine_alone_has_nobody_to_meet() -> None:
    lines = lines_of(THREE[0], THREE[:1])
    assert not [
        line for line in lines if "cluster" in line or "routes" in line or ":6222" in line.partition("listen")[2]
    ]


@pytest.mark.parametrize("folder", ["plain", "with space", "olá $HOME", 'a"b\\c'])
@pytest.mark.parametrize("count", [1, 3])
def test_nats_server_understands_it(tmp_path: Path, folder: str, count: int) -> None:
    files = Files(tmp_path / folder)
    issued = SECRET.issued("a", ["192.0.2.1"])
    for path, data in (
        (files.certificate, issued.certificate), (files.key, issued.key), (files.authority, SECRET.authority),
        (files.configuration, configuration(THREE[0], THREE[:count], SECRET, files).encode()),
    ):  # fmt: skip
        write_private(path, data)
    checked = subprocess.run(
        [program(), "-t", "-c", str(files.configuration)], capture_output=True, text=True, timeout=20
    )
    assert checked.returncode == 0, checked.stderr
