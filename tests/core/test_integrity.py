"""What shows that a log is not all that it ever was, and what shows nothing."""

from __future__ import annotations

import pytest

from pyrochat.core.integrity import Resumption, Tip, examine, missing
from pyrochat.core.memory_log import MemoryLog
from pyrochat.values.errors import LogLost, OtherLog
from tests.support import chat_message

FOUND = Tip("ours", 5, b"5")


@pytest.mark.parametrize(
    ("confirmed", "noted", "shown"),
    [
        (5, None, None),
        (6, None, "members have confirmed message 6"),
        (0, Tip("ours", 6, b"6"), "it had message 6"),
        (0, Tip("ours", 3, b"3"), None),
        (0, Tip("ours", 3, b"other"), "message 3 is not the one"),
        (0, Tip("another", 9, b"9"), None),
        (0, Tip("ours", 4, b"4"), None),
    ],
)
def test_what_shows_that_a_log_ended_later(confirmed: int, noted: Tip | None, shown: str | None) -> None:
    found = missing(FOUND, confirmed, noted, lambda id: None if id == 4 else str(id).encode())
    assert (found or "").startswith(shown or "")
    assert (found is None) == (shown is None)


@pytest.fixture
def log() -> MemoryLog:
    log = MemoryLog("lobby")
    log.append([chat_message(1), chat_message(2)])
    return log


def resume(log_id: str, position: int, digest: bytes | None = None) -> Resumption:
    return Resumption("session", log_id, position, digest, None)


def test_a_replica_that_is_the_logs_beginning_is_none(log: MemoryLog) -> None:
    for id in (0, 1, 2):
        assert examine(log, "Ana", resume(log.identity, id, log.digest(id)), lambda claim: False) is None


@pytest.mark.parametrize(("position", "digest"), [(3, None), (2, bytes(32))])
def test_only_what_is_proven_is_a_loss(log: MemoryLog, position: int, digest: bytes | None) -> None:
    claim = resume(log.identity, position, digest)
    with pytest.raises(LogLost, match="ask the room's operator"):
        examine(log, "Ana", claim, lambda claim: False)
    assert "Ana has" in (examine(log, "Ana", claim, lambda claim: True) or "")


def test_another_log_is_no_loss_and_an_archived_one_is_named(log: MemoryLog) -> None:
    log.forks, log.archived = {"earlier": 1}, {"archived": 9}
    assert examine(log, "Ana", resume("earlier", 1, log.digest(1)), lambda claim: True) is None
    for log_id, position, text in (
        ("earlier", 2, "another log"), ("unknown", 0, "another log"), ("archived", 3, "was archived at message 9"),
    ):  # fmt: skip
        with pytest.raises(OtherLog, match=text):
            examine(log, "Ana", resume(log_id, position), lambda claim: True)
    with pytest.raises(OtherLog):
        examine(log, "Ana", resume("earlier", 1, bytes(32)), lambda claim: True)
