"""The sequencer: places without gaps, each key of a member once, each request all or nothing."""

from __future__ import annotations

import pytest

from pyrochat import KeyConflict, LogUnavailable, LogUncertain
from pyrochat.core.log import MemberRecord
from pyrochat.core.memory_log import MemoryLog
from pyrochat.core.sequencer import Draft, Outcome, Sequencer, part_key
from pyrochat.values.message import SYSTEM, Message
from pyrochat.values.times import MOST_TIME_US
from tests.core.modelling import FailingLog


@pytest.fixture
def log() -> FailingLog:
    return FailingLog("lobby")


@pytest.fixture
def sequencer(log: FailingLog) -> Sequencer:
    return Sequencer(log)


def draft(text: str, key: str | None = None, sender: str = "Erick") -> Draft:
    return Draft(sender, text, key=key)


def listed(texts: list[str], key: str, sender: str = "Erick") -> list[Draft]:
    """What a room makes of a list of texts under one key."""
    return [Draft(sender, text, key=part_key(key, index), list_key=key) for index, text in enumerate(texts)]


def outcome(sequencer: Sequencer, *drafts: Draft) -> Outcome:
    """What becomes of *drafts*, as one request."""
    return sequencer.sequence([drafts], [], 5).outcomes[0]


def in_the_log(log: MemoryLog) -> list[str]:
    return [message.text for message in log.read(0, 1000)]


def test_drafts_get_the_next_ids_in_their_order(sequencer: Sequencer, log: MemoryLog) -> None:
    sequencer.sequence([[draft("one")]], [], 5)
    done = sequencer.sequence([[draft("two")], [], [Draft("Ana", "Ana joined", SYSTEM)]], [], 6)
    two, joined = Message(2, "lobby", "Erick", "two", 6), Message(3, "lobby", "Ana", "Ana joined", 6, SYSTEM)
    assert done == ([[two], [], [joined]], [two, joined], None)
    assert log.read(1, 10) == [two, joined]


def test_member_records_go_into_the_same_step(sequencer: Sequencer, log: MemoryLog) -> None:
    record = MemberRecord("Ana", 1, 1)
    assert sequencer.sequence([], [record], 5) == ([], [], None)
    assert log.members() == [record]


@pytest.mark.parametrize(
    ("clock", "time_us"), [(-5, 0), (7, 7), (MOST_TIME_US + 1, MOST_TIME_US), (1 << 70, MOST_TIME_US)]
)
def test_found_14_a_time_is_clamped_to_what_a_message_can_hold(sequencer: Sequencer, clock: int, time_us: int) -> None:
    [message] = sequencer.sequence([[draft("hi")]], [], clock).appended
    assert message.time_us == time_us


def test_a_repeated_key_gives_the_message_that_it_made(sequencer: Sequencer, log: MemoryLog) -> None:
    first = outcome(sequencer, draft("hi", "k"))
    done = sequencer.sequence([[draft("before")], [draft("hi", "k")], [draft("after")]], [], 6)
    assert done.outcomes[1] == first
    assert [m.text for m in done.appended] == ["before", "after"]
    assert [m.id for m in log.read(0, 10)] == [1, 2, 3]


def test_a_key_that_comes_twice_in_one_commit_makes_one_message(sequencer: Sequencer, log: MemoryLog) -> None:
    requests = [[draft("hi", "k")], [draft("x")], [draft("hi", "k"), draft("y", "l"), draft("hi", "k")]]
    first, _, last = sequencer.sequence(requests, [], 5).outcomes
    assert isinstance(first, list)
    assert isinstance(last, list)
    assert [m.id for m in last] == [1, 3, 1]
    assert last[0] == first[0]
    assert in_the_log(log) == ["hi", "x", "y"]


def test_repetitions_alone_append_nothing(sequencer: Sequencer, log: MemoryLog) -> None:
    requests = [[draft("a", "1")], [draft("b", "2")]]
    first = sequencer.sequence(requests, [], 5)
    again = sequencer.sequence(requests, [MemberRecord("Ana", 1, 0)], 6)
    assert again == (first.outcomes, [], None)
    assert log.members() == [MemberRecord("Ana", 1, 0)]


