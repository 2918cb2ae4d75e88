"""Clients of a room that several servers have: they know all addresses, and go to the next one with the same session."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from Pyro5 import config

from pyrochat import Chat, SendTimeout, Server, UntrustedServer, join
from pyrochat.client.joining import open_poster
from pyrochat.core.space import Storage
from pyrochat.pyro.connection import shut_down
from pyrochat.pyro.embedded import EmbeddedNameServer
from pyrochat.pyro.naming import NameServer
from pyrochat.room.door.door import Access
from pyrochat.trust.keys import Key
from pyrochat.values.errors import DiskFull
from tests.orders.streams import MemoryNetwork, cluster_in
from tests.support import QUICK, QUICK_PACE, Running, changes, eventually, free_port, texts


@pytest.fixture
def nameserver(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedNameServer]:
    monkeypatch.setattr(config, "NS_PORT", port := free_port())
    with contextlib.closing(EmbeddedNameServer("localhost", port)) as nameserver:
        yield nameserver


@pytest.fixture
def network() -> Iterator[MemoryNetwork]:
    with contextlib.closing(MemoryNetwork()) as network:
        yield network


Start = Callable[..., Server]


@pytest.fixture
def start(network: MemoryNetwork, tmp_path: Path) -> Iterator[Start]:
    """Starts the server of the machine that is named; all are closed at the end."""
    key, servers = Key.made(), []

    def start_(label: str, *, nameserver: bool = False, **options: Any) -> Server:
        servers.append(
            Server(
                ["lobby"], tmp_path / label, nameserver=nameserver, cluster=cluster_in(network, label, 3), key=key,
                timing=QUICK, pace=QUICK_PACE, look_seconds=0.05, access=Access(new_rooms="members"), **options,
            )
        )  # fmt: skip
        return servers[-1]

    yield start_
    for server in servers:
        server.close()


@pytest.fixture
def three(start: Start) -> list[Server]:
    return met([start(label) for label in "abc"])


def met(servers: list[Server]) -> list[Server]:
    """When they know of each other."""
    eventually(lambda: all(len(server._rooms.addresses()) == len(servers) for server in servers))
    return servers


@pytest.fixture
def ana(three: list[Server]) -> Iterator[Chat]:
    """At the first of three servers, whose address is the only one that she was given."""
    with join("Ana", at=three[0].at, timing=QUICK) as chat:
        yield chat


def told(chat: Chat) -> list[tuple[str, str]]:
    """What the chat says of its state, from now on."""
    states: list[tuple[str, str]] = []
    chat.on_state(lambda state, reason: states.append((state, reason)))
    return states


def order_of(server: Server) -> Any:
    [room] = server._rooms.open_ones
    return room._order


def test_a_lost_connection_is_made_anew_with_another_server_and_the_state_says_so(
    ana: Chat, three: list[Server]
) -> None:
    states = told(ana)
    shut_down(ana._session._remote._connection.sock)  # type: ignore[union-attr]
    assert ana.send("here").text == "here"
    eventually(lambda: [state for state, _ in states] == ["reconnecting", "connected"])
    next_one = three[1].at
    assert states[0][1] == f"{three[0].at} is gone; trying {next_one}"
    assert ana.at == next_one
    assert changes(ana.history()) == ["Ana joined"]


def test_what_a_server_says_at_its_end_is_told_with_where_we_go(ana: Chat, three: list[Server]) -> None:
    states = told(ana)
    three[0].close("back in a minute")
    eventually(lambda: [state for state, _ in states] == ["reconnecting", "connected"])
    assert states[0] == ("reconnecting", f"back in a minute; trying {three[1].at}")


def test_servers_that_let_nobody_in_are_passed_and_that_is_told(ana: Chat, three: list[Server]) -> None:
    states = told(ana)
    three[1].close()
    three[0].close()
    assert ana.send("at the third").text == "at the third"
    assert ana.at == three[2].at
    eventually(lambda: [state for state, _ in states] == ["reconnecting", "reconnecting", "connected"])
    assert states[1][1].endswith(f"; trying {three[2].at}")
    assert three[1].at in states[1][1]


def test_all_addresses_are_tried_until_one_is_there_again(start: Start, ana: Chat, three: list[Server]) -> None:
    port = three[2].port
    for server in three:
        server.close()
    sending = Running(lambda: ana.send("patient"))
    eventually(lambda: ana.state == "reconnecting")
    start("c", port=port)
    sending.result()
    assert ana.at == three[2].at, "which she was never given"
    assert texts(ana.history()) == ["patient"]


def test_a_server_that_is_being_stopped_is_left_at_once(ana: Chat, three: list[Server]) -> None:
    order_of(three[0]).close()  # it answers room-closing, and its connections stay
    assert ana.send("two").text == "two"
    assert ana.at == three[1].at
    assert changes(ana.history()) == ["Ana joined"]


def cut_off(server: Server) -> None:
    """What *server* publishes goes nowhere, which it says soon."""
    order_of(server)._stream.is_silent = True
    order_of(server)._outgoing._patience = 0.1


def test_a_server_that_is_cut_off_is_left_and_what_it_did_not_take_appears_once(ana: Chat, three: list[Server]) -> None:
    ana._outbox._patience_seconds = 0.3
    notices: list[str] = []
    ana.on_notice(notices.append)
    states = told(ana)
    cut_off(three[0])
    assert ana.send("once").text == "once"
    assert ana.at == three[1].at
    order_of(three[0])._stream.late()  # it comes after all
    ana.send("after")
    assert texts(ana.history()) == ["once", "after"]
    assert len([notice for notice in notices if "goes out by itself" in notice]) == 1
    assert states[0][1].endswith(f"; trying {three[1].at}")
    assert changes(ana.history()) == ["Ana joined"]


def test_where_no_other_server_answers_nobody_leaves_for_one(ana: Chat, three: list[Server]) -> None:
    states = told(ana)
    for server in three[1:]:
        server.close()
    ana._session.move_on("it can't get anything into the log")
    assert ana.send("still here").text == "still here"
    assert (ana.at, states) == (three[0].at, [])


def test_a_send_that_no_server_takes_ends_with_its_time_and_appears_when_one_does(
    ana: Chat, three: list[Server]
) -> None:
    ana._outbox._patience_seconds = 0.1
    cut_off(three[0])
    for server in three[1:]:
        server.close()
    with pytest.raises(SendTimeout, match="sending it again with its key is safe"):
        ana.send("in vain", timeout=1.5)
    eventually(lambda: ana.state == "connected")
    order_of(three[0])._stream.is_silent = False
    eventually(lambda: texts(ana.history()) == ["in vain"])


def test_a_room_beside_is_joined_where_we_are_now(ana: Chat, three: list[Server]) -> None:
    ana.create_room("garden")
    eventually(lambda: all("garden" in server.rooms for server in three))
    three[0].close()
    with ana.join_room("garden") as garden:
        assert garden.send("here").room == "garden"
        assert garden.at == three[1].at


def test_a_chat_that_found_its_room_by_name_goes_on_when_the_name_server_is_gone(
    start: Start, nameserver: EmbeddedNameServer
) -> None:
    servers = met([start(label, nameserver=True) for label in "abc"])
    with join("Ana", timing=QUICK) as ana:
        assert ana.at == servers[0].at
        nameserver.close()
        for server, after in itertools.pairwise(servers):
            server.close()
            eventually(lambda after=after: ana.at == after.at)  # type: ignore[misc]
            assert ana.send(after.at).text == after.at


def test_the_first_join_by_name_passes_a_server_that_is_gone(start: Start, nameserver: EmbeddedNameServer) -> None:
    server = start("a", nameserver=True)
    NameServer().register({"pyrochat.lobby": f"PYRO:pyrochat.lobby@localhost:{free_port()}"})
    with join("Ana", timing=QUICK) as ana:
        assert ana.at == server.at


def test_who_only_posts_goes_to_the_next_server_too(three: list[Server]) -> None:
    with open_poster("Ana", at=",".join(server.at for server in three)) as poster:
        cut_off(three[0])
        [message] = poster.post(["posted"])
        assert message.text == "posted"
        three[1].close()
        assert [m.text for m in poster.post(["again"])] == ["again"]


def test_a_server_whose_disk_is_full_is_left_and_where_all_are_full_it_is_said(start: Start) -> None:
    full = Storage(disk_reserve=1 << 60)
    servers = met([start("a", storage=full), start("b")])
    with join("Ana", at=servers[0].at, timing=QUICK) as ana:
        assert ana.send("here").text == "here"
        assert ana.at == servers[1].at
        servers[1].close()
        eventually(lambda: ana.state == "connected" and ana.at == servers[0].at)
        with pytest.raises(DiskFull):
            ana.send("nowhere")


def test_a_room_by_name_is_joined_without_the_name_server_by_the_addresses_of_the_last_time(
    start: Start, nameserver: EmbeddedNameServer, config_dir: Path
) -> None:
    servers = met([start(label, nameserver=True) for label in "ab"])
    with join("Ana", timing=QUICK) as ana:
        log_id = ana.log_id
    nameserver.close()
    servers[0].close()
    with join("Ana", room="LOBBY", timing=QUICK) as ana:
        assert ana.at == servers[1].at
        assert (ana.log_id, ana.replaced_log_id) == (log_id, "")
    with open_poster("Ana") as poster:
        assert [m.text for m in poster.post(["posted"])] == ["posted"]
    known = json.loads((config_dir / "known_servers.json").read_text())
    [entry] = known.values()
    assert entry["addresses"] == [servers[1].at]
    entry["key"] = "00" * 32
    (config_dir / "known_servers.json").write_text(json.dumps(known))
    with pytest.raises(UntrustedServer):
        join("Ana", timing=QUICK)
