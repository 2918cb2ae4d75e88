"""Several servers of the same rooms in the name server: each under a name of its own, one of them under the room's."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from Pyro5 import config
from Pyro5.api import locate_ns

import pyrochat
from pyrochat import NameServerRefused, RoomNotFound, Server
from pyrochat.pyro.embedded import EmbeddedNameServer
from pyrochat.pyro.naming import NameServer
from pyrochat.pyro.probing import look
from pyrochat.room.registration import Registration
from pyrochat.values.addresses import Address, shown_address
from tests.support import QUICK, address_of, eventually, free_port

Keep = Callable[..., Registration]


@pytest.fixture
def nameserver(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    port = free_port()
    monkeypatch.setattr(config, "NS_PORT", port)
    embedded = EmbeddedNameServer("localhost", port)
    yield NameServer()
    embedded.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """A server of the lobby that is not registered: all of them have one key, but for those that are told another."""
    servers: list[Server] = []

    def serve(key: str = "key.pem", **options: object) -> Server:
        data = tmp_path / f"data{len(servers)}"
        servers.append(Server(["lobby"], data, nameserver=False, timing=QUICK, key_file=tmp_path / key, **options))  # type: ignore[arg-type]
        return servers[-1]

    yield serve
    for server in servers:
        server.close()


@pytest.fixture
def keep() -> Iterator[Keep]:
    """Keeps the lobby of a server registered: ``keep(server, site)``."""
    kept: list[Registration] = []

    def keep(server: Server, site: str | None, check_seconds: float = 0.02) -> Registration:
        key = look(address_of(server), "pyrochat.server").server_key
        kept.append(
            Registration(
                {"lobby": server.uri("lobby")}, f"PYRO:pyrochat.server@{server.at}", address_of(server), key,
                "localhost", site=site, check_seconds=check_seconds, probe_seconds=0.2,
            )
        )  # fmt: skip
        return kept[-1]

    yield keep
    for registration in kept:
        registration.close()


def leads_to(name: str, server: Server) -> bool:
    return NameServer().entries("pyrochat.").get(name) == address_of(server)


def sites() -> set[Address]:
    """Where the lobby is, as the name server's metadata say."""
    _, found = NameServer().listed("pyrochat.")
    assert set(found) <= {"pyrochat.lobby"}
    return set(found.get("pyrochat.lobby", ()))


def test_each_server_is_registered_by_its_site_and_the_first_by_the_rooms_name(
    serve: Callable[..., Server], keep: Keep, nameserver: NameServer
) -> None:
    first, second = serve(), serve()
    keep(first, "a.example:6222")
    keep(second, "b")
    assert leads_to("pyrochat.lobby", first)
    assert leads_to("pyrochat.server", first)
    with locate_ns("localhost", config.NS_PORT) as stock:
        found = stock.yplookup(meta_all={"pyrochat.room:lobby"}, return_metadata=False)
    assert found == {
        "pyrochat.lobby@a.example:6222": first.uri("lobby"),
        "pyrochat.lobby@b": second.uri("lobby"),
    }


def test_sites_are_no_rooms_for_those_who_look_for_one(
    serve: Callable[..., Server], keep: Keep, nameserver: NameServer
) -> None:
    keep(serve(), "a")
    assert set(nameserver.entries("pyrochat.")) == {"pyrochat.lobby", "pyrochat.server"}
    with pytest.raises(RoomNotFound, match=r"it knows lobby$"):
        pyrochat.join("Ana", room="attic")
    with pyrochat.join("Ana", room="LOBBY", timing=QUICK) as ana:
        assert ana.send("hi").room == "lobby"


def test_no_room_can_have_the_name_of_a_site() -> None:
    with pytest.raises(pyrochat.InvalidRoomName):
        pyrochat.join("Ana", room="lobby@a")


