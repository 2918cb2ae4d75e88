"""The contract of a log, held by every implementation."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyrochat import LogUnavailable, UnknownMessage
from pyrochat.core.digests import extend_chain, first_digest
from pyrochat.core.log import Log, MemberRecord
from pyrochat.core.memory_log import MemoryLog
from pyrochat.core.sessions import Session
from pyrochat.storage.sqlite_log import SqliteLog
from pyrochat.values.message import Message
from tests.support import chat_message, joined_message, left_message, together


@pytest.fixture(params=["memory", "sqlite"])
def open_log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Log]]:
    """Opens a log of the room "lobby"; a SQLite log again, when it is called again."""
    logs: list[Log] = []

    def open_() -> Log:
        for log in logs:
            log.close()
        logs.append(MemoryLog("lobby") if request.param == "memory" else SqliteLog(tmp_path / "log.sqlite3", "lobby"))
        return logs[-1]

    yield open_
    for log in logs:
        log.close()


@pytest.fixture
def log(open_log: Callable[[], Log]) -> Log:
    return open_log()


def everything(log: Log) -> tuple[int, list[Message], list[MemberRecord]]:
    return log.tail, log.read(0, 1000), sorted(log.members(), key=lambda record: record.member)


def test_a_new_log_is_empty_and_has_an_identity(log: Log) -> None:
    assert everything(log) == (0, [], [])
    assert uuid.UUID(log.identity)
    assert log.room == "lobby"


def test_two_logs_have_different_identities(tmp_path: Path) -> None:
    first, second = SqliteLog(tmp_path / "1.sqlite3", "lobby"), SqliteLog(tmp_path / "2.sqlite3", "lobby")
    first.close()
    second.close()
    identities = {first.identity, second.identity, MemoryLog("lobby").identity, MemoryLog("lobby").identity}
    assert len(identities) == 4


def test_what_was_appended_is_read_back_in_order(log: Log) -> None:
    messages = [chat_message(1, "olá ⏎ \n \x00 😀", key="a"), joined_message(2, "Zoë"), left_message(3, "Zoë")]
    log.append(messages[:1])
    log.append(messages[1:])
    assert log.tail == 3
    assert log.read(0, 1000) == messages


def test_read_gives_at_most_the_limit_after_an_id(log: Log) -> None:
    log.append([chat_message(id) for id in range(1, 11)])
    assert [m.id for m in log.read(0, 3)] == [1, 2, 3]
    assert [m.id for m in log.read(8, 5)] == [9, 10]
    assert log.read(3, 0) == log.read(10, 5) == log.read(99, 5) == []


def test_sessions_are_in_the_same_step_and_last(open_log: Callable[[], Log]) -> None:
    log = open_log()
    first, second = Session("1", "ana", "Ana"), Session("2", "igor", "Igor", 7)
    log.append([joined_message(1, "Ana")], sessions={"1": first, "2": second})
    assert sorted(log.sessions()) == [first, second]
    with pytest.raises(LogUnavailable):
        log.append([chat_message(2, key="k"), chat_message(3, key="k")], sessions={"1": None})
    assert sorted(log.sessions()) == [first, second]
    log.append([], sessions={"1": None, "2": second._replace(lost_at=None)})
    assert log.sessions() == [second._replace(lost_at=None)]
    if isinstance(log, SqliteLog):
        assert open_log().sessions() == [second._replace(lost_at=None)]


def test_messages_are_found_by_their_members_and_keys(log: Log) -> None:
    ana, igor = chat_message(1, sender="Ana", key="k"), chat_message(2, sender="IGOR", key="k")
    log.append([ana, igor, chat_message(3, sender="Ana")])
    assert log.find([("ana", "k")]) == {("ana", "k"): ana}
    assert log.find([("igor", "k"), ("ana", "k"), ("ana", "k")]) == {("ana", "k"): ana, ("igor", "k"): igor}
    assert log.find([("ana", "other"), ("zoë", "k"), ("Ana", "k")]) == {}
    assert log.find([]) == {}


@pytest.mark.parametrize(
    "batch",
    [
        [chat_message(2), chat_message(3, "again", key="k")],
        [chat_message(2), chat_message(3, "again", "ERICK", key="k")],
        [chat_message(2, key="new"), chat_message(3, sender="erick", key="new")],
    ],
    ids=["in the log", "in another spelling", "twice in the batch"],
)
def test_a_key_that_is_there_leaves_nothing_of_its_batch(log: Log, batch: list[Message]) -> None:
    log.append([chat_message(1, key="k")], [MemberRecord("Erick", 1, 1)])
    before = everything(log)
    with pytest.raises(LogUnavailable):
        log.append(batch, [MemberRecord("Erick", 3, 3), MemberRecord("Ana")])
    assert everything(log) == before
    assert log.find([("erick", "new")]) == {}
    log.append([chat_message(2, key="new")])
    assert log.tail == 2


def test_messages_without_a_key_may_be_alike(log: Log) -> None:
    log.append([chat_message(1), chat_message(2)])
    assert log.tail == 2


def test_a_record_replaces_the_one_of_the_same_member_in_any_spelling(log: Log) -> None:
    log.append([], [MemberRecord("Zoë", 1, 0), MemberRecord("Ana", 2, 2)])
    log.append([chat_message(1)], [MemberRecord("ZOË", 5, 4)])
    assert {r.name: r for r in log.members()} == {
        "ZOË": MemberRecord("ZOË", 5, 4),
        "Ana": MemberRecord("Ana", 2, 2),
    }


def test_records_alone_do_not_move_the_tail(log: Log) -> None:
    log.append([], [MemberRecord("Ana")])
    assert log.tail == 0


def test_an_append_of_nothing_changes_nothing(log: Log) -> None:
    log.append([chat_message(1)])
    before = everything(log)
    log.append([])
    assert everything(log) == before


def test_many_threads_may_read_while_one_appends(log: Log) -> None:
    def append() -> None:
        for id in range(1, 101):
            log.append([chat_message(2 * id - 1, key=f"k{id}"), joined_message(2 * id, f"Member{id}")])

    def read() -> None:
        while log.tail < 200:
            tail = log.tail
            messages = log.read(0, 1000)
            assert [m.id for m in messages] == list(range(1, len(messages) + 1))
            assert len(messages) >= tail

    together([append, read, read, read])
    assert len(log.read(0, 1000)) == 200


def test_every_message_has_a_digest_that_depends_on_all_before_it(log: Log) -> None:
    log.append([chat_message(1), chat_message(2)])
    digests = [log.digest(id) for id in range(3)]
    log.append([chat_message(3)])
    assert [log.digest(id) for id in range(3)] == digests
    assert len({*digests, log.digest(3)}) == 4
    assert digests[0] == first_digest(log.identity)
    assert log.digest(3) == extend_chain(digests[0], log.read(0, 9))[-1]
    for id in (-1, 4):
        with pytest.raises(UnknownMessage):
            log.digest(id)


def test_a_loss_that_was_noted_is_remembered(log: Log) -> None:
    assert log.loss is None
    log.append([], loss="somebody has more")
    assert log.loss == "somebody has more"


def test_close_is_idempotent(log: Log) -> None:
    log.close()
    log.close()


def test_a_sqlite_log_keeps_everything_over_a_reopening(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite3"
    log = SqliteLog(path, "lobby")
    log.append([joined_message(1, "Zoë"), chat_message(2, "olá", "Zoë", "k")], [MemberRecord("Zoë", 2, 1)])
    before, identity = everything(log), log.identity
    log.close()
    again = SqliteLog(path, "LOBBY")
    try:
        assert everything(again) == before
        assert (again.identity, again.room) == (identity, "lobby")
        assert again.find([("zoë", "k")]) == {("zoë", "k"): chat_message(2, "olá", "Zoë", "k")}
        again.append([chat_message(3)])
        assert again.tail == 3
    finally:
        again.close()
