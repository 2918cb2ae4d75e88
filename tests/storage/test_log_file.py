"""Where a room's files are: short names for every room, and those that earlier versions gave."""

from __future__ import annotations

import hashlib
import unicodedata
import urllib.parse
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyrochat
from pyrochat.storage.backup import back_up
from pyrochat.storage.log_file import file_stem, is_used, log_path
from pyrochat.storage.sqlite_log import SqliteLog
from pyrochat.storage.verifying import verify_file
from pyrochat.values.errors import InvalidRoomName
from pyrochat.values.rules import checked_room_name, fold, fold_before_nfkc
from tests.support import QUICK, chat_message

LONG_NAMES = ["会" * 26, "会" * 27, "会" * 28, "会" * 32, "\U00010400" * 32, "\u0390" * 32, "ก้" * 16, "ש" * 32]
ASCII_NAMES = ["lobby", "con", ".x", "x.", "..x", "-rf", "nul.txt", "A" * 32, "x.search", "x.tail"]
MOST_BYTES = 143 - len("-before-20251126T050000.sqlite3-journal")  # what file systems that encrypt names leave of 255


def nothing(done: int, total: int) -> None:
    """Nobody is looking."""


def percent_encoded(data: Path, room: str) -> Path:
    """Where earlier versions put the log of *room*."""
    return data / "rooms" / f"{urllib.parse.quote(fold(room), safe='')}.sqlite3"


@pytest.mark.parametrize("room", ASCII_NAMES)
def test_a_name_in_ascii_is_its_files_name(tmp_path: Path, room: str) -> None:
    assert log_path(tmp_path, room) == tmp_path / "rooms" / f"{room.lower()}.sqlite3"


@given(
    st.text(st.characters(categories=["Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Nd", "Nl", "No"]), min_size=1, max_size=32)
)
def test_found_18_every_name_has_short_files_that_no_file_system_spells_otherwise(name: str) -> None:
    try:
        room = checked_room_name(name)
    except InvalidRoomName:
        return
    stem = file_stem(room)
    assert len(stem.encode()) <= MOST_BYTES
    assert stem.isascii()
    assert stem == stem.lower()
    assert "/" not in stem
    assert file_stem(unicodedata.normalize("NFD", room)) == stem
    assert fold(room).isascii() or "~" in stem, "no name in ASCII has it"


def test_found_18_every_room_has_files_of_its_own(tmp_path: Path) -> None:
    names = {fold(name) for name in [*LONG_NAMES, *ASCII_NAMES, file_stem("会").replace("~", "-")]}
    assert len({log_path(tmp_path, name) for name in names}) == len(names)


@pytest.mark.parametrize("room", LONG_NAMES)
def test_found_18_a_room_of_any_name_is_kept_verified_copied_and_given_up(tmp_path: Path, room: str) -> None:
    path = log_path(tmp_path, room)
    log = SqliteLog(path, room)
    log.append([chat_message(1), chat_message(2)])
    log.look()
    log.close()
    assert is_used(log_path(tmp_path, room))
    assert verify_file(log_path(tmp_path, room), nothing)[1].whole_up_to == 2
    assert back_up(log_path(tmp_path, room), tmp_path / "copy.sqlite3", nothing).whole_up_to == 2
    again = SqliteLog(path, room)
    again.append([], loss="somebody saw more")
    again.close()
    SqliteLog(path, room, accept_loss=True).close()
    assert {file.name.removeprefix(file_stem(room)).split("-before")[0] for file in path.parent.iterdir()} == {
        ".sqlite3", ".lock", ".tail", "",
    }  # fmt: skip


@pytest.mark.parametrize("room", ["Zoë", "会议", "会" * 26])
def test_found_18_what_an_earlier_version_has_made_goes_on_being_found(tmp_path: Path, room: str) -> None:
    before = percent_encoded(tmp_path, room)
    log = SqliteLog(before, room)
    log.append([chat_message(1)])
    log.close()
    assert log_path(tmp_path, room) == before
    with (
        pyrochat.host(room, tmp_path, nameserver=False, timing=QUICK) as server,
        pyrochat.join("Ana", room, at=server.at, timing=QUICK) as ana,
    ):
        assert [message.text for message in ana.history()] == ["hi", "Ana joined"]
        assert [message.id for message in ana.search("hi")] == [1]
    assert {file.stem for file in before.parent.iterdir()} == {before.stem}
    again = SqliteLog(before, room)
    again.append([], loss="somebody saw more")
    again.close()
    SqliteLog(before, room, accept_loss=True).close()  # the copy's name is no longer than others


def test_a_room_is_found_whose_name_was_compared_otherwise_before(tmp_path: Path) -> None:
    """Full-width letters: they are ASCII now, and were a name of their own before NFKC."""
    digest = hashlib.sha256(fold_before_nfkc("Ｔea").encode()).hexdigest()[:32]
    before = tmp_path / "rooms" / f"room~{digest}.sqlite3"
    SqliteLog(before, "Ｔea").close()
    assert log_path(tmp_path, "Ｔea") == before
    assert log_path(tmp_path, "tea").name == "tea.sqlite3"
    SqliteLog(log_path(tmp_path, "tea"), "tea").close()
    assert log_path(tmp_path, "Ｔea").name == "tea.sqlite3"


def test_found_18_of_two_files_of_one_room_the_newer_names_counts(tmp_path: Path) -> None:
    SqliteLog(percent_encoded(tmp_path, "Zoë"), "Zoë").close()
    path = percent_encoded(tmp_path, "Zoë").with_name(f"{file_stem('Zoë')}.sqlite3")
    SqliteLog(path, "Zoë").close()
    assert log_path(tmp_path, "zoë") == path
