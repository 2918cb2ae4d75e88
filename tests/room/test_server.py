"""The server: its status, its name, the rooms it has."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from Pyro5 import errors as pyro_errors
from Pyro5.api import Proxy

import pyrochat
from pyrochat import CannotHost, Chat, InvalidRoomName, LogInUse, PyroChatError, RoomNotFound, Server
from pyrochat.room.door.registry import Registry
from pyrochat.storage import witness
from pyrochat.storage.log_file import WAL_BYTES, log_path
from pyrochat.values.errors import PortInUse
from tests.support import QUICK, bare, eventually, free_port, stumbling, texts

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
        [room] = server._rooms.open_ones
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
            server._rooms.open_ones[0].post("Ana", ["hi"], [None]).wait()
    assert not caplog.records


def test_a_room_that_fails_keeps_no_other_from_being_looked_after(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Server(["lobby", "kitchen"], data, nameserver=False, look_seconds=0.05) as server:
        lobby, kitchen = server._rooms.open_ones
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


STARTS = """
import contextlib, os, resource, sys, threading
from pathlib import Path
import pyrochat
from pyrochat.storage.log_file import log_path
from pyrochat.storage.log_lock import LogLock

data, least = Path(sys.argv[1]), len(os.listdir("/proc/self/fd"))
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
with pyrochat.host(["lobby", "kitchen"], data, tls=True) as server:  # imports, folders and the logs are there
    pass

def left():
    names = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    return names, [os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{n}")]

for thread in threading.enumerate():
    if thread is not threading.main_thread():
        thread.join(20)
threads, files = left()
failed = 0
for limit in range(least - 1, least + 200):
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    try:
        with contextlib.closing(pyrochat.host(["lobby", "kitchen"], data, tls=True)):
            break
    except Exception as error:
        failed += 1
        trouble = error
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join(20)
    now = left()
    assert now[0] == threads, (limit, now[0], repr(trouble))
    assert len(now[1]) == len(files), (limit, set(now[1]) - set(files), repr(trouble))
    for room in ("lobby", "kitchen"):
        LogLock(log_path(data, room), room).release()
print("failed", failed)
"""


def test_found_16_a_start_that_fails_at_any_step_leaves_nothing(data: Path, config_dir: Path) -> None:
    """Given a process with ever more descriptors, from too few for anything on, when a server is started with them,
    then each of its steps fails once, and no thread, no descriptor and no lock is left."""
    environment = {**os.environ, "PYRO_NS_PORT": str(free_port()), "PYRO_NS_HOST": "localhost"}
    command = [sys.executable, "-X", "faulthandler", "-c", STARTS, str(data)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) > 15, done.stdout


def test_found_16_a_registry_that_can_not_be_opened_leaves_no_thread(data: Path) -> None:
    (data / "names.sqlite3").mkdir(parents=True)
    before = set(threading.enumerate())
    with pytest.raises(CannotHost, match=r"names\.sqlite3"):
        pyrochat.host("lobby", data, nameserver=False)
    assert set(threading.enumerate()) <= before


def open_files(folder: Path) -> list[str]:
    """The files in *folder* that this process has open."""
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # that of the listing
            found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return [file for file in found if file.startswith(str(folder))]


@pytest.mark.parametrize("file", ["server-key.pem", "tls.pem", "rooms/lobby.sqlite3"])
def test_found_16_a_file_that_can_not_be_used_leaves_nothing_open(data: Path, file: str) -> None:
    (data / file).parent.mkdir(parents=True, exist_ok=True)
    (data / file).write_text("nothing that could be used")
    before = set(threading.enumerate())
    with pytest.raises(PyroChatError):
        pyrochat.host("lobby", data, nameserver=False, tls=True)
    eventually(lambda: set(threading.enumerate()) <= before)
    assert open_files(data) == []


def test_found_16_a_port_in_use_leaves_nothing_open(server: Server, tmp_path: Path) -> None:
    other = tmp_path / "other"
    before = set(threading.enumerate())
    with pytest.raises(PortInUse):
        pyrochat.host("kitchen", other, nameserver=False, port=server.port)
    eventually(lambda: set(threading.enumerate()) <= before)
    assert open_files(other) == []


def test_found_34_a_program_that_changes_its_folder_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rooms that are created later, witness and index belong where the program was when it named the folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYROCHAT_CONFIG_DIR", "my-config")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with pyrochat.host("lobby", "rel", nameserver=False, new_rooms="members", timing=QUICK) as server:
        lobby = pyrochat.join("Ana", at=server.at, timing=QUICK)
        monkeypatch.chdir(elsewhere)
        monkeypatch.setenv("PYROCHAT_CONFIG_DIR", str(tmp_path / "my-config"))
        lobby.create_room("coffee")
        with lobby.join_room("coffee") as coffee:
            coffee.send("kept")
            eventually(lambda: coffee.search("kept"))
        lobby.leave()
    assert list(elsewhere.iterdir()) == []
    with (
        pyrochat.host("lobby", tmp_path / "rel", nameserver=False, timing=QUICK) as again,
        pyrochat.join("Ana", room="coffee", at=again.at, timing=QUICK) as coffee,
    ):
        assert "kept" in texts(coffee.history())
