"""The file of a site of a totally ordered room."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pyrochat.core.graph.disk import Identity, Row
from pyrochat.core.graph.event import Event
from pyrochat.core.graph.lamport import View
from pyrochat.core.graph.messages import Closed, Committed, Entry, Frozen, Said, Text
from pyrochat.storage.member_disk import SqliteMemberDisk
from pyrochat.values.errors import LogInUse, LogUnavailable

ROOT = b"r" * 32
ME = Identity("me", "nonce", "ana")
VIEW = View(1, ("me",))


def opened(folder: Path) -> SqliteMemberDisk:
    return SqliteMemberDisk(folder / "sites.sqlite3", "lobby")


def begun(folder: Path) -> SqliteMemberDisk:
    disk = opened(folder)
    disk.adopt(ROOT, ME, [VIEW])
    return disk


def event(body: bytes, n: int = 1) -> Event:
    return Event(VIEW.root(ROOT), "me", n, n, (b"p" * 32,) if n > 1 else (), body, b"signature")


def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    disk = begun(tmp_path)
    disk.write([Said(Text("a/1", b"x")), event(b"one"), Frozen((1, "me"), None), Committed(1), Committed(2)])
    disk.close()
    disk = opened(tmp_path)
    assert (disk.root, disk.identity, disk.log.view) == (ROOT, ME, VIEW)
    assert disk.records() == [Said(Text("a/1", b"x")), event(b"one"), Frozen((1, "me"), None), Committed(2)]
    disk.close()


def test_a_view_that_is_closed_takes_the_place_of_what_led_to_it(tmp_path: Path) -> None:
    disk = begun(tmp_path)
    disk.write([event(b"one")])
    entries: tuple[Entry, ...] = (Text("a/1", b"x"), Text("b/1", b"y"), Text("a/2", b"z"), View(2, ("me", "igor")))
    disk.log.extend(entries)
    assert disk.log.has("a/1")
    disk.write([Closed(1, entries, (Text("a/3", b"w"),)), Said(Text("a/4", b"v"))])
    disk.close()
    disk = opened(tmp_path)
    assert tuple(disk.entries(1)) == entries
    assert disk.log.view == View(2, ("me", "igor"))
    assert len(disk.log) == 5
    assert (disk.outbox(), disk.records()) == ([Text("a/3", b"w")], [Said(Text("a/4", b"v"))])
    assert list(disk.texts("a", 1)) == [(2, Text("a/2", b"z"))]
    assert disk.counts() == {"a": 2, "b": 1}
    assert [disk.log.has(key) for key in ("a/1", "a/2", "a/3")] == [True, True, False]
    disk.close()


def test_what_was_not_written_is_forgotten_in_a_reload(tmp_path: Path) -> None:
    disk = begun(tmp_path)
    disk.log.extend([Text("a/1", b"x"), View(2, ("me",))])
    disk.reload()
    assert len(disk.log) == 1
    assert not disk.log.has("a/1")
    disk.close()


def test_a_long_log_is_given_in_parts_that_end_with_a_view(tmp_path: Path) -> None:
    disk = begun(tmp_path)
    entries: list[Entry] = []
    for number in range(2, 8):
        entries += [Text(f"a/{number}.{n}", b"x" * 1000) for n in range(600)]
        entries.append(View(number, ("me",)))
    disk.log.extend(entries)
    disk.write([])
    got: list[Entry] = []
    parts = 0
    while part := disk.log.since(1 + len(got)):
        assert isinstance(part[-1], View)
        got += part
        parts += 1
    assert got == entries
    assert parts == 3
    disk.close()


def test_a_copied_file_is_of_no_site_and_has_what_was_in_it(tmp_path: Path) -> None:
    disk = begun(tmp_path)
    disk.write([Said(Text("a/1", b"x"))])
    disk.close()
    shutil.copytree(tmp_path, tmp_path / "copy")
    disk = opened(tmp_path / "copy")
    assert (disk.root, disk.identity) == (ROOT, None)
    other = Identity("other", "nonce", "ana")
    disk.begin_again(other, [Text("a/1", b"x")])
    disk.close()
    disk = opened(tmp_path / "copy")
    assert (disk.identity, disk.outbox(), disk.records()) == (other, [Text("a/1", b"x")], [])
    disk.close()


def test_of_what_stands_beside_the_newest_counts(tmp_path: Path) -> None:
    disk = begun(tmp_path)
    assert disk.keep_beside([Row("a", "ana", 2, b"two")])
    assert not disk.keep_beside([Row("a", "ana", 1, b"one")])
    assert disk.keep_beside([Row("a", "ana", 3, b"three"), Row("b", "ana", 1, b"x")])
    assert disk.beside() == [Row("a", "ana", 3, b"three"), Row("b", "ana", 1, b"x")]
    disk.remember_peers(["a:1"])
    disk.close()
    disk = opened(tmp_path)
    assert disk.peers() == ["a:1"]
    disk.close()


def test_all_or_nothing_is_written(tmp_path: Path) -> None:
    disk = begun(tmp_path)
    disk._db.execute("CREATE TRIGGER broken BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'full'); END")
    disk.log.extend([Text("a/1", b"x"), View(2, ("me",))])
    with pytest.raises(LogUnavailable, match="full"):
        disk.write([Said(Text("a/2", b"y"))])
    assert disk.records() == []
    disk.close()


def test_two_processes_can_not_be_one_site(tmp_path: Path) -> None:
    disk = begun(tmp_path)
    with pytest.raises(LogInUse):
        opened(tmp_path)
    disk.close()
