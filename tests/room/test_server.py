"""The server: its status, its name, the rooms it has."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from Pyro5 import errors as pyro_errors
from Pyro5.api import Proxy

import pyrochat
from pyrochat import Chat, InvalidRoomName, LogInUse, RoomNotFound, Server
from pyrochat.room import witness
from pyrochat.room.log_file import WAL_BYTES, log_path
from pyrochat.room.registry import Registry
from tests.support import QUICK, bare, eventually, stumbling

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


# -- its files, now and then ------------------------------------------------------------------------------------------


def test_found_24_a_server_shrinks_the_wal_when_a_reader_has_gone_and_nobody_posts(data: Path) -> None:
    path = log_path(data, "lobby")
    wal = path.with_name(f"{path.name}-wal")
    with Server(["lobby"], data, nameserver=False, look_seconds=0.05) as server:
        [room] = server._rooms.all
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM messages").fetchone()
            while wal.stat().st_size <= 2 * WAL_BYTES:
                room.post("Ana", ["x" * 800] * 1000, [None] * 1000).wait()
        eventually(lambda: wal.stat().st_size <= WAL_BYTES)
        room.post("Ana", ["it goes on"], [None]).wait()


def test_a_server_that_ends_misses_nothing(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What SQLite removes when a log is closed was not taken away."""
    for _ in range(10):
        with Server(["lobby", "kitchen"], data, nameserver=False, look_seconds=0.0001) as server:
            server._rooms.all[0].post("Ana", ["hi"], [None]).wait()
    assert not caplog.records


def test_a_room_that_fails_keeps_no_other_from_being_looked_after(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Server(["lobby", "kitchen"], data, nameserver=False, look_seconds=0.05) as server:
        lobby, kitchen = server._rooms.all
        search, lobby.search = lobby.search, None  # type: ignore[assignment]
        eventually(lambda: "can't look after room 'lobby'" in caplog.text)
        last = kitchen.post("Ana", ["hi"], [None]).wait()[-1].id
        eventually(lambda: (seen := witness.read(log_path(data, "kitchen"))) is not None and seen.tail == last)
        lobby.search = search
    assert caplog.text.count("AttributeError: ") == 1, "said once, with where it comes from"


def test_found_10_whatever_the_doorkeeper_stumbles_over_it_shows_out_who_is_banned(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kind = stumbling(Server, "_look_around", times=2, error=SystemExit(1))
    with kind(["lobby"], data, nameserver=False, timing=QUICK) as server:
        eventually(lambda: kind.stumbles == 2)  # type: ignore[attr-defined]
        with bare(server, "Mallory") as proxy:
            proxy.post("hi")
            with contextlib.closing(Registry(data)) as operator:
                operator.ban("Mallory")
            eventually(lambda: is_cut_off(proxy))
    assert any(record.exc_info for record in caplog.records)


def is_cut_off(proxy: Proxy) -> bool:
    try:
        proxy.members()
    except pyro_errors.CommunicationError:
        return True
    return False
