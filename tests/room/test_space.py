"""A room that is full, and a disk that nearly is: posts are refused, everything else goes on, the operator is told."""

from __future__ import annotations

import contextlib
import logging
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import pyrochat
from pyrochat import Chat, DiskFull, RoomFull
from pyrochat.core.log import Log
from pyrochat.core.memory_log import MemoryLog
from pyrochat.room.space import Disk, RoomSpace
from pyrochat.storage.log_file import log_path
from pyrochat.storage.sqlite_log import SqliteLog
from tests.core.modelling import Driven, post
from tests.security.support import Host
from tests.support import QUICK, bare, changes, eventually, texts

Join = Callable[..., Chat]
TEXT = "x" * 10_000
MORE_THAN_ANY_DISK = "1000PiB"


@pytest.fixture
def joined(config_dir: Path) -> Iterator[Join]:
    """Joins the lobby at an address; all leave at the end."""
    chats: list[Chat] = []

    def join(name: str, at: str) -> Chat:
        chats.append(pyrochat.join(name, at=at, timing=QUICK))
        return chats[-1]

    yield join
    for chat in chats:
        chat.leave()


def fill(chat: Chat) -> int:
    """Send until the room is full; how many were taken."""
    for count in range(1000):
        try:
            chat.send(TEXT)
        except RoomFull:
            return count
    raise AssertionError("there is no end to it")


def size_of(data: Path) -> int:
    """Of the lobby's log, when its WAL is in it."""
    log = SqliteLog(log_path(data, "lobby"), "lobby")
    log.close()
    return log_path(data, "lobby").stat().st_size


# -- a full room ------------------------------------------------------------------------------------------------------


def test_found_2_a_room_that_is_full_takes_no_posts_and_all_else_goes_on(
    host_lobby: Host, joined: Join, data: Path
) -> None:
    server = host_lobby(room_bytes="1MiB")
    erick, ana = joined("Erick", server.at), joined("Ana", server.at)
    assert 80 < fill(erick) < 105
    with pytest.raises(
        RoomFull, match=r"the room is full \(1 MiB\): nothing was stored; its operator can give it more"
    ):
        erick.send_many([TEXT] * 50)
    end = erick.history()[-1].id
    for number in range(10):
        igor = joined(f"Igor{number}", server.at)
        assert igor.history()[-1].id == end + 2 * number + 1
        igor.leave()
    ana.mark_read(end)
    eventually(lambda: erick.confirmations(end).read_by == {"Ana"})
    eventually(lambda: changes(erick.history())[-2:] == ["Igor9 joined", "Igor9 left"])
    assert erick.state == "connected"
    server.close()
    assert size_of(data) < 1.1 * 1024 * 1024
    again = joined("Erick", host_lobby(room_bytes="2MiB").at)
    assert again.send("there is room again").text == "there is room again"


def test_a_small_text_still_finds_the_room_that_a_large_batch_does_not(host_lobby: Host, joined: Join) -> None:
    erick = joined("Erick", host_lobby(room_bytes=300_000).at)
    with pytest.raises(RoomFull):
        erick.send_many([TEXT] * 50)
    assert erick.send("short").id == 2


@pytest.mark.parametrize("serializer", ["serpent", "json", "msgpack"])
def test_bare_pyro_gets_the_code_and_a_repeat_its_message(host_lobby: Host, serializer: str) -> None:
    """A refusal means that nothing was stored: what was stored before under the same key is told all the same."""
    server = host_lobby()
    with bare(server, "bot", serializer, client="one") as bot:
        one, two = bot.post("one", "key-1"), bot.post_many(["two", "three"], "key-2")
    server.close()
    with bare(host_lobby(room_bytes=1), "bot", serializer, client="one") as bot:
        for arguments in (["one"], ["one", "key-3"]):
            with pytest.raises(PermissionError, match=r"room-full: the room is full \(1 bytes\): nothing was stored; "):
                bot.post(*arguments)
        with pytest.raises(PermissionError, match="room-full: "):
            bot.post_many(["one", "four"], ["key-1", None])
        assert bot.post("one", "key-1") == one
        assert bot.post_many(["two", "three"], "key-2") == two
        assert bot.history() == [one, *two]


def test_found_2_the_operator_is_told_at_80_percent_and_when_it_is_full_once_each(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    class Growing(MemoryLog):
        """As large as it is told."""

        bytes = 0

        def size(self) -> tuple[int, int]:
            return self.bytes, 0

    log = Growing("lobby")
    space = RoomSpace(log, room_bytes=10_000_000)
    for log.bytes in (7_900_000, 8_000_000, 9_000_000, 10_000_000, 10_000_500):
        space.look()
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "room lobby has 7.6 MiB of its 9.5 MiB (room_bytes=): when it is full, posts are refused"),
        ("WARNING", "room lobby has 9.5 MiB of its 9.5 MiB (room_bytes=): it is full, and posts are refused"),
    ]


