"""Lost state means a new site: a folder that was restored, and a file that has lost its end, in real processes."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.support import eventually
from tests.system.places import SITE_ORDERS, site_address
from tests.system.support import Machine, Process

WHERE = {  # file, table and key of who a site is
    "causal": ("rooms/lobby.sqlite3", "site", "site"), "lamport": ("lamport/lobby/sites.sqlite3", "facts", "identity"),
}  # fmt: skip


class Room:
    """Three machines in a room of *order*; that of Igor loses what it had."""

    def __init__(self, machine: Machine, folder: Path, order: str) -> None:
        self.machine, self.folder, self.order = machine, folder, order
        self.ana = self.start("Ana")
        self.igor, self.zoe = self.start("Igor"), self.start("Zoe")
        self.data = folder / "Igor"

    def start(self, name: str, joins: bool = True) -> Process:
        peer = ["--peer", site_address(self.ana)] if hasattr(self, "ana") else []
        process = self.machine.start(
            "pyrochat", name, "--order", self.order, "--site", name.lower(), "--data", str(self.folder / name),
            "--port", "0", "--json", *peer, env={"PYROCHAT_CONFIG_DIR": str(self.folder / f"config of {name}")},
        )  # fmt: skip
        process.wait_error(f" as {name}" if joins else "this is a site of lobby now")
        return process

    def site(self) -> str:
        """Who Igor's site is, by its file."""
        file, table, key = WHERE[self.order]
        with closing(sqlite3.connect(f"{(self.data / file).as_uri()}?mode=ro", uri=True)) as db:
            [[value]] = db.execute(f"SELECT value FROM {table} WHERE key = ?", (key,))
        return str(json.loads(value)[0])

    def say(self, by: Process, text: str) -> None:
        by.write(text)
        self.all_have(text)

    def all_have(self, *wanted: str) -> None:
        for one in (self.ana, self.igor, self.zoe):
            eventually(lambda one=one: set(wanted) <= set(texts(one)), 30, f"{wanted} did not all come to {one}")

    def has_lost_nothing(self, *said: str) -> None:
        """All have all of it, once; and who keeps one order has one."""
        self.all_have(*said)
        shown = [texts(one) for one in (self.ana, self.igor, self.zoe)]
        assert all(Counter(one) == Counter(said) for one in shown), shown
        if self.order == "lamport":
            assert shown[0] == shown[1] == shown[2]
        for one in (self.ana, self.igor, self.zoe):
            one.end_input()
        for one in (self.ana, self.igor, self.zoe):
            assert one.wait() == 0


def texts(process: Process) -> list[str]:
    return [o["text"] for o in process.objects if o["type"] == "message" and o["kind"] == "chat"]


@pytest.fixture(params=SITE_ORDERS)
def room(request: pytest.FixtureRequest, machine: Machine, tmp_path: Path) -> Room:
    return Room(machine, tmp_path, request.param)


def test_a_restored_backup_comes_back_as_a_new_site(room: Room, tmp_path: Path) -> None:
    room.say(room.igor, "kept")
    assert room.igor.finish() == 0
    was = room.site()
    shutil.copytree(room.data, tmp_path / "backup")
    room.igor = room.start("Igor")
    room.say(room.igor, "after the backup")
    assert room.igor.finish() == 0
    assert room.site() == was
    room.data.rename(tmp_path / "lost")  # so that the restored files have places of their own
    shutil.copytree(tmp_path / "backup", room.data)
    room.igor = room.start("Igor")
    room.say(room.igor, "here again")
    assert room.site() != was
    room.has_lost_nothing("kept", "after the backup", "here again")


def test_a_site_that_has_lost_its_tail_says_so_and_comes_back_as_a_new_one(room: Room) -> None:
    room.say(room.igor, "kept")
    was = room.site()
    put_back = snapshot(room.data, room.igor)
    room.say(room.igor, "what the disk will lose")
    for one in (room.ana, room.zoe):
        one.signal(signal.SIGSTOP)  # they have no time to go on without it
    room.igor.kill()
    put_back()
    assert room.site() == was
    room.igor = room.start("Igor", joins=False)
    for one in (room.ana, room.zoe):
        one.signal(signal.SIGCONT)
    room.igor.wait_error("this site has lost some of what it had said: it goes on as a new one")
    room.igor.wait_error(" as Igor")
    room.say(room.igor, "here again")
    assert room.site() != was
    room.has_lost_nothing("kept", "what the disk will lose", "here again")


def snapshot(folder: Path, process: Process) -> Callable[[], None]:
    """Remember all files in *folder*; returns what puts them back, in the same places on the disk."""
    process.signal(signal.SIGSTOP)
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    process.signal(signal.SIGCONT)

    def put_back() -> None:
        for path in list(folder.rglob("*")):
            if path.is_file() and (path not in files or path.name.endswith(("-wal", "-shm"))):
                path.unlink()
        for path, content in files.items():
            if not path.name.endswith("-shm"):
                with path.open("r+b" if path.exists() else "wb") as file:
                    file.truncate()
                    file.write(content)

    return put_back