@pytest.mark.parametrize("in_one_commit", [True, False])
def test_a_key_that_comes_back_with_another_text_is_a_conflict(
    sequencer: Sequencer, log: MemoryLog, in_one_commit: bool
) -> None:
    requests = [[draft("hi", "k")], [draft("ho", "k")]]
    if in_one_commit:
        first, second = sequencer.sequence(requests, [], 5).outcomes
    else:
        first, second = (outcome(sequencer, *each) for each in requests)
    assert isinstance(first, list)
    assert isinstance(second, KeyConflict)
    assert "message 1" in str(second)
    assert log.tail == 1


def test_keys_of_different_members_do_not_meet(sequencer: Sequencer, log: MemoryLog) -> None:
    sequencer.sequence([[draft("hi", "k")], [draft("ho", "k", "Ana")]], [], 5)
    assert in_the_log(log) == ["hi", "ho"]


@pytest.mark.parametrize("in_one_commit", [True, False])
def test_found_15_a_key_is_its_members_in_every_spelling_of_the_name(
    sequencer: Sequencer, log: MemoryLog, in_one_commit: bool
) -> None:
    requests = [[draft("hi", "k", "Zoë")], [draft("hi", "k", "zoe\u0308")], [draft("ho", "k", "ZOË")]]
    if in_one_commit:
        outcomes = sequencer.sequence(requests, [], 5).outcomes
    else:
        outcomes = [outcome(sequencer, *each) for each in requests]
    assert outcomes[0] == outcomes[1]
    assert isinstance(outcomes[2], KeyConflict)
    assert in_the_log(log) == ["hi"]


def test_found_15_a_request_that_meets_a_conflict_stores_nothing(sequencer: Sequencer, log: MemoryLog) -> None:
    """Of a list, of texts with keys of their own, and of those with none; who shares the commit is not concerned."""
    outcome(sequencer, draft("hi", "k"))
    refused = [draft("new"), draft("one", "a"), draft("ho", "k"), draft("two", "b")]
    first, second, third = sequencer.sequence([[draft("before")], refused, [draft("other", "a")]], [], 5).outcomes
    assert isinstance(second, KeyConflict)
    assert [m.id for m in [*first, *third]] == [2, 3]  # type: ignore[misc]
    assert in_the_log(log) == ["hi", "before", "other"]
    assert isinstance(outcome(sequencer, draft("two", "b")), list), "its keys are free"


def test_found_15_a_lists_key_stands_for_the_whole_list(sequencer: Sequencer, log: MemoryLog) -> None:
    made = outcome(sequencer, *listed(["one", "two"], "k"))
    assert isinstance(made, list)
    assert [m.key for m in made] == ["k.0", "k.1"]
    for others in (["one"], ["one", "two", "three"], ["two", "one"], ["one", "2"], ["1", "two"]):
        assert isinstance(outcome(sequencer, *listed(others, "k")), KeyConflict), others
    assert outcome(sequencer, *listed(["one", "two"], "k")) == made
    assert outcome(sequencer, *listed(["one", "two"], "k", "ERICK")) == made
    assert in_the_log(log) == ["one", "two"]


def test_found_15_a_text_and_a_list_under_one_key_are_the_same_or_a_conflict(
    sequencer: Sequencer, log: MemoryLog
) -> None:
    alone = outcome(sequencer, draft("one", "k"))
    assert outcome(sequencer, *listed(["one"], "k")) == alone
    assert isinstance(outcome(sequencer, *listed(["one", "two"], "k")), KeyConflict)
    assert isinstance(outcome(sequencer, *listed(["two"], "k")), KeyConflict)

    only = outcome(sequencer, *listed(["one"], "l"))
    assert outcome(sequencer, draft("one", "l")) == only
    assert isinstance(outcome(sequencer, draft("two", "l")), KeyConflict)

    outcome(sequencer, *listed(["one", "two"], "m"))
    assert isinstance(outcome(sequencer, draft("one", "m")), KeyConflict)
    assert in_the_log(log) == ["one", "one", "one", "two"]


