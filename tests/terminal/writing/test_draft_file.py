"""Drafts of several clients of one user: none overwrites another's, and none is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyrochat.terminal.writing.draft_file import DraftFile
from pyrochat.terminal.writing.drafts import Draft, Unsent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the first client's file is."""
    return tmp_path / "drafts" / "lobby.json"


def test_a_draft_is_there_the_next_time(path: Path) -> None:
    first = DraftFile(path)
    assert first.draft == Draft()
    first.keep(Draft("half a", (Unsent("later", "k1"),), ("sent",)))
    first.close()
    again = DraftFile(path)
    assert again.draft == Draft("half a", (Unsent("later", "k1"),), ("sent",))
    again.close()


def test_two_clients_at_once_have_a_file_each(path: Path) -> None:
    one, other = DraftFile(path), DraftFile(path)
    one.keep(Draft("mine"))
    other.keep(Draft("yours", (Unsent("later", "k1"),)))
    one.keep(Draft("mine, longer"))
    one.close()
    other.close()
    after = DraftFile(path)
    assert after.draft.text == "mine, longer"
    assert after.draft.unsent == (Unsent("later", "k1"),)  # sent by whoever comes next
    beside = DraftFile(path)
    assert beside.draft == Draft("yours")
    for client in (after, beside):
        client.close()


def test_what_a_client_that_has_ended_left_is_taken_over_once(path: Path) -> None:
    one, other = DraftFile(path), DraftFile(path)
    other.keep(Draft("yours"))
    one.close()
    other.close()
    after = DraftFile(path)
    assert after.draft.text == "yours"
    after.keep(Draft())
    after.close()
    last = DraftFile(path)
    assert last.draft == Draft()
    last.close()


def test_a_running_clients_draft_is_left_alone(path: Path) -> None:
    one, other = DraftFile(path), DraftFile(path)
    other.keep(Draft("still being written", (Unsent("on its way", "k1"),)))
    one.close()
    after = DraftFile(path)
    assert after.draft == Draft()
    for client in (after, other):
        client.close()


def test_found_27f_a_draft_of_another_client_that_can_not_be_read_ends_nothing(path: Path) -> None:
    path.parent.mkdir()
    path.with_name("lobby~1.json").write_text("[" * 100_000)
    first = DraftFile(path)
    assert first.draft == Draft()
    assert "nested too deeply" in first.notices[0]
    first.close()


def test_where_no_file_can_be_had_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    nowhere = DraftFile(tmp_path / "file" / "lobby.json")
    assert nowhere.notices == [
        f"what you write is not kept for the next time: no file can be had in {tmp_path / 'file'}"
    ]
    nowhere.keep(Draft("half a"))
    nowhere.close()


def test_no_locks_are_left_behind(path: Path) -> None:
    clients = [DraftFile(path) for _ in range(4)]
    for client in clients:
        client.keep(Draft("mine"))
    for client in clients:
        client.close()
    assert list(path.parent.glob("*.lock")) == []
