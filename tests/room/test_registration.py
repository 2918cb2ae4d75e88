"""The rooms' place in the name server: taken, kept, given back."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from Pyro5 import config
from Pyro5.api import Proxy, locate_ns
from Pyro5.nameserver import start_ns

import pyrochat
from pyrochat import NameServerNotFound, NameServerRefused, RoomNotFound, Server
from pyrochat.pyro.embedded import EmbeddedNameServer
from pyrochat.pyro.naming import NameServer
from pyrochat.pyro.probing import look
from pyrochat.room.registration import Registration
from pyrochat.values.addresses import Address, shown_address
from tests.pyro.test_probing import web_server
from tests.support import QUICK, address_of, eventually, free_port, stumbling


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


def test_where_another_has_just_started_one_that_is_used(
    host: Callable[..., Server], nameserver_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers that are started at once find none, all of them."""
    rivals: list[EmbeddedNameServer] = []

    def later(host: str, port: int) -> EmbeddedNameServer:
        rivals.append(EmbeddedNameServer(host, port))
        return EmbeddedNameServer(host, port)

    monkeypatch.setattr("pyrochat.room.registration.EmbeddedNameServer", later)
    server = host("lobby")
    try:
        assert server.started_nameserver is None
        assert NameServer().lookup("pyrochat.lobby") == address_of(server)
    finally:
        server.close()
        rivals[0].close()


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
    nameserver.register({"pyrochat.lobby": f"PYRO:pyrochat.lobby@localhost:{free_port()}"})
    server = host("lobby")
    assert nameserver.lookup("pyrochat.lobby")[1] == server.port


@pytest.fixture
def keep(server: Server) -> Iterator[Callable[..., Registration]]:
    """Keeps the room of *server* registered, looking around every 20 ms: ``keep(rooms=…, address=…)``."""
    kept: list[Registration] = []

    def keep(rooms: Sequence[str] = ("lobby",), address: Address | None = None) -> Registration:
        where = address or address_of(server)
        uris = {room: f"PYRO:pyrochat.{room}@{shown_address(where)}" for room in rooms}
        key = look(address_of(server), "pyrochat.server").server_key
        kept.append(
            Registration(
                uris, f"PYRO:pyrochat.server@{shown_address(where)}", where, key, "localhost",
                check_seconds=0.02, probe_seconds=1.0,
            )
        )  # fmt: skip
        return kept[-1]

    yield keep
    for registration in kept:
        registration.close()


Keep = Callable[..., Registration]


def leads_to(nameserver: NameServer, address: Address, room: str = "lobby") -> None:
    """Wait until the name server says that *room* is at *address*."""
    name = f"pyrochat.{room}"
    eventually(lambda: nameserver.entries(name).get(name) == address, 10, f"{name} is not at {address}")


def test_a_name_server_that_was_restarted_knows_the_rooms_again(
    keep: Keep, server: Server, nameserver_port: int
) -> None:
    first = EmbeddedNameServer("localhost", nameserver_port)
    keep()
    first.close()
    second = EmbeddedNameServer("localhost", nameserver_port)
    try:
        leads_to(NameServer(), address_of(server))
    finally:
        second.close()


def test_found_10_whatever_the_registration_stumbles_over_it_keeps_the_names(
    nameserver: NameServer, caplog: pytest.LogCaptureFixture
) -> None:
    kind = stumbling(Registration, "_look", times=3, error=SystemExit(1))
    uris = {"lobby": "PYRO:pyrochat.lobby@localhost:1"}
    kept = kind(uris, "PYRO:pyrochat.server@localhost:1", ("localhost", 1), "", "localhost", check_seconds=0.01)
    try:
        nameserver.remove(["pyrochat.lobby"], ("localhost", 1))
        eventually(lambda: "pyrochat.lobby" in nameserver.entries("pyrochat."))
    finally:
        kept.close()
    assert kind.stumbles == 3  # type: ignore[attr-defined]
    assert any(record.exc_info for record in caplog.records)


@pytest.mark.parametrize("where", ["localhost:1", "a..b:5679", "./u:/tmp/socket", "localhost:99999", "\udcff:1"])
def test_found_23_an_entry_that_leads_nowhere_is_mended_while_the_server_runs(
    keep: Keep, server: Server, nameserver: NameServer, where: str
) -> None:
    keep()
    for name in ("pyrochat.lobby", "pyrochat.server"):
        nameserver.register({name: f"PYRO:{name}@{where}".encode(errors="replace").decode()})
    leads_to(nameserver, address_of(server))
    leads_to(nameserver, address_of(server), "server")


def test_found_23_an_entry_that_leads_nowhere_keeps_no_server_from_starting(
    host: Callable[..., Server], nameserver: NameServer
) -> None:
    for number, where in enumerate(["a..b:5679", "./u:/tmp/socket", "localhost:1"]):
        nameserver.register({f"pyrochat.room{number}": f"PYRO:pyrochat.room{number}@{where}"})
        hosted = host(f"room{number}", data=f"data{number}")
        assert nameserver.lookup(f"pyrochat.room{number}")[1] == hosted.port


