"""One server for each log, by whichever path it comes: another folder, a hard link, a symlink."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyrochat import CannotHost, LogInUse
from pyrochat.storage.log_lock import LogLock
from pyrochat.storage.sqlite_log import SqliteLog
from tests.support import Running, chat_message

HOLDER = """
import sys
from pathlib import Path
from pyrochat.storage.sqlite_log import SqliteLog
log = SqliteLog(Path(sys.argv[1]), "lobby")
print("open", flush=True)
sys.stdin.readline()
log.close()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rooms" / "lobby.sqlite3"


@pytest.fixture
def held_elsewhere(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the log open."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


def hard_link(path: Path, folder: Path) -> Path:
    folder.mkdir()
    os.link(path, folder / "lobby.sqlite3")
    return folder / "lobby.sqlite3"


def symlink(path: Path, folder: Path) -> Path:
    folder.mkdir()
    (folder / "lobby.sqlite3").symlink_to(path)
    return folder / "lobby.sqlite3"


def linked_folder(path: Path, folder: Path) -> Path:
    folder.symlink_to(path.parent, target_is_directory=True)
    return folder / "lobby.sqlite3"


ANOTHER_WAY = pytest.mark.parametrize("way", [hard_link, symlink, linked_folder])
Way = Callable[[Path, Path], Path]


@ANOTHER_WAY
def test_found_22_another_process_is_kept_away_by_whichever_path(
    path: Path, tmp_path: Path, way: Way, held_elsewhere: subprocess.Popen[str]
) -> None:
    other = way(path, tmp_path / "other")
    for _ in range(2):  # what has looked takes no lock of the other's away
        with pytest.raises(LogInUse, match="another server has the log of room 'lobby' open"):
            SqliteLog(other, "lobby")
    assert held_elsewhere.stdin is not None
    held_elsewhere.stdin.write("\n")
    held_elsewhere.stdin.flush()
    assert held_elsewhere.wait(20) == 0
    SqliteLog(other, "lobby").close()


@ANOTHER_WAY
def test_found_22_this_very_process_is_kept_away_and_named(path: Path, tmp_path: Path, way: Way) -> None:
    with contextlib.closing(SqliteLog(path, "lobby")) as log:
        other = way(path, tmp_path / "other")
        with pytest.raises(LogInUse, match=f"in this very process .*{path}"):
            SqliteLog(other, "lobby")
        log.append([chat_message(1)])
        assert locks_of(path) > 0
    SqliteLog(other, "lobby").close()


def locks_of(path: Path) -> int:
    """How many POSIX locks this process has on the file: SQLite's own, as the kernel lists them."""
    inode = f":{path.stat().st_ino}"
    lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return sum(line[1] == "POSIX" and line[4] == str(os.getpid()) and line[5].endswith(inode) for line in lines)


def test_found_22_accepting_a_loss_leaves_sqlite_its_locks(path: Path) -> None:
    """Closing a second descriptor of the file would give them up: whoever looks at the log then would delete its WAL."""
    SqliteLog(path, "lobby").close()
    with contextlib.closing(SqliteLog(path, "lobby")) as log:
        log.append([chat_message(1)])
        log.append([], loss="somebody saw more")
    with contextlib.closing(SqliteLog(path, "lobby", accept_loss=True)):
        assert locks_of(path) > 0
        [kept] = path.parent.glob("lobby-before-*.sqlite3")
    with contextlib.closing(SqliteLog(kept, "lobby")) as copy:
        assert copy.tail == 1


def test_found_22_a_lock_that_was_taken_in_one_thread_is_let_go_in_another(path: Path) -> None:
    lock = Running(lambda: LogLock(path, "lobby")).result()
    assert isinstance(lock, LogLock)
    with pytest.raises(LogInUse):
        LogLock(path, "lobby")
    lock.release()
    lock.release()
    LogLock(path, "lobby").release()


def test_a_lock_leaves_what_is_in_the_file(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"a log")
    LogLock(path, "lobby").release()
    assert path.read_bytes() == b"a log"


def test_a_folder_in_the_place_of_the_log_is_said(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(CannotHost, match="choose another folder with data="):
        LogLock(path, "lobby")
