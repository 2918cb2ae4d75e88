"""A copy that was tampered with: with a changed byte its own digests tell, a rewritten one is whole, and another one."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from lab.faults.machines.tampering import change_a_byte, rewrite
from pyrochat.storage.log_file import log_path
from pyrochat.storage.sqlite_log import SqliteLog
from pyrochat.storage.verifying import Verdict, verify_file
from tests.support import chat_message

COUNT = 60


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed log of COUNT messages."""
    path = log_path(tmp_path, "lobby")
    log = SqliteLog(path, "lobby")
    log.append([chat_message(id, f"text {id}", key=f"key-{id}") for id in range(1, COUNT + 1)])
    log.close()
    return path


def walked(path: Path) -> Verdict:
    return verify_file(path, lambda done, total: None)[1]


@pytest.mark.parametrize("seed", range(5))
def test_a_changed_byte_is_in_one_message(path: Path, seed: int) -> None:
    said = change_a_byte(path, random.Random(seed))
    verdict = walked(path)
    assert verdict.damage is not None
    assert said.startswith(f"message {verdict.whole_up_to + 1} ")
    assert f"message {verdict.whole_up_to + 1} was changed" in verdict.damage


def test_a_rewritten_log_is_whole_and_ends_with_another_digest(path: Path) -> None:
    before = walked(path)
    rewrite(path, random.Random(1))
    after = walked(path)
    assert after.damage is None
    assert after.whole_up_to == before.whole_up_to == COUNT
    assert after.digest != before.digest
    SqliteLog(path, "lobby").close()  # nothing on this machine tells