def test_found_23_a_web_server_at_an_old_entry_keeps_no_server_from_starting(
    host: Callable[..., Server], nameserver: NameServer
) -> None:
    with web_server("HTTP/1.1") as address:
        nameserver.register({"pyrochat.lobby": f"PYRO:pyrochat.lobby@{shown_address(address)}"})
        hosted = host("lobby")
        assert nameserver.lookup("pyrochat.lobby")[1] == hosted.port


def test_found_23_an_entry_that_leads_to_ourselves_by_another_name_is_ours(
    tmp_path: Path, nameserver: NameServer
) -> None:
    """After a start with ``--host 127.0.0.1`` that did not end well, one with ``--host localhost``."""
    port = free_port()
    nameserver.register({"pyrochat.lobby": f"PYRO:pyrochat.lobby@127.0.0.1:{port}"})
    with pyrochat.host("lobby", tmp_path / "data", port=port, timing=QUICK):
        assert nameserver.lookup("pyrochat.lobby") == ("localhost", port)


def test_found_23_another_server_that_is_alive_is_left_its_entry_and_said_once_and_followed_when_it_has_died(
    keep: Keep, server: Server, nameserver: NameServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keep(rooms=["tea", "lobby"])
    ours = address_of(server)
    with pyrochat.host("lobby", tmp_path / "other", nameserver=False, timing=QUICK) as other:
        nameserver.register({"pyrochat.lobby": other.uri("lobby")})
        with caplog.at_level(logging.WARNING):
            for _ in range(3):  # whoever mends this name has looked at the other again
                nameserver.remove(["pyrochat.tea"], ours)
                leads_to(nameserver, ours, "tea")
                nameserver.remove(["pyrochat.tea"], ours)
                leads_to(nameserver, ours, "tea")
        assert nameserver.lookup("pyrochat.lobby") == address_of(other)
        [said] = [r.getMessage() for r in caplog.records]
        assert f"pyrochat.lobby at {other.at}, where another server answers" in said
        assert f'at="{server.at}"' in said
    leads_to(nameserver, ours)


def test_a_name_that_another_server_has_is_not_taken_out_at_the_end(
    keep: Keep, nameserver: NameServer, tmp_path: Path
) -> None:
    registration = keep()
    with pyrochat.host("lobby", tmp_path / "other", nameserver=False, timing=QUICK) as other:
        nameserver.register({"pyrochat.lobby": other.uri("lobby")})
        registration.close()
        assert nameserver.entries("pyrochat.") == {"pyrochat.lobby": address_of(other)}


def test_found_23_a_name_server_that_hung_at_the_start_knows_the_room_when_it_answers(
    keep: Keep, server: Server, nameserver_port: int
) -> None:
    """What a server that was killed has left there is not missing: it has to be seen that it leads nowhere."""
    with socket.create_server(("localhost", nameserver_port)):
        keep()
    back = EmbeddedNameServer("localhost", nameserver_port)
    try:
        NameServer().register({"pyrochat.lobby": f"PYRO:pyrochat.lobby@localhost:{free_port()}"})
        leads_to(NameServer(), address_of(server))
        leads_to(NameServer(), address_of(server), "server")
    finally:
        back.close()


def test_found_43_of_several_servers_one_takes_over_the_name_server_of_one_that_has_ended(
    keep: Keep, server: Server, nameserver_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    first = EmbeddedNameServer("localhost", nameserver_port)
    kept = {room: keep(rooms=[room]) for room in ("tea", "coffee", "cocoa")}
    with caplog.at_level(logging.INFO):
        first.close()
        while kept:  # the heir ends too, and so on, until nobody is left
            for room in kept:
                eventually(lambda room=room: entry(room) == address_of(server))
            [heir] = [room for room, each in kept.items() if each.embedded_at]
            assert kept[heir].embedded_at == f"localhost:{nameserver_port}"
            kept.pop(heir).close()
    assert len([r for r in caplog.records if "it is in this one now" in r.getMessage()]) == 3
    assert not NameServer().is_there()


def entry(room: str) -> Address | None:
    """Where *room* is, as far as there is a name server that knows it."""
    with contextlib.suppress(NameServerNotFound):
        return NameServer().entries("pyrochat.").get(f"pyrochat.{room}")
    return None


def test_found_43_a_name_server_that_was_started_by_itself_is_left_to_its_operator(
    keep: Keep, server: Server, nameserver_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    _, stock, _ = start_ns("localhost", nameserver_port, enableBroadcast=False)
    thread = threading.Thread(target=stock.requestLoop)
    thread.start()
    registration = keep()
    with caplog.at_level(logging.DEBUG, "pyrochat.room.registration"):
        stock.shutdown()
        thread.join()
        stock.close()
        eventually(lambda: len([r for r in caplog.records if "doesn't answer" in r.getMessage()]) > 3)
    assert registration.embedded_at is None
    again = EmbeddedNameServer("localhost", nameserver_port)
    try:
        leads_to(NameServer(), address_of(server))
    finally:
        again.close()


def test_found_23_a_server_with_tls_that_is_alive_keeps_its_name(
    host: Callable[..., Server], nameserver: NameServer, tmp_path: Path
) -> None:
    with pyrochat.host("lobby", tmp_path / "secure", tls=True, timing=QUICK) as secure:
        with pytest.raises(NameServerRefused, match=r"is served at .* already"):
            host("lobby", data="other")
        assert nameserver.lookup("pyrochat.lobby") == address_of(secure)
