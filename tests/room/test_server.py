"""The server: its status, its name, the rooms it has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import pyrochat
from pyrochat import Chat, InvalidRoomName, LogInUse, RoomNotFound, Server
from tests.support import QUICK, eventually

Join = Callable[..., Chat]


def test_status_says_who_is_here_and_how_far_behind(server: Server, joined: Join) -> None:
    ana = joined("Ana")
    message = ana.send("hi")
    eventually(lambda: [s.lag for s in server.status()[0].sessions] == [0])
    status = server.status()[0]
    assert (status.room, status.tail, status.members) == ("lobby", message.id, 1)
    assert [(s.name, s.connected) for s in status.sessions] == [("Ana", True)]


def test_a_room_that_is_not_there_is_said_with_those_that_are(joined: Join) -> None:
    with pytest.raises(RoomNotFound, match="it has lobby"):
        joined("Ana", room="kitchen")


def test_a_server_says_where_it_is_and_that_it_is_closed(server: Server) -> None:
    assert server.at == f"localhost:{server.port}"
    assert repr(server) == f"<PyroChat server at {server.at}: lobby>"
    assert not server.wait(0)
    server.close()
    server.close()
    assert server.wait(0)
    assert repr(server) == "<PyroChat server closed: lobby>"


@pytest.mark.parametrize("rooms", [[], ["lobby", "LOBBY"], ["two words"]])
def test_rooms_that_can_not_be_served_are_refused(rooms: list[str], data: Path) -> None:
    with pytest.raises(InvalidRoomName):
        pyrochat.host(rooms, data, nameserver=False)


def test_a_server_that_could_not_start_holds_nothing(server: Server, data: Path) -> None:
    with pytest.raises(LogInUse):
        pyrochat.host(["kitchen", "lobby"], data, nameserver=False)
    server.close()
    pyrochat.host(["kitchen", "lobby"], data, nameserver=False, timing=QUICK).close()


def test_rooms_of_one_server_are_apart(data: Path) -> None:
    with (
        pyrochat.host(["lobby", "kitchen"], data, nameserver=False, timing=QUICK) as server,
        pyrochat.join("Ana", room="lobby", at=server.at, timing=QUICK) as lobby,
        pyrochat.join("Ana", room="kitchen", at=server.at, timing=QUICK) as kitchen,
    ):
        assert lobby.send("here").id == kitchen.send("there").id == 2
        assert [m.text for m in kitchen.history()] == ["Ana joined", "there"]
