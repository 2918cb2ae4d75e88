"""Archiving: the old log stays as it is, a new one begins, and it says what it comes after."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyrochat.core.log import MemberRecord
from pyrochat.storage import archiving
from pyrochat.storage.archiving import archive
from pyrochat.storage.log_file import log_path
from pyrochat.storage.reading import messages_in
from pyrochat.storage.sqlite_log import SqliteLog
from pyrochat.storage.verifying import verify_file
from pyrochat.values.errors import CannotHost, LogInUse, LogUnreadable
from tests.support import chat_message


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed log of three messages."""
    path = log_path(tmp_path, "lobby")
    log = SqliteLog(path, "lobby")
    log.append([chat_message(id) for id in (1, 2, 3)], [MemberRecord("Erick", 3, 3, 1, 1)])
    log.close()
    return path


def test_the_old_log_stays_whole_and_a_new_one_begins(path: Path) -> None:
    before = verify_file(path, lambda done, total: None)
    first = archive(path, "lobby")
    assert verify_file(first.kept, lambda done, total: None) == before
    assert (first.messages, first.digest) == (3, before[1].digest)
    assert messages_in(first.kept) == [chat_message(id) for id in (1, 2, 3)]
    log = SqliteLog(path, "lobby")
    assert (log.tail, log.members(), log.loss, log.forks) == (0, [], None, {})
    assert log.identity != before[0].identity
    assert log.archived == {before[0].identity: 3}
    log.append([chat_message(1)])
    second = log.identity
    log.close()
    archive(path, "lobby")
    log = SqliteLog(path, "lobby")
    assert log.archived == {before[0].identity: 3, second: 1}
    log.close()
    assert len(list(path.parent.glob("lobby-until-*"))) == 2


def test_a_clusters_log_is_not_archived_by_one_of_its_servers(tmp_path: Path) -> None:
    path = log_path(tmp_path, "lobby")
    log = SqliteLog(path, "lobby", shared="an identity")
    log.append([chat_message(1)])
    log.close()
    with pytest.raises(CannotHost, match="is a cluster's: take it out first"):
        archive(path, "lobby")
    assert len(messages_in(path)) == 1


def test_what_can_not_be_archived_stays_as_it_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LogUnreadable, match="no log"):
        archive(path.with_name("none.sqlite3"), "none")
    log = SqliteLog(path, "lobby")
    with pytest.raises(LogInUse):
        archive(path, "lobby")
    log.close()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(archiving.os, "link", full)
        with pytest.raises(CannotHost, match="No space left"):
            archive(path, "lobby")
    assert messages_in(path) == [chat_message(id) for id in (1, 2, 3)]
    assert {file.suffix for file in path.parent.iterdir()} <= {".sqlite3", ".tail", ".lock"}
    archive(path, "lobby")
    with pytest.raises(LogUnreadable, match="nothing to archive"):
        archive(path, "lobby")