def test_a_list_and_the_same_texts_with_its_keys_are_one(sequencer: Sequencer, log: MemoryLog) -> None:
    """So older clients repeat a list that went out together with others."""
    made = outcome(sequencer, *listed(["one", "two"], "k"))
    assert outcome(sequencer, draft("one", "k.0"), draft("two", "k.1")) == made
    apart = outcome(sequencer, draft("one", "l.0"), draft("two", "l.1"))
    assert outcome(sequencer, *listed(["one", "two"], "l")) == apart
    assert isinstance(outcome(sequencer, *listed(["one"], "l")), KeyConflict)
    assert log.tail == 4


def test_a_key_that_only_looks_like_a_lists_next_one_is_none(sequencer: Sequencer) -> None:
    made = outcome(sequencer, *listed(["one"], "k"))
    outcome(sequencer, draft("between"))
    outcome(sequencer, draft("another", "k.1"))
    assert outcome(sequencer, *listed(["one"], "k")) == made
    assert outcome(sequencer, draft("one", "k")) == made


def test_found_15_with_the_disk_full_what_was_stored_is_told_and_what_was_not_too(
    sequencer: Sequencer, log: FailingLog
) -> None:
    first = outcome(sequencer, draft("hi", "k"))
    log.full = True
    requests = [
        [draft("hi", "k")], [draft("ho", "k")], [draft("new", "l")], [draft("new")], [draft("hi", "k"), draft("x")], [],
        [draft("new", "l")],
    ]  # fmt: skip
    done = sequencer.sequence(requests, [], 5)
    kinds = [type(each) for each in done.outcomes]
    assert kinds == [list, KeyConflict, *[LogUnavailable] * 5]
    assert done.outcomes[0] == first
    assert isinstance(done.error, LogUnavailable)
    assert in_the_log(log) == ["hi"]


@pytest.mark.parametrize("was_stored", [True, False])
def test_found_15_after_an_uncertain_commit_its_keys_are_uncertain_until_it_is_known(
    sequencer: Sequencer, log: FailingLog, was_stored: bool
) -> None:
    first = outcome(sequencer, draft("hi", "k"))
    log.breaks = True
    lost = [[draft("new", "l")], listed(["a", "b"], "m")]
    assert [type(each) for each in sequencer.sequence(lost, [], 5).outcomes] == [LogUncertain] * 2

    again = [
        [draft("new", "l", "erick")], [draft("other", "l")], listed(["a", "b"], "m"), listed(["a"], "m"), [draft("a", "m")],
        listed(["new"], "l"), [draft("fresh", "n"), draft("new", "l")],
    ]  # fmt: skip
    assert [type(each) for each in sequencer.sequence(again, [], 5).outcomes] == [LogUncertain] * len(again)
    others = [
        [draft("hi", "k")],
        [draft("ho", "k")],
        [draft("fresh", "n")],
        [draft("fresh")],
        [draft("new", "l", "Ana")],
    ]
    told = sequencer.sequence(others, [], 5).outcomes
    assert told[0] == first
    assert [type(each) for each in told[1:]] == [KeyConflict, *[LogUnavailable] * 3]

    log.reopen(was_stored)
    outcomes = Sequencer(log).sequence([*lost, [draft("other", "l")]], [], 6).outcomes
    assert [type(each) for each in outcomes] == [list, list, KeyConflict]
    assert in_the_log(log) == ["hi", "new", "a", "b"]


def test_what_can_not_be_looked_up_is_uncertain(log: FailingLog) -> None:
    class Unreadable(FailingLog):
        def find(self, keys: object) -> dict[tuple[str, str], Message]:
            raise LogUnavailable("the room can't read its log (disk I/O error)")

    requests = [[draft("hi", "k")], [draft("hi")]]
    done = Sequencer(Unreadable("lobby")).sequence(requests, [], 5)
    assert [type(each) for each in done.outcomes] == [LogUncertain, LogUnavailable]
    assert done.error is not None
