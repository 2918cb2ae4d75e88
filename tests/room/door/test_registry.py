"""The file of the register: held by others, failing as disks do, taken away. What it says: `security/test_registry.py`."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pyrochat import NameTaken
from pyrochat.core.registry import command_from_wire
from pyrochat.room.door.registry import Registry
from pyrochat.storage.registry_file import Tables
from pyrochat.values.errors import CannotHost, LogUnavailable
from tests.core.test_registry import Memory
from tests.support import Running, eventually

KEY, OTHER_KEY = b"k" * 32, b"o" * 32


@contextlib.contextmanager
def held(data: Path) -> Iterator[sqlite3.Connection]:
    """The register is held by somebody else who writes, as an operator's tool may do for a while."""
    with contextlib.closing(sqlite3.connect(data / "names.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield other


def test_found_27d_who_is_known_does_not_wait_behind_newcomers(tmp_path: Path) -> None:
    with contextlib.closing(Registry(tmp_path, busy_seconds=60)) as registry:
        registry.claim("Ana", KEY)
        with held(tmp_path) as other:
            newcomers = [Running(lambda n=n: registry.claim(f"New{n}", bytes([n]) * 32)) for n in range(3)]  # type: ignore[misc]
            eventually(registry.file._writing_mutex.locked)
            registry.claim("Ana", KEY)
            registry.claim("Guest", None)
            assert not registry.is_banned("ana", KEY)
            assert not registry.has_changed()
            with pytest.raises(NameTaken):
                registry.claim("Ana", OTHER_KEY)
            assert not any(newcomer.is_done for newcomer in newcomers)
            other.execute("ROLLBACK")
        for newcomer in newcomers:
            newcomer.result()
        assert len(registry.entries()) == 4


class FailingConnection(sqlite3.Connection):
    """Fails as a disk does: what is in `failures`, by the beginning of a statement."""

    failures: ClassVar[dict[str, str]] = {}

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        for beginning, error in self.failures.items():
            if statement.startswith(beginning):
                raise sqlite3.OperationalError(error)
        return super().execute(statement, *parameters)


@pytest.mark.parametrize(
    ("statement", "error", "what"),
    [
        ("SELECT", "disk I/O error", "read"), ("SELECT", "database disk image is malformed", "read"),
        ("INSERT", "attempt to write a readonly database", "write"), ("COMMIT", "disk I/O error", "write"),
    ],
)  # fmt: skip
def test_found_27e_a_register_that_fails_is_said_once_for_each_way_to_fail(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, statement: str, error: str, what: str
) -> None:
    failures: dict[str, str] = {}

    class Failing(FailingConnection):
        pass

    Failing.failures = failures

    def connect(path: Path, busy_seconds: float) -> sqlite3.Connection:
        return sqlite3.connect(
            path, timeout=busy_seconds, factory=Failing, check_same_thread=False, isolation_level=None
        )

    with contextlib.closing(Registry(tmp_path, connect=connect)) as registry:
        failures[statement] = error
        for _ in range(3):
            with pytest.raises(LogUnavailable, match=f"register of names can't be used .{error}"):
                registry.claim("Ana", KEY)
        failures.clear()
        registry.claim("Ana", KEY)  # no transaction was left open
        assert registry.key_of("ana") == KEY
    [said] = caplog.records
    assert said.message.startswith(f"the register of names: names.sqlite3 can't be used to {what} ({error})")


def test_found_27e_a_damaged_page_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with contextlib.closing(Registry(tmp_path)) as registry:
        for number in range(300):
            registry.claim(f"Ana{number}", number.to_bytes(32, "big"))
    content = bytearray((tmp_path / "names.sqlite3").read_bytes())
    content[4096 * 3 :] = b"\xab" * (len(content) - 4096 * 3)
    (tmp_path / "names.sqlite3").write_bytes(content)
    with contextlib.closing(Registry(tmp_path)) as registry:
        for _ in range(3):
            with pytest.raises(LogUnavailable, match="malformed"):
                registry.entries()
    [said] = caplog.records
    assert "malformed" in said.message


def test_found_22_a_register_that_is_taken_away_takes_no_new_names(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with contextlib.closing(Registry(tmp_path / "data")) as registry:
        registry.claim("Ana", KEY)
        shutil.rmtree(tmp_path / "data")
        for _ in range(3):
            assert not registry.has_changed()
            registry.claim("Ana", KEY)
            with pytest.raises(LogUnavailable, match="deleted or replaced under its server"):
                registry.claim("Igor", OTHER_KEY)
    [said] = caplog.records
    assert said.levelno == logging.CRITICAL
    assert "IT IS NOT IN ITS PLACE ANY MORE" in said.message


def test_found_27a_several_who_make_a_register_at_the_same_moment_all_get_it(tmp_path: Path) -> None:
    """Where a new file is put into WAL mode, SQLite lets nobody wait. Each process goes through the same folders."""
    program = (
        "import sys, pathlib\n"
        "from pyrochat.room.door.registry import Registry\n"
        "print('here', flush=True)\n"
        "sys.stdin.readline()\n"
        "for number in range(100):\n"
        "    Registry(pathlib.Path(sys.argv[1]) / str(number)).close()\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with contextlib.ExitStack() as ends:
        processes = [
            ends.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            for _ in range(4)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "here\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        assert [process.wait(60) for process in processes] == [0] * 4


OLD_SCHEMA = """
CREATE TABLE names (member TEXT PRIMARY KEY, name TEXT NOT NULL, key BLOB, since_us INTEGER NOT NULL,
    banned INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE rooms (room TEXT PRIMARY KEY, name TEXT NOT NULL, creator TEXT NOT NULL, since_us INTEGER NOT NULL)
    WITHOUT ROWID;
"""


def of_the_release(data: Path) -> None:
    """A register as the release of 25 November has made it: two names that are one now, and two rooms."""
    with contextlib.closing(sqlite3.connect(data / "names.sqlite3")) as db:
        db.executescript(OLD_SCHEMA)
        names = [
            ("ana", "Ana", KEY, 3, 0),
            ("erick", "Erick", KEY, 2, 0),
            ("ｅrick", "Ｅrick", OTHER_KEY, 1, 0),
            ("eve", "Eve", None, 4, 1),
        ]
        db.executemany("INSERT INTO names VALUES (?, ?, ?, ?, ?)", names)
        db.executemany("INSERT INTO rooms VALUES (?, ?, ?, ?)", [("tea", "Tea", "Ana", 1), ("ｔea", "Ｔea", "Igor", 2)])
        db.commit()


def test_names_that_are_one_now_keep_their_keys_and_the_younger_waits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    of_the_release(tmp_path)
    with contextlib.closing(Registry(tmp_path)) as registry:
        assert [(e.name, e.key, e.banned, e.rival) for e in registry.entries()] == [
            ("Ｅrick", OTHER_KEY, False, False), ("Erick", KEY, False, True), ("Ana", KEY, False, False), ("Eve", None, True, False),
        ]  # fmt: skip
        registry.claim("erick", OTHER_KEY)
        registry.claim("Ｅrick", OTHER_KEY)
        with pytest.raises(NameTaken, match=r"'Erick' is the same as 'Ｅrick' now.*names remove"):
            registry.claim("Erick", KEY)
        assert registry.rival_of("erick") == "Erick"
        assert registry.is_banned("eve", None)
        assert [room.name for room in registry.rooms()] == ["Tea"]
    assert sum("are one since names are compared after NFKC" in r.message for r in caplog.records) == 1
    assert sum("has the name of room 'Tea' now" in r.message for r in caplog.records) == 1
    caplog.clear()
    with contextlib.closing(Registry(tmp_path)) as registry:
        registry.remove("Ｅrick")
        registry.claim("Erick", KEY)
        assert registry.rival_of("erick") is None
    assert caplog.records == []


def test_its_entries_make_what_is_in_its_tables(tmp_path: Path) -> None:
    of_the_release(tmp_path)
    with contextlib.closing(Registry(tmp_path)) as registry:
        registry.claim("Igor", b"i" * 32)
        registry.ban("Igor")
        registry.unban("Igor")
        registry.remember_room("zoo", "Igor")
        registry.forget_room("Tea")
        registry.remove("Ana")
        with pytest.raises(NameTaken):
            registry.claim("Ｉgor", KEY)
    replayed = Memory()
    with contextlib.closing(sqlite3.connect(tmp_path / "names.sqlite3")) as db:
        for time_us, entry in db.execute("SELECT time_us, command FROM entries ORDER BY number").fetchall():
            replayed.number = time_us - 1
            replayed.do(command_from_wire(json.loads(entry)))
        assert sorted(replayed.names.values()) == sorted(Tables(db).names())
        assert sorted(replayed.rooms.values()) == sorted(Tables(db).rooms())
        assert sorted(replayed.closed_ones.values()) == sorted(Tables(db).closed_rooms())
        assert replayed.entrants("+1") == Tables(db).entrants("+1")


def test_a_register_of_a_later_version_is_not_opened(tmp_path: Path) -> None:
    Registry(tmp_path).close()
    with contextlib.closing(sqlite3.connect(tmp_path / "names.sqlite3")) as db:
        db.execute("PRAGMA user_version = 4")
    with pytest.raises(CannotHost, match="upgrade PyroChat"):
        Registry(tmp_path)
