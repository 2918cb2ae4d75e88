"""The sequencer: places without gaps, each key of a sender once."""

from __future__ import annotations

import pytest

from pyrochat import KeyConflict, LogUnavailable
from pyrochat.core.log import MemberRecord
from pyrochat.core.memory_log import MemoryLog
from pyrochat.core.sequencer import Draft, Sequencer
from pyrochat.values.message import SYSTEM, Message


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog("lobby")


@pytest.fixture
def sequencer(log: MemoryLog) -> Sequencer:
    return Sequencer(log)


def draft(text: str, key: str | None = None, sender: str = "Erick") -> Draft:
    return Draft(sender, text, key=key)


def test_drafts_get_the_next_ids_in_their_order(sequencer: Sequencer, log: MemoryLog) -> None:
    sequencer.sequence([draft("one")], [], 5)
    outcomes, appended = sequencer.sequence([draft("two"), Draft("Ana", "Ana joined", SYSTEM)], [], 6)
    assert outcomes == appended
    assert appended == [
        Message(2, "lobby", "Erick", "two", 6),
        Message(3, "lobby", "Ana", "Ana joined", 6, SYSTEM),
    ]
    assert log.read(1, 10) == appended


def test_member_records_go_into_the_same_step(sequencer: Sequencer, log: MemoryLog) -> None:
    record = MemberRecord("Ana", 1, 1)
    assert sequencer.sequence([], [record], 5) == ([], [])
    assert log.members() == [record]


def test_a_repeated_key_gives_the_message_that_it_made(sequencer: Sequencer, log: MemoryLog) -> None:
    first = sequencer.sequence([draft("hi", "k")], [], 5)[0][0]
    outcomes, appended = sequencer.sequence([draft("before"), draft("hi", "k"), draft("after")], [], 6)
    assert outcomes[1] == first
    assert [m.text for m in appended] == ["before", "after"]
    assert [m.id for m in log.read(0, 10)] == [1, 2, 3]


def test_a_key_that_comes_twice_in_one_batch_makes_one_message(sequencer: Sequencer, log: MemoryLog) -> None:
    outcomes, appended = sequencer.sequence(
        [draft("hi", "k"), draft("x"), draft("hi", "k"), draft("y", "l"), draft("hi", "k")], [], 5
    )
    assert outcomes[0] == outcomes[2] == outcomes[4]
    assert [m.text for m in appended] == ["hi", "x", "y"]
    assert log.tail == 3


def test_a_batch_of_repetitions_alone_appends_nothing(sequencer: Sequencer, log: MemoryLog) -> None:
    first, _ = sequencer.sequence([draft("a", "1"), draft("b", "2")], [], 5)
    again, appended = sequencer.sequence([draft("a", "1"), draft("b", "2")], [MemberRecord("Ana", 1, 0)], 6)
    assert again == first
    assert appended == []
    assert log.members() == [MemberRecord("Ana", 1, 0)]


@pytest.mark.parametrize("in_one_batch", [True, False])
def test_a_key_that_comes_back_with_another_text_is_a_conflict(
    sequencer: Sequencer, log: MemoryLog, in_one_batch: bool
) -> None:
    drafts = [draft("hi", "k"), draft("ho", "k")]
    if in_one_batch:
        outcomes, _ = sequencer.sequence(drafts, [], 5)
    else:
        outcomes = [sequencer.sequence([each], [], 5)[0][0] for each in drafts]
    assert isinstance(outcomes[0], Message)
    assert isinstance(outcomes[1], KeyConflict)
    assert "message 1" in str(outcomes[1])
    assert log.tail == 1


def test_keys_of_different_senders_do_not_meet(sequencer: Sequencer, log: MemoryLog) -> None:
    outcomes, _ = sequencer.sequence([draft("hi", "k"), draft("ho", "k", "Ana")], [], 5)
    assert [m.text for m in outcomes if isinstance(m, Message)] == ["hi", "ho"]
    assert log.tail == 2


def test_a_log_that_can_not_be_written_is_the_callers_to_know() -> None:
    class Broken(MemoryLog):
        def append(self, messages: object, members: object = ()) -> None:
            raise LogUnavailable("no space")

    with pytest.raises(LogUnavailable):
        Sequencer(Broken("lobby")).sequence([draft("hi")], [], 5)
