"""Rooms that are created while the server runs: by whom, how many, whole or not at all, and kept."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from Pyro5.api import Proxy

import pyrochat
from pyrochat import LogInUse, NewRoomsRefused, Server
from pyrochat.core.pace import Pace
from pyrochat.pyro.naming import NameServer
from pyrochat.room import rooms
from pyrochat.room.door.registry import Registry
from pyrochat.room.rooms import ROOM_BYTES
from pyrochat.storage.log_file import is_used, log_path
from pyrochat.storage.sqlite_log import SqliteLog
from pyrochat.values.errors import CannotHost, NameServerRefused, RoomClosing
from tests.security.support import Host, Join, knocking
from tests.support import QUICK, QUICK_PACE, SERIALIZER_NAMES, bare, eventually, free_port, together


@pytest.fixture
def open_house(host_lobby: Host) -> Server:
    """A server on which everyone may create rooms."""
    return host_lobby(new_rooms="everyone")


def remembered(data: Path) -> list[str]:
    registry = Registry(data)
    try:
        return [room.name for room in registry.rooms()]
    finally:
        registry.close()


# -- what a created room is ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("serializer", SERIALIZER_NAMES)
def test_a_created_room_is_a_room_like_any(open_house: Server, serializer: str) -> None:
    with bare(open_house, "Ana", serializer) as lobby:
        assert lobby.create_room("coffee") is None
        assert lobby.rooms() == ["lobby", "coffee"]
        with bare(open_house, None) as nobody, Proxy(f"PYRO:pyrochat.server@{open_house.at}") as server:
            assert server.rooms() == ["lobby", "coffee"]
            with pytest.raises(PermissionError, match="name-missing: "):
                nobody.rooms()
        with bare(open_house, "Igor", serializer, room="coffee") as coffee:
            assert coffee.post("black, please")[0] == 1
            assert [message[3] for message in coffee.history()] == ["black, please"]
        assert lobby.history() == []
    assert open_house.rooms == ["lobby", "coffee"]
    assert [status.room for status in open_house.status()] == ["lobby", "coffee"]


def test_creating_a_room_that_is_there_changes_nothing(server: Server) -> None:
    with bare(server, "Ana") as lobby:
        lobby.create_room("lobby")
        lobby.create_room("LOBBY")
        assert lobby.rooms() == ["lobby"]


@pytest.mark.parametrize("name", ["", "x" * 33, "two words", "../../etc", "server", 5, None, ["a"]])
def test_a_new_rooms_name_follows_the_rules_of_all_rooms(open_house: Server, name: object) -> None:
    with bare(open_house, "Ana") as lobby:
        with pytest.raises(ValueError, match="invalid-room-name: "):
            lobby.create_room(name)
        assert lobby.rooms() == ["lobby"]


def test_many_who_create_the_same_room_at_once_get_one(open_house: Server) -> None:
    def create(index: int) -> object:
        with bare(open_house, f"guest{index}") as lobby:
            lobby.create_room("coffee")
            with bare(open_house, f"poster{index}", room="coffee") as coffee:
                return coffee.post("here")[0]

    ids = together([lambda index=index: create(index) for index in range(8)])
    assert sorted(ids) == list(range(1, 9))
    assert open_house.rooms == ["lobby", "coffee"]


# -- who may -------------------------------------------------------------------------------------------------------


def test_nobody_may_unless_the_operator_says_so(server: Server, joined: Join, data: Path) -> None:
    with bare(server, "Ana") as guest, pytest.raises(PermissionError, match="new-rooms-refused: nobody can"):
        guest.create_room("coffee")
    with pytest.raises(NewRoomsRefused, match="--new-rooms"):
        joined("Erick").create_room("coffee")
    assert server.rooms == ["lobby"]
    assert remembered(data) == []


def test_members_may_and_guests_may_not(host_lobby: Host) -> None:
    server = host_lobby(new_rooms="members")
    with bare(server, "Ana") as guest, pytest.raises(PermissionError, match="new-rooms-refused: guests can't"):
        guest.create_room("coffee")
    with pyrochat.join("Erick", at=server.at, timing=QUICK) as erick:
        erick.create_room("coffee")
    assert server.rooms == ["lobby", "coffee"]


def test_who_has_not_proved_a_key_creates_nothing(open_house: Server) -> None:
    with knocking(open_house, "Mallory") as knock, pytest.raises(pyrochat.Refused, match="prove"):
        knock.remote.call("create_room", "coffee")
    assert open_house.rooms == ["lobby"]


def test_rooms_count_like_messages(host_lobby: Host) -> None:
    server = host_lobby(new_rooms="everyone", rate=0.1)
    with bare(server, "Ana") as lobby:
        lobby.create_room("coffee")
        with pytest.raises(PermissionError, match="rate-limited: "):
            lobby.create_room("tea")


def test_rooms_count_as_what_they_take_of_the_disk(host_lobby: Host) -> None:
    with bare(host_lobby(new_rooms="everyone", peer_bytes=3 * ROOM_BYTES), "Ana") as lobby:
        for name in ("coffee", "tea", "milk"):
            lobby.create_room(name)
        with pytest.raises(PermissionError, match="quota-used-up: "):
            lobby.create_room("water")
        lobby.create_room("tea")


def rests(server: Server, name: str) -> bool:
    hosted = server._rooms._rooms[name]
    if hosted.room is not None:
        return False
    hosted.settle(10.0)
    return True


def test_a_room_that_nobody_uses_is_closed_until_somebody_comes(host_lobby: Host, data: Path) -> None:
    server = host_lobby(new_rooms="everyone", pace=replace(QUICK_PACE, idle_seconds=0.1), look_seconds=0.05)
    with bare(server, "Ana") as lobby, bare(server, "Zoë") as other:
        for number in range(5):
            eventually(lambda: rests(server, "lobby"))
            SqliteLog(log_path(data, "lobby"), "lobby").close()  # nobody has it open
            assert lobby.post(f"text {number}")[0] == number + 1
        eventually(lambda: rests(server, "lobby"))
        assert len(other.history()) == 5
        eventually(lambda: rests(server, "lobby"))
        with pytest.raises(PermissionError, match="not-a-member: "):
            other.mark_read(1)
        eventually(lambda: rests(server, "lobby"))
        assert server.rooms == ["lobby"]
        [resting] = server.status()
        assert (resting.room, resting.tail, resting.members, resting.sessions) == ("lobby", 5, 0, [])


def test_a_room_with_somebody_in_it_stays_open_and_says_that_he_left(
    host_lobby: Host, joined: Join, tmp_path: Path
) -> None:
    server = host_lobby(data=tmp_path / "other", pace=replace(QUICK_PACE, idle_seconds=0.0), look_seconds=0.05)
    chat = joined("Ana", at=server.at)
    room = server._rooms.open_ones[0]
    chat.send("hi")
    threading.Event().wait(0.5)
    assert server._rooms.open_ones == [room]
    chat.leave()
    eventually(lambda: rests(server, "lobby"))
    with bare(server, "Igor") as lobby:
        assert [message[3] for message in lobby.history()] == ["Ana joined", "hi", "Ana left"]


def test_the_start_opens_only_rooms_in_which_somebody_was(host_lobby: Host, data: Path) -> None:
    before = host_lobby(new_rooms="everyone")
    with bare(before, "Ana") as lobby:
        for number in range(30):
            lobby.create_room(f"r{number}")
    with bare(before, "Ana", room="r7") as r7:
        r7.post("hi")
    chat = pyrochat.join("Zoë", room="r9", at=before.at)
    before.close()
    chat.leave()
    again = host_lobby(look_seconds=0.05)
    assert len(again.rooms) == 31
    assert [room.name for room in again._rooms.open_ones] == ["lobby"]
    eventually(lambda: [room.name for room in again._rooms.open_ones] == ["lobby", "r9"])
    with bare(again, "Ana", room="r9") as r9:
        eventually(lambda: [message[3] for message in r9.history()] == ["Zoë joined", "Zoë left"])
    with bare(again, "Ana", room="r7") as r7:
        assert [message[3] for message in r7.history()] == ["hi"]


def test_many_that_are_named_are_opened_when_somebody_comes(data: Path) -> None:
    names = [f"r{number}" for number in range(25)]
    with pyrochat.host(names, data, nameserver=False) as server:
        assert len(server._rooms.open_ones) == 20
        with bare(server, "Ana", room="r24") as last:
            assert last.post("hi")[0] == 1
        assert server.rooms == names


def test_a_server_that_is_short_of_descriptors_opens_no_room(open_house: Server) -> None:
    open_house._rooms._last_descriptor = 3
    with bare(open_house, "Ana") as lobby, pytest.raises(PermissionError, match="server-full: "):
        lobby.create_room("coffee")
    assert open_house.rooms == ["lobby"]


def test_a_policy_that_there_is_not_is_refused(data: Path) -> None:
    with pytest.raises(pyrochat.InvalidArgument, match="nobody, members, everyone"):
        pyrochat.host(data=data, nameserver=False, new_rooms="friends")


# -- whole, or not at all --------------------------------------------------------------------------------------------


def test_a_log_that_another_server_has_open_is_left_alone(open_house: Server, data: Path) -> None:
    theirs = SqliteLog(log_path(data, "coffee"), "coffee")
    with bare(open_house, "Ana") as lobby:
        with pytest.raises(RuntimeError, match="cannot-host: room 'coffee' can't be opened") as refused:
            lobby.create_room("coffee")
        assert str(data) not in str(refused.value)
        assert lobby.rooms() == ["lobby"]
        assert remembered(data) == []
        theirs.close()
        lobby.create_room("coffee")
        assert lobby.rooms() == ["lobby", "coffee"]


def test_what_the_operator_hosts_no_more_is_not_opened_by_others(open_house: Server, data: Path) -> None:
    with pyrochat.host("coffee", data, nameserver=False) as before, bare(before, "Ana", room="coffee") as coffee:
        coffee.post("a secret")
    assert is_used(log_path(data, "coffee"))
    with bare(open_house, "Mallory") as lobby, pytest.raises(PermissionError, match="hosted here before"):
        lobby.create_room("Coffee")
    assert remembered(data) == []


def test_a_file_that_is_no_log_is_not_taken_over(open_house: Server, data: Path) -> None:
    path = log_path(data, "coffee")
    path.write_bytes(b"somebody's diary" * 100)
    with bare(open_house, "Ana") as lobby, pytest.raises(PermissionError, match="new-rooms-refused: "):
        lobby.create_room("coffee")
    assert path.read_bytes() == b"somebody's diary" * 100


def test_when_the_room_fails_nothing_is_left_of_it(
    open_house: Server, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(rooms.Room):
        def __init__(self, *arguments: object) -> None:
            raise CannotHost("no threads left")

    monkeypatch.setattr(rooms, "Room", Broken)
    with bare(open_house, "Ana") as lobby:
        with pytest.raises(RuntimeError, match="cannot-host: "):
            lobby.create_room("coffee")
        monkeypatch.undo()
        lobby.create_room("coffee")
        assert lobby.rooms() == ["lobby", "coffee"]


def test_when_the_last_step_fails_the_others_are_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("Pyro5.config.NS_PORT", free_port())
    with pyrochat.host("lobby", tmp_path, new_rooms="everyone") as server, bare(server, "Ana") as lobby:
        opened: list[str] = []

        def broken(room: rooms.Room) -> object:
            opened.append(room.name)
            raise MemoryError

        with monkeypatch.context() as patch:
            patch.setattr(server._rooms, "_remote", broken)
            with pytest.raises(RuntimeError, match="internal-error: "):
                lobby.create_room("coffee")
        assert opened == ["coffee"]
        assert lobby.rooms() == ["lobby"]
        assert remembered(tmp_path) == []
        assert "pyrochat.coffee" not in NameServer().entries("pyrochat.")
        eventually(lambda: len(server._multicaster._channels) == 1)
        SqliteLog(log_path(tmp_path, "coffee"), "coffee").close()  # nobody has it open
        lobby.create_room("coffee")
        with bare(server, "Igor", room="coffee") as coffee:
            assert coffee.post("it works now")[0] == 1
    assert "stumbled" not in caplog.text


def test_a_name_that_another_server_has_is_refused_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("Pyro5.config.NS_PORT", free_port())
    with (
        pyrochat.host(["lobby"], tmp_path / "one", new_rooms="everyone") as one,
        pyrochat.host(["coffee"], tmp_path / "two") as two,
    ):
        nameserver = NameServer()
        with bare(one, "Ana") as lobby:
            with pytest.raises(RuntimeError, match=f"{NameServerRefused.code}: .*{two.at}"):
                lobby.create_room("coffee")
            lobby.create_room("tea")
            assert one.rooms == ["lobby", "tea"]
        entries = nameserver.entries("pyrochat.")
        assert str(entries["pyrochat.coffee"][1]) == two.at.rpartition(":")[2]
        assert str(entries["pyrochat.tea"][1]) == one.at.rpartition(":")[2]
        with pyrochat.join("Igor", "tea") as igor:
            igor.send("found by the name server")
    assert not log_path(tmp_path / "one", "coffee").exists()


def test_who_waits_too_long_for_others_rooms_is_told(host_lobby: Host) -> None:
    server = host_lobby(new_rooms="everyone", pace=Pace(patience_seconds=0.05))
    with bare(server, "Ana") as lobby:
        with server._rooms._opening, pytest.raises(PermissionError, match="try again in a moment"):
            lobby.create_room("coffee")
        lobby.create_room("coffee")
    assert server.rooms == ["lobby", "coffee"]


def test_a_server_that_is_ending_opens_no_room(open_house: Server, data: Path) -> None:
    open_house._rooms.create_no_more()
    with pytest.raises(RoomClosing):
        open_house._rooms.create("coffee", "Ana")
    assert remembered(data) == []


# -- kept --------------------------------------------------------------------------------------------------------------


def test_created_rooms_are_hosted_again_after_a_restart(host_lobby: Host, data: Path) -> None:
    before = host_lobby(new_rooms="everyone")
    with bare(before, "Ana") as lobby:
        lobby.create_room("Coffee")
        lobby.create_room("tea")
    with bare(before, "Ana", room="Coffee") as coffee:
        coffee.post("remember this")
    before.close()

    again = host_lobby()  # also where nobody may create any
    assert again.rooms == ["lobby", "Coffee", "tea"]
    with bare(again, "Igor", room="Coffee") as coffee:
        assert [message[3] for message in coffee.history()] == ["remember this"]
    again.close()
    with pyrochat.host(["lobby", "coffee"], data, nameserver=False) as named:
        assert named.rooms == ["lobby", "Coffee", "tea"]


def test_a_created_room_that_cannot_be_opened_keeps_no_other_closed(
    host_lobby: Host, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = host_lobby(new_rooms="everyone")
    with bare(before, "Ana") as lobby:
        lobby.create_room("coffee")
        lobby.create_room("tea")
    before.close()
    theirs = SqliteLog(log_path(data, "coffee"), "coffee")
    again = host_lobby(new_rooms="everyone")
    assert again.rooms == ["lobby", "coffee", "tea"]
    with bare(again, "Igor", room="coffee") as coffee:
        for ask in (coffee.history, lambda: coffee.post("hi"), coffee.members, coffee.join):
            with pytest.raises(RuntimeError, match="cannot-host: room 'coffee' can't be opened here"):
                ask()
        assert [r.message for r in caplog.records if "'coffee' can't be opened: another server has" in r.message]
        with bare(again, "Zoë", room="tea") as tea:
            tea.post("it goes on")
        theirs.close()
        coffee.post("hi")


def test_a_room_that_is_named_is_not_forgiven(host_lobby: Host, data: Path) -> None:
    theirs = SqliteLog(log_path(data, "coffee"), "coffee")
    with pytest.raises(LogInUse):
        pyrochat.host(["lobby", "coffee"], data, nameserver=False)
    theirs.close()
