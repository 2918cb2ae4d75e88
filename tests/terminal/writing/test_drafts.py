"""What was written is there the next time, whatever happened in between."""

from __future__ import annotations

import json
import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyrochat.terminal.writing.drafts import MOST_CHARACTERS, Draft, Unsent, draft_file, keep, recall
from pyrochat.values.errors import Unavailable
from pyrochat.values.rules import checked_key, checked_name

ANY_TEXT = st.text(st.characters(exclude_categories=()))
DRAFTS = st.builds(
    Draft,
    ANY_TEXT,
    st.lists(st.builds(Unsent, ANY_TEXT, ANY_TEXT) | st.builds(Unsent, ANY_TEXT)).map(tuple),
    st.lists(ANY_TEXT).map(tuple),
)
DRAFT = Draft("half a sen", (Unsent("one"), Unsent("two")), ("zero",))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "drafts" / "draft.json"


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], max_examples=30)
@given(DRAFTS)
def test_what_is_kept_comes_back(path: Path, draft: Draft) -> None:
    keep(path, draft)
    assert recall(path) == draft


def test_where_nothing_was_kept_there_is_an_empty_draft(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert recall(path) == Draft()
    assert not caplog.records


def test_it_is_for_its_owner_only(path: Path) -> None:
    keep(path, DRAFT)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) & 0o077 == 0


class Crash(BaseException):
    """The end of the process."""


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_crash_while_it_is_written_leaves_the_one_before(
    path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*arguments: object) -> None:
        raise Crash

    keep(path, DRAFT)
    with monkeypatch.context() as patch:
        patch.setattr(os, step, crash)
        with pytest.raises(Crash):
            keep(path, Draft("later"))
    assert recall(path) == DRAFT
    keep(path, Draft("later"))
    assert recall(path) == Draft("later")


UNREADABLE = [
    b"", b"{", b"\xff\xfe", b"null", b"[]", b"7", b'"text"', b"{}", b'{"text": "half"}',
    b'{"text": 1, "unsent": [], "typed": []}', b'{"text": "", "unsent": [1], "typed": []}',
    b'{"text": "", "unsent": [["key"]], "typed": []}', b'{"text": "", "unsent": {}, "typed": []}',
    b"[" * 100_000, b'{"text": "", "unsent": [], "typed": [' + b"[" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("content", UNREADABLE)
def test_what_can_not_be_read_is_moved_away_and_not_lost(
    path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING, "pyrochat"):
        assert recall(path) == Draft()
    assert [str(path) in record.getMessage() for record in caplog.records] == [True]
    keep(path, DRAFT)
    assert recall(path) == DRAFT
    [moved] = [file for file in path.parent.iterdir() if file != path]
    assert moved.read_bytes() == content


def test_what_can_not_be_read_twice_is_there_twice(path: Path) -> None:
    path.parent.mkdir()
    for content in ("{one", "{two"):
        path.write_text(content)
        recall(path)
    assert sorted(file.read_text() for file in path.parent.iterdir()) == ["{one", "{two"]


@pytest.mark.parametrize("depth", range(800, 1000, 10))
def test_found_27f_a_draft_that_is_nested_deeply_ends_nothing(path: Path, depth: int) -> None:
    path.parent.mkdir()
    path.write_text('{"text": "", "unsent": [], "typed": [' + "[" * depth + "]" * depth + "]}")
    recall(path)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_found_27f_a_pipe_or_a_folder_in_the_place_of_a_draft_is_moved_away(
    path: Path, make: Callable[[Path], None]
) -> None:
    path.parent.mkdir()
    make(path)
    said: list[str] = []
    assert recall(path, said.append) == Draft()
    assert "has to be a file" in said[0]
    keep(path, DRAFT)
    assert recall(path) == DRAFT


def test_found_27f_what_is_too_long_for_the_composer_is_kept_in_a_file_of_its_own(path: Path) -> None:
    most, long = "é" * MOST_CHARACTERS, "word " * 2_000_000
    keep(path, Draft(most, DRAFT.unsent, DRAFT.typed))
    assert recall(path, lambda text: pytest.fail(text)).text == most
    keep(path, Draft(long, (*DRAFT.unsent, Unsent(long)), (*DRAFT.typed, long)))
    said: list[str] = []
    assert recall(path, said.append) == Draft("", DRAFT.unsent, DRAFT.typed)
    [beside] = path.parent.glob("*.txt")
    assert said == [f"what was written has {2 * len(long):,} characters, too many to be sent: it is kept in {beside}"]
    assert beside.read_text() == f"{long}\n\n{long}"
    assert stat.S_IMODE(beside.stat().st_mode) == 0o600
    assert recall(path, lambda text: pytest.fail(text)).unsent == DRAFT.unsent, "it is said once"


def test_a_file_that_is_larger_than_any_draft_is_moved_away(path: Path) -> None:
    path.parent.mkdir()
    with path.open("wb") as file:
        file.truncate(65 * 1024 * 1024)
    said: list[str] = []
    assert recall(path, said.append) == Draft()
    assert "has more than 67,108,864 bytes" in said[0]


def test_a_folder_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    path = tmp_path / "file" / "draft.json"
    assert recall(path) == Draft()
    with pytest.raises(Unavailable, match="choose a folder"):
        keep(path, DRAFT)


def test_a_later_field_does_no_harm(path: Path) -> None:
    keep(path, DRAFT)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"mood": "good"}))
    assert recall(path) == DRAFT


LONG_NAMES = ["x" * 32, "é" * 32, "ж" * 32, "日" * 32, "𝔘" * 32]


@pytest.mark.parametrize("name", LONG_NAMES)
def test_every_name_has_a_file(tmp_path: Path, name: str) -> None:
    path = draft_file(tmp_path, "ab" * 16, checked_name(name))
    keep(path, DRAFT)
    assert recall(path) == DRAFT


def test_each_member_and_each_log_has_its_own() -> None:
    folder = Path("drafts")
    names = ["Ana", "Zoë", "..", "a.b", *LONG_NAMES, "日" * 31 + "本"]
    files = {draft_file(folder, log, name) for log in ("ab", "../cd") for name in names}
    assert len(files) == 2 * len(names)
    assert {file.parent for file in files} == {folder}
    assert draft_file(folder, "ab", "ZOË") == draft_file(folder, "ab", "Zoe\u0308")


def test_keys_are_taken_by_the_room_and_never_the_same() -> None:
    keys = [Unsent("hi").key for _ in range(1000)]
    assert len(set(keys)) == 1000
    assert all(checked_key(key) == key for key in keys)
