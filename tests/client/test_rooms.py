"""Other rooms of the same server: which there are, one more, and joining it as the same member."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

import pyrochat
from pyrochat import ChatClosed, InvalidRoomName, RoomNotFound, Server, UntrustedServer, WrongPassword
from pyrochat.pyro.embedded import EmbeddedNameServer
from pyrochat.pyro.naming import NameServer
from tests.security.support import Host, Join
from tests.support import QUICK, eventually, free_port, texts


@pytest.fixture
def server(host_lobby: Host) -> Server:
    """A server on which members may create rooms."""
    return host_lobby(new_rooms="members")


def test_a_chat_lists_creates_and_joins_rooms(joined: Join) -> None:
    lobby = joined("Erick")
    assert lobby.rooms() == ["lobby"]
    lobby.create_room("coffee")
    lobby.create_room("coffee")
    assert lobby.rooms() == ["lobby", "coffee"]
    progress: list[tuple[int, int]] = []
    with lobby.join_room("Coffee", read="manual", progress=lambda *done: progress.append(done)) as coffee:
        assert (coffee.name, coffee.at) == ("Erick", lobby.at)
        assert progress[-1] == (1, 1)
        coffee.send("black, please")
        assert texts(coffee.history()) == ["black, please"]
        assert texts(lobby.history()) == []
    assert lobby.send("still here").text == "still here"


def test_who_leaves_the_first_room_is_still_in_the_second(joined: Join) -> None:
    lobby = joined("Erick")
    lobby.create_room("coffee")
    with lobby.join_room("coffee") as coffee:
        lobby.leave()
        assert coffee.send("alone now").id == 2
        with pytest.raises(ChatClosed):
            lobby.rooms()


def test_where_a_chat_is_others_can_join(server: Server, joined: Join) -> None:
    lobby = joined("Erick")
    assert lobby.at == server.at
    assert joined("Igor", at=lobby.at).members == ["Erick", "Igor"]


def test_a_room_that_is_not_there_is_said(joined: Join) -> None:
    lobby = joined("Erick")
    with pytest.raises(RoomNotFound, match="it has lobby"):
        lobby.join_room("coffee")
    with pytest.raises(InvalidRoomName):
        lobby.join_room("two words")
    with pytest.raises(InvalidRoomName):
        lobby.create_room("two words")


def test_a_private_servers_new_rooms_are_private_too(host_lobby: Host, joined: Join, tmp_path: Path) -> None:
    server = host_lobby(data=tmp_path / "private", password="sesame", new_rooms="members")
    lobby = joined("Erick", at=server.at, password="sesame")
    lobby.create_room("coffee")
    with lobby.join_room("coffee") as coffee:
        coffee.send("a secret")
    for given in (None, "guess"):
        with pytest.raises(WrongPassword):
            joined("Mallory", at=server.at, room="coffee", password=given)


@pytest.mark.parametrize("by", ["fingerprint", "authority"])
def test_what_the_first_rooms_server_has_to_show_it_has_to_show_in_the_second(
    host_lobby: Host, joined: Join, config_dir: Path, tmp_path: Path, by: str
) -> None:
    data = tmp_path / "encrypted"
    server = host_lobby(data=data, tls=True, new_rooms="members")
    demands = {"fingerprint": server.fingerprint} if by == "fingerprint" else {"tls_ca": config_dir / "server-tls.pem"}
    lobby = joined("Erick", at=server.at, **demands)
    lobby.create_room("coffee")
    with lobby.join_room("coffee") as coffee:
        assert coffee.send("encrypted").id == 2


def test_another_server_at_the_name_gets_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name server can be rewritten: the second room has to be on the server that the first one was on."""
    port = free_port()
    monkeypatch.setattr("Pyro5.config.NS_PORT", port)
    with (
        contextlib.closing(EmbeddedNameServer("localhost", port)),
        pyrochat.host("lobby", tmp_path / "one", new_rooms="members", timing=QUICK) as ours,
        pyrochat.host(["lobby", "coffee"], tmp_path / "other", nameserver=False, server_key=tmp_path / "key") as theirs,
        pyrochat.join("Erick", timing=QUICK) as lobby,
    ):
        lobby.create_room("coffee")
        NameServer().register({"pyrochat.lobby": theirs.uri("lobby")})
        with lobby.join_room("coffee") as coffee:
            assert coffee.at == ours.at
        ours.close()
        with pytest.raises(UntrustedServer):
            lobby.join_room("coffee")


def test_the_second_room_comes_back_where_the_server_has_gone(host_lobby: Host, joined: Join, tmp_path: Path) -> None:
    port = free_port()
    before = host_lobby(data=tmp_path / "first", port=port, new_rooms="members")
    lobby = joined("Erick", at=before.at)
    lobby.create_room("coffee")
    with lobby.join_room("coffee") as coffee:
        coffee.send("before")
        before.close()
        host_lobby(data=tmp_path / "first", port=port)
        eventually(lambda: coffee.state == lobby.state == "connected")
        coffee.send("after")
        assert texts(coffee.history()) == ["before", "after"]


def test_the_second_room_comes_back_though_the_first_is_not_hosted_any_more(joined: Join, tmp_path: Path) -> None:
    port, data = free_port(), tmp_path / "moving"
    with (
        pyrochat.host(["lobby", "tea"], data, port=port, nameserver=False, timing=QUICK) as before,
        joined("Erick", at=before.at).join_room("tea") as tea,
        tea.join_room("lobby") as lobby,
    ):
        before.close()
        with pyrochat.host("tea", data, port=port, nameserver=False, timing=QUICK):
            eventually(lambda: tea.state == "connected")
            assert tea.rooms() == ["tea"]
            assert lobby.state == "reconnecting"


def test_rooms_found_by_the_name_server_move_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("Pyro5.config.NS_PORT", free_port())
    with (
        pyrochat.host(["lobby", "tea"], tmp_path, timing=QUICK) as before,
        pyrochat.join("Erick", timing=QUICK) as lobby,
        lobby.join_room("tea") as tea,
        tea.join_room("lobby") as again,
    ):
        before.close()
        with pyrochat.host(["lobby", "tea"], tmp_path, timing=QUICK) as after:
            assert after.at != before.at
            eventually(lambda: {lobby.state, tea.state, again.state} == {"connected"})
            assert {lobby.at, tea.at, again.at} == {after.at}