def test_a_site_that_is_missing_or_leads_to_another_place_is_written_again(
    serve: Callable[..., Server], keep: Keep, nameserver: NameServer
) -> None:
    server = serve()
    keep(server, "a")
    nameserver.remove(["pyrochat.lobby@a", "pyrochat.lobby"], address_of(server))
    eventually(lambda: sites() == {address_of(server)} and leads_to("pyrochat.lobby", server))
    nameserver.register({"pyrochat.lobby@a": "PYRO:pyrochat.lobby@localhost:1"}, {"pyrochat.lobby@a": "lobby"})
    eventually(lambda: sites() == {address_of(server)})


def test_when_the_one_with_the_rooms_name_has_died_another_takes_it(
    serve: Callable[..., Server], keep: Keep, nameserver: NameServer, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = serve(), serve()
    for name in ("pyrochat.lobby", "pyrochat.server"):
        nameserver.register({name: f"PYRO:{name}@{first.at}"})
    with caplog.at_level(logging.WARNING):
        keep(second, "b")
        assert leads_to("pyrochat.lobby", first), "a sibling that lives keeps the name"
        first.close()
        eventually(lambda: leads_to("pyrochat.lobby", second) and leads_to("pyrochat.server", second))
    assert caplog.records == [], "a sibling is no reason to warn"


def test_a_sibling_that_hangs_does_not_keep_the_name(
    serve: Callable[..., Server], keep: Keep, nameserver: NameServer
) -> None:
    second, third = serve(), serve()
    with socket.create_server(("localhost", 0)) as hanging:
        where = f"PYRO:pyrochat.lobby@{shown_address(hanging.getsockname()[:2])}"
        nameserver.register({"pyrochat.lobby@a": where}, {"pyrochat.lobby@a": "lobby"})
        nameserver.register({"pyrochat.lobby": where})
        keep(second, "b")
        assert leads_to("pyrochat.lobby", second), "at the start"
        keep(third, "c")
        nameserver.register({"pyrochat.lobby": where})
        eventually(lambda: leads_to("pyrochat.lobby", second) or leads_to("pyrochat.lobby", third))


def test_at_a_clean_end_the_rooms_name_goes_to_a_sibling_that_lives_and_to_nobody_at_the_last(
    serve: Callable[..., Server], keep: Keep, nameserver: NameServer
) -> None:
    nameserver.register(
        {"pyrochat.lobby@dead": f"PYRO:pyrochat.lobby@localhost:{free_port()}"}, {"pyrochat.lobby@dead": "lobby"}
    )
    first, second = serve(), serve()
    ending = keep(first, "a", check_seconds=60.0)
    last = keep(second, "b", check_seconds=60.0)
    ending.close()
    assert leads_to("pyrochat.lobby", second)
    assert leads_to("pyrochat.server", second)
    assert address_of(first) not in sites()
    last.close()
    assert nameserver.entries("pyrochat.") == {}


def test_a_server_with_another_key_is_refused_and_leaves_nothing(
    serve: Callable[..., Server], keep: Keep, nameserver: NameServer
) -> None:
    ours, strange = serve(), serve("other.pem")
    kept = keep(ours, "a")
    with pytest.raises(NameServerRefused, match=r"is served at .* already"):
        keep(strange, "b")
    refused = kept.add({"lobby": ours.uri("lobby")})
    assert refused == {}
    assert sites() == {address_of(ours)}


def test_a_room_that_is_refused_has_no_site_either(
    serve: Callable[..., Server], keep: Keep, nameserver: NameServer
) -> None:
    ours = serve()
    kept = keep(ours, "a")
    with pyrochat.host("tea", ours.data.parent / "tea", nameserver=False, timing=QUICK) as tea:
        nameserver.register({"pyrochat.tea": tea.uri("tea")})
        assert list(kept.add({"tea": f"PYRO:pyrochat.tea@{ours.at}"})) == ["tea"]
    _, found = nameserver.listed("pyrochat.")
    assert set(found) == {"pyrochat.lobby"}


def test_a_room_that_is_withdrawn_has_no_name_and_no_site(
    serve: Callable[..., Server], keep: Keep, nameserver: NameServer
) -> None:
    server = serve()
    keep(server, "a").withdraw("lobby")
    assert nameserver.listed("pyrochat.") == ({"pyrochat.server": address_of(server)}, {})
