"""Small private files: whole, made once, and nobody else's."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyrochat.trust.files import (
    close_folder,
    keep,
    make_folder,
    make_private,
    read_json,
    read_small,
    write_new,
    write_private,
)
from pyrochat.values.errors import Unavailable
from tests.support import together


@pytest.fixture(params=[0, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """One that takes nothing, and one that takes everything."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_made_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file"
    assert keep(path, lambda: b"first") == b"first"
    assert keep(path, lambda: pytest.fail("it is there already")) == b"first"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_whatever_the_umask_is_nobody_else_can_read(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        keep(tmp_path / "kept", lambda: b"x")
        write_private(tmp_path / "written", b"x")
    finally:
        os.umask(before)
    for name in ("kept", "written"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_of_many_that_make_it_at_once_all_get_the_same(tmp_path: Path) -> None:
    found = together([lambda n=n: keep(tmp_path / "file", lambda: b"%d" % n * 1_000) for n in range(16)])  # type: ignore[misc]
    assert len(set(found)) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_file_is_replaced_whole_and_becomes_private(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")
    path.chmod(0o644)
    write_private(path, b"after")
    assert path.read_bytes() == b"after"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_found_25_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    """Who keeps files elsewhere and links to them still has a link after they were written, or made."""
    for name, write in (("written", write_private), ("kept", lambda path, data: keep(path, lambda: data))):
        (tmp_path / name).symlink_to(tmp_path / "elsewhere" / f"{name}.json")
        write(tmp_path / name, b"ours")
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / "elsewhere" / f"{name}.json").read_bytes() == b"ours"
        assert (tmp_path / "elsewhere" / f"{name}.json").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in (tmp_path / "elsewhere").iterdir()) == ["kept.json", "written.json"]


def test_what_has_to_be_new_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "link", b"a key")
    assert [path.name for path in tmp_path.iterdir()] == ["link"]


def test_a_folder_that_can_not_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "no folder").write_bytes(b"")
    path = tmp_path / "no folder" / "file"
    for attempt in (lambda: keep(path, lambda: b"x"), lambda: write_private(path, b"x")):
        with pytest.raises(Unavailable, match="choose a folder that you can write"):
            attempt()


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(Unavailable):
        write_private(tmp_path / "taken", b"data")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


# -- modes ---------------------------------------------------------------------------------------------------------


def test_found_07_whatever_the_umask_is_files_and_folders_are_for_their_owner(tmp_path: Path, umask: int) -> None:
    make_folder(tmp_path / "one" / "two" / "three")
    make_private(tmp_path / "one" / "database")
    write_private(tmp_path / "four" / "written", b"x")
    write_new(tmp_path / "five" / "new", b"x")
    for path in tmp_path.rglob("*"):
        assert mode(path) == (0o700 if path.is_dir() else 0o600), path
    assert os.umask(umask) == umask, "it is the process's own"


def test_found_07_a_file_that_is_there_is_closed_to_others_and_keeps_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "database"
    path.write_bytes(b"rows")
    path.chmod(0o664)
    make_private(path)
    assert (path.read_bytes(), mode(path)) == (b"rows", 0o600)
    path.chmod(0o400)
    make_private(path)
    assert mode(path) == 0o400, "its owner may have wanted that"


def test_found_07_a_folder_with_anything_of_somebody_else_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "ours.json").touch()
    (tmp_path / "recipes.txt").touch()
    close_folder(tmp_path, lambda name: name.startswith("ours"))
    assert mode(tmp_path) == 0o755
    (tmp_path / "recipes.txt").unlink()
    close_folder(tmp_path, lambda name: name.startswith("ours"))
    assert mode(tmp_path) == 0o700


# -- what is no file, or too much of one ---------------------------------------------------------------------------


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_found_27f_what_is_no_file_is_refused_at_once(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "thing")
    for read in (read_small, read_json):
        with pytest.raises(OSError, match="has to be a file"):
            read(tmp_path / "thing")
    with pytest.raises(Unavailable, match="has to be a file"):
        keep(tmp_path / "thing", lambda: pytest.fail("it is there already"))


def test_found_27f_a_device_is_refused_and_so_is_what_is_too_large() -> None:
    with pytest.raises(OSError, match="has to be a file"):
        read_small(Path("/dev/zero"))
    with pytest.raises(OSError, match="has more than 1,000 bytes"):
        read_small(Path("/dev/zero"), 1000, wait_seconds=10)


def test_a_file_may_have_as_many_bytes_as_are_allowed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 1000)
    assert read_small(tmp_path / "file", 1000) == b"x" * 1000
    with pytest.raises(OSError, match="has more than 999 bytes"):
        read_small(tmp_path / "file", 999)


def test_a_pipe_is_read_where_one_is_expected_and_not_waited_for_for_ever(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="nothing has come out of it"):
        read_small(tmp_path / "pipe", wait_seconds=0.05)
    with subprocess.Popen(["/bin/sh", "-c", 'echo one >"$0"', tmp_path / "pipe"]):
        assert read_small(tmp_path / "pipe", wait_seconds=20) == b"one\n"


@pytest.mark.parametrize("depth", [500, 990, 100_000])
def test_found_27f_json_that_is_nested_deeply_is_refused_or_read(tmp_path: Path, depth: int) -> None:
    (tmp_path / "file").write_text("[" * depth + "]" * depth)
    try:
        assert isinstance(read_json(tmp_path / "file"), list)
    except ValueError as error:
        assert str(error) == "it is nested too deeply"  # noqa: PT017 - which of both depends on the Python
    else:
        assert depth < 100_000


# -- file systems --------------------------------------------------------------------------------------------------


def no_links(fresh: Path, path: Path) -> None:
    """As exFAT's, and Android's."""
    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(fresh))


def test_found_25_a_file_system_without_links_keeps_files_too(tmp_path: Path) -> None:
    assert keep(tmp_path / "file", lambda: b"first", no_links) == b"first"
    assert keep(tmp_path / "file", lambda: pytest.fail("it is there already"), no_links) == b"first"
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "file", b"second", no_links)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_found_25_without_links_too_all_that_make_a_file_at_once_get_the_same(tmp_path: Path) -> None:
    found = together(
        [lambda n=n: keep(tmp_path / "file", lambda: b"%d" % n * 1_000, no_links) for n in range(16)]  # type: ignore[misc]
    )
    assert len(set(found)) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
