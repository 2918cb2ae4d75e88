"""The rooms' place in the name server: taken, kept, given back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from Pyro5 import config
from Pyro5.api import Proxy, locate_ns

import pyrochat
from pyrochat import NameServerNotFound, NameServerRefused, RoomNotFound, Server
from pyrochat.pyro.embedded import EmbeddedNameServer
from pyrochat.pyro.naming import NameServer
from pyrochat.room import registration
from pyrochat.room.registration import Registration
from tests.support import QUICK, eventually, free_port, stumbling


@pytest.fixture(autouse=True)
def nameserver_port(monkeypatch: pytest.MonkeyPatch) -> int:
    """A port of its own for the name server of each test."""
    port = free_port()
    monkeypatch.setattr(config, "NS_PORT", port)
    return port


@pytest.fixture
def nameserver(nameserver_port: int) -> Iterator[NameServer]:
    embedded = EmbeddedNameServer("localhost", nameserver_port)
    yield NameServer()
    embedded.close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def host_(*rooms: str, data: str = "data") -> Server:
        servers.append(pyrochat.host(list(rooms), tmp_path / data, timing=QUICK))
        return servers[-1]

    yield host_
    for server in servers:
        server.close()


def test_without_a_name_server_the_room_starts_one(host: Callable[..., Server], nameserver_port: int) -> None:
    with pytest.raises(NameServerNotFound):
        pyrochat.join("Ana")
    server = host("lobby")
    assert server.started_nameserver == f"localhost:{nameserver_port}"
    with pyrochat.join("Ana", timing=QUICK) as ana:
        assert ana.send("hi").id == 2
    server.close()
    assert not NameServer().is_there()


def test_rooms_are_found_by_name_by_us_and_by_stock_pyro5(
    host: Callable[..., Server], nameserver: NameServer, nameserver_port: int
) -> None:
    server = host("lobby", "Küche")
    assert server.started_nameserver is None
    assert set(nameserver.entries("pyrochat.")) == {"pyrochat.lobby", "pyrochat.Küche", "pyrochat.server"}
    with locate_ns("localhost", nameserver_port) as stock, Proxy(stock.lookup("pyrochat.Küche")) as proxy:
        proxy._pyroHandshake = {"name": "Erick"}
        assert proxy.post("hi")[1] == "Küche"
    with pyrochat.join("Ana", room="KÜCHE", timing=QUICK) as ana:
        assert [m.text for m in ana.history()] == ["hi", "Ana joined"]
    with pytest.raises(RoomNotFound, match="it knows Küche, lobby"):
        pyrochat.join("Ana", room="attic")


def test_names_are_given_back_at_the_end(host: Callable[..., Server], nameserver: NameServer) -> None:
    host("lobby").close()
    assert nameserver.entries("pyrochat.") == {}


def test_a_room_that_is_served_elsewhere_is_refused(host: Callable[..., Server], nameserver: NameServer) -> None:
    first = host("lobby")
    with pytest.raises(NameServerRefused, match=r"is served at .* already"):
        host("lobby", data="other")
    assert nameserver.lookup("pyrochat.lobby")[1] == first.port


def test_two_servers_with_different_rooms_share_a_name_server(
    host: Callable[..., Server], nameserver: NameServer
) -> None:
    first, second = host("lobby"), host("kitchen", data="other")
    assert nameserver.lookup("pyrochat.lobby")[1] == first.port
    assert nameserver.lookup("pyrochat.kitchen")[1] == second.port
    second.close()
    assert set(nameserver.entries("pyrochat.")) == {"pyrochat.lobby", "pyrochat.server"}


def test_the_entry_of_a_server_that_has_died_is_taken_over(host: Callable[..., Server], nameserver: NameServer) -> None:
    nameserver.register("pyrochat.lobby", f"PYRO:pyrochat.lobby@localhost:{free_port()}")
    server = host("lobby")
    assert nameserver.lookup("pyrochat.lobby")[1] == server.port


def test_a_name_server_that_was_restarted_knows_the_rooms_again(
    host: Callable[..., Server], nameserver_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registration, "CHECK_SECONDS", 0.05)
    first = EmbeddedNameServer("localhost", nameserver_port)
    server = host("lobby")
    first.close()
    second = EmbeddedNameServer("localhost", nameserver_port)
    try:
        eventually(lambda: NameServer().entries("pyrochat.lobby"))
        assert NameServer().lookup("pyrochat.lobby")[1] == server.port
    finally:
        second.close()


def test_found_10_whatever_the_registration_stumbles_over_it_keeps_the_names(
    nameserver: NameServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(registration, "CHECK_SECONDS", 0.01)
    kind = stumbling(Registration, "_check", times=3, error=SystemExit(1))
    uris = {"lobby": "PYRO:pyrochat.lobby@localhost:1"}
    kept = kind(uris, "PYRO:pyrochat.server@localhost:1", ("localhost", 1), "localhost")
    try:
        nameserver.remove("pyrochat.lobby", ("localhost", 1))
        eventually(lambda: "pyrochat.lobby" in nameserver.entries("pyrochat."))
    finally:
        kept.close()
    assert kind.stumbles == 3  # type: ignore[attr-defined]
    assert any(record.exc_info for record in caplog.records)