def test_what_was_full_at_the_last_start_is_told_at_the_next(
    host_lobby: Host, joined: Join, caplog: pytest.LogCaptureFixture
) -> None:
    server = host_lobby(room_bytes=200_000)
    fill(joined("Erick", server.at))
    server.close()
    caplog.clear()
    host_lobby(room_bytes=200_000)
    assert "room lobby has 1" in caplog.text
    assert "(room_bytes=)" in caplog.text


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_log_says_how_large_it_is(tmp_path: Path, kind: str) -> None:
    """Also of what is still in the WAL alone; closing it puts that in its place."""
    path = tmp_path / "lobby.sqlite3"
    log: Log = MemoryLog("lobby") if kind == "memory" else SqliteLog(path, "lobby")
    before, _ = log.size()
    Driven(log).apply(post("Ana", [TEXT] * 100))
    after, coming = log.size()
    file_bytes = path.stat().st_size if path.exists() else 0
    log.close()
    if kind == "memory":
        assert before == after == coming == 0
    else:
        assert 0 < before < 100_000
        assert after == path.stat().st_size > 1_000_000
        assert coming == after - file_bytes > 1_000_000


# -- a disk that is nearly full -----------------------------------------------------------------------------------------


def test_found_2_of_the_disks_reserve_posts_take_nothing_and_all_else_goes_on(
    host_lobby: Host, joined: Join, caplog: pytest.LogCaptureFixture
) -> None:
    server = host_lobby(disk_reserve=MORE_THAN_ANY_DISK, new_rooms="everyone")
    erick = joined("Erick", server.at)
    for send in (lambda: erick.send("hi"), lambda: erick.send_many(["hi"])):
        with pytest.raises(DiskFull, match="the server's disk is nearly full: nothing was stored; its operator has to"):
            send()
    with pytest.raises(DiskFull):
        erick.create_room("coffee")
    igor = joined("Igor", server.at)
    erick.mark_read(2)
    eventually(lambda: igor.confirmations(2).read_by == {"Erick"})
    igor.leave()
    eventually(lambda: changes(erick.history()) == ["Erick joined", "Igor joined", "Igor left"])
    assert server.rooms == ["lobby"]
    warned = [record.getMessage() for record in caplog.records if "disk_reserve=" in record.getMessage()]
    assert len(warned) == 1
    assert "is nearly full" in warned[0]


def test_searches_find_what_was_indexed_before_the_disk_was_nearly_full(
    host_lobby: Host, joined: Join, data: Path
) -> None:
    server = host_lobby()
    erick = joined("Erick", server.at)
    erick.send("before")
    assert texts(erick.search("before")) == ["before"]
    erick.leave()
    server.close()
    server = host_lobby(disk_reserve=MORE_THAN_ANY_DISK)
    again, search = joined("Erick", server.at), server._rooms.open_ones[0].search
    eventually(lambda: search._idle)
    assert texts(again.search("before")) == ["before"]
    assert not again.search("before").is_complete, "the index does not grow"


def test_what_is_let_in_between_two_looks_counts_for_the_disk(tmp_path: Path) -> None:
    found = shutil.disk_usage(tmp_path)
    disk = Disk(tmp_path, found.free // 2)
    disk.look()
    assert disk.has_room(1000)
    one, other = RoomSpace(MemoryLog("one"), disk), RoomSpace(MemoryLog("other"), disk)
    one.count(found.free * 3 // 8)  # it takes twice as much for a while; others fill and empty the disk meanwhile
    refusal = other.refusal(1000)
    assert isinstance(refusal, DiskFull)
    other.check_join("Ana")
    assert isinstance(disk.refusal(1000), DiskFull)


def test_a_folder_that_is_gone_refuses_nothing(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "gone", 1 << 60)
    disk.look()
    assert disk.has_room(1 << 60)


def test_without_bounds_there_is_always_room(host_lobby: Host, joined: Join) -> None:
    erick = joined("Erick", host_lobby(room_bytes=0, disk_reserve=0).at)
    assert len(erick.send_many([TEXT] * 80)) == 80


def test_who_comes_back_to_a_room_that_takes_no_joins_is_not_refused_for_good(host_lobby: Host, joined: Join) -> None:
    server = host_lobby(rate=0)
    erick = joined("Erick", server.at)
    for _ in range(20):  # more than joins may take beyond the bound
        erick.send_many([TEXT] * 90)
    reasons: list[str] = []
    erick.on_state(lambda state, reason: reasons.append(f"{state}: {reason}"))
    server.close()
    with contextlib.closing(sqlite3.connect(log_path(server.data, "lobby"), isolation_level=None)) as db:
        db.execute("DELETE FROM sessions")  # he was away for longer than the grace
    full = host_lobby(port=server.port, room_bytes=1)
    eventually(lambda: any(reason.startswith("reconnecting: the room is full") for reason in reasons), 20)
    full.close()
    host_lobby(port=server.port)
    eventually(lambda: erick.state == "connected", 20)
