"""The data folder is its owner's; what is somebody else's in it, and a folder that is shared, is left alone."""

from __future__ import annotations

import stat
from pathlib import Path

from pyrochat.storage.data_folder import open_data_folder
from pyrochat.storage.log_file import log_path

OURS = [
    "names.sqlite3", "names.sqlite3-wal", "names.sqlite3-shm", "server-key.pem", "tls.pem",
    "rooms/lobby.sqlite3", "rooms/lobby.sqlite3-wal", "rooms/lobby.sqlite3-shm", "rooms/lobby.search",
    "rooms/lobby.tail", "rooms/lobby.lock", "rooms/lobby-before-20261125T120000.sqlite3", "drafts/x.json",
]  # fmt: skip


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def laid_open(data: Path) -> None:
    """A folder as an older version made it under the umask 022."""
    for name in OURS:
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text(name)
    for path in [data, *data.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def test_found_07_what_an_older_version_made_is_closed(data: Path) -> None:
    laid_open(data)
    open_data_folder(data)
    for path in [data, *data.rglob("*")]:
        assert mode(path) == (0o700 if path.is_dir() else 0o600), path
    assert (data / OURS[0]).read_text() == OURS[0]


def test_found_07_in_a_folder_that_is_shared_only_what_is_ours_is_closed(data: Path, tmp_path: Path) -> None:
    laid_open(data)
    for name in ("recipes.txt", "names.sqlite3.txt", "rooms.txt"):
        (data / name).write_text("somebody else's")
        (data / name).chmod(0o644)
    outside = tmp_path / "outside"
    outside.write_text("somebody else's")
    outside.chmod(0o644)
    (data / "rooms" / "link").symlink_to(outside)
    data.chmod(0o1777)
    open_data_folder(data)
    assert mode(data) == 0o1777
    assert {mode(data / name) for name in OURS} == {0o600}
    assert mode(log_path(data, "lobby").parent) == 0o700
    assert {mode(data / name) for name in ("recipes.txt", "names.sqlite3.txt", "rooms.txt")} == {0o644}
    assert mode(outside) == 0o644


def test_a_new_folder_is_made_with_what_is_above_it(data: Path) -> None:
    open_data_folder(data / "one" / "two")
    assert [mode(path) for path in (data, data / "one", data / "one" / "two")] == [0o700] * 3
