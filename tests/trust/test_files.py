"""Small private files: whole, made once, and nobody else's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyrochat.trust.files import keep, write_private
from pyrochat.values.errors import Unavailable
from tests.support import together


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


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    """A link that somebody has put there is replaced, and what it points to stays as it was."""
    target = tmp_path / "target"
    target.write_bytes(b"somebody else's")
    (tmp_path / "file").symlink_to(target)
    write_private(tmp_path / "file", b"ours")
    assert target.read_bytes() == b"somebody else's"
    assert not (tmp_path / "file").is_symlink()


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
