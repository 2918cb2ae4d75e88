"""What was sent under a key is there once: places without gaps, each key of a member once, each post all or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pytest

from pyrochat import KeyConflict, LogUnavailable, LogUncertain
from pyrochat.core.commands import Open, Post
from pyrochat.core.keys import part_key
from pyrochat.core.log import MemberRecord
from pyrochat.core.memory_log import MemoryLog
from pyrochat.core.room import Outcome
from pyrochat.values.message import SYSTEM, Message
from pyrochat.values.times import MOST_TIME_US
from tests.core.modelling import Driven, FailingLog, post
from tests.support import SALT

Text = tuple[str, str | None, str]


class Done(NamedTuple):
    outcomes: list[Outcome]
    appended: list[Message]
    error: LogUnavailable | None


class Sender:
    """Posts what it is given, each request as a post, all in one commit."""

    def __init__(self, log: MemoryLog) -> None:
        self._room = Driven(log)

    def post(self, requests: Sequence[Sequence[Text] | Post], time_us: int = 5) -> Done:
        posts = [request if isinstance(request, Post) else as_post(request) for request in requests]
        applied = self._room.apply(*posts, time_us=time_us)
        return Done([outcome for [outcome] in applied.outcomes], list(self._room.appended), applied.error)


def as_post(texts: Sequence[Text]) -> Post:
    sender = texts[0][2] if texts else "Erick"
    return post(sender, [text for text, _, _ in texts], [key for _, key, _ in texts])


@pytest.fixture
def log() -> FailingLog:
    return FailingLog("lobby")


@pytest.fixture
def sender(log: FailingLog) -> Sender:
    return Sender(log)


def text(text: str, key: str | None = None, sender: str = "Erick") -> Text:
    return text, key, sender


def listed(texts: list[str], key: str, sender: str = "Erick") -> Post:
    """What a room makes of a list of texts under one key."""
    return post(sender, texts, [part_key(key, index) for index in range(len(texts))], key)


def outcome(sender: Sender, *texts: Text) -> Outcome:
    """What becomes of *texts*, as one post."""
    return sender.post([texts]).outcomes[0]


def outcome_of(sender: Sender, post: Post) -> Outcome:
    return sender.post([post]).outcomes[0]


def in_the_log(log: MemoryLog) -> list[str]:
    return [message.text for message in log.read(0, 1000)]


def test_posts_get_the_next_ids_in_their_order(sender: Sender, log: MemoryLog) -> None:
    sender.post([[text("one")]])
    done = sender.post([[text("two")], []], 6)
    two = Message(2, "lobby", "Erick", "two", 6, proof=SALT)
    assert done == ([[two], []], [two], None)
    assert log.read(1, 10) == [two]


def test_who_joins_between_two_posts_stands_between_them(log: MemoryLog) -> None:
    room = Driven(log)
    applied = room.apply(as_post([text("before")]), Open("1", "ana", "Ana", SALT), as_post([text("after")]))
    assert [m.text for m in log.read(0, 10)] == ["before", "Ana joined", "after"]
    assert log.read(1, 1)[0].kind == SYSTEM
    assert applied.outcomes[1] == [log.read(1, 1)]
    assert log.members() == [MemberRecord("Ana", first_joined=2, joined=2)], "in the same step"


@pytest.mark.parametrize(
    ("clock", "time_us"), [(-5, 0), (7, 7), (MOST_TIME_US + 1, MOST_TIME_US), (1 << 70, MOST_TIME_US)]
)
def test_found_14_a_time_is_clamped_to_what_a_message_can_hold(sender: Sender, clock: int, time_us: int) -> None:
    [message] = sender.post([[text("hi")]], clock).appended
    assert message.time_us == time_us


def test_a_repeated_key_gives_the_message_that_it_made(sender: Sender, log: MemoryLog) -> None:
    first = outcome(sender, text("hi", "k"))
    done = sender.post([[text("before")], [text("hi", "k")], [text("after")]], 6)
    assert done.outcomes[1] == first
    assert [m.text for m in done.appended] == ["before", "after"]
    assert [m.id for m in log.read(0, 10)] == [1, 2, 3]


def test_a_key_that_comes_twice_in_one_commit_makes_one_message(sender: Sender, log: MemoryLog) -> None:
    requests = [[text("hi", "k")], [text("x")], [text("hi", "k"), text("y", "l"), text("hi", "k")]]
    first, _, last = sender.post(requests).outcomes
    assert isinstance(first, list)
    assert isinstance(last, list)
    assert [m.id for m in last] == [1, 3, 1]
    assert last[0] == first[0]
    assert in_the_log(log) == ["hi", "x", "y"]


def test_repetitions_alone_append_nothing(sender: Sender) -> None:
    requests = [[text("a", "1")], [text("b", "2")]]
    first = sender.post(requests)
    assert sender.post(requests, 6) == (first.outcomes, [], None)


@pytest.mark.parametrize("in_one_commit", [True, False])
def test_a_key_that_comes_back_with_another_text_is_a_conflict(
    sender: Sender, log: MemoryLog, in_one_commit: bool
) -> None:
    requests = [[text("hi", "k")], [text("ho", "k")]]
    if in_one_commit:
        first, second = sender.post(requests).outcomes
    else:
        first, second = (outcome(sender, *each) for each in requests)
    assert isinstance(first, list)
    assert isinstance(second, KeyConflict)
    assert "message 1" in str(second)
    assert log.tail == 1


def test_keys_of_different_members_do_not_meet(sender: Sender, log: MemoryLog) -> None:
    sender.post([[text("hi", "k")], [text("ho", "k", "Ana")]])
    assert in_the_log(log) == ["hi", "ho"]


@pytest.mark.parametrize("in_one_commit", [True, False])
def test_found_15_a_key_is_its_members_in_every_spelling_of_the_name(
    sender: Sender, log: MemoryLog, in_one_commit: bool
) -> None:
    requests = [[text("hi", "k", "Zoë")], [text("hi", "k", "zoe\u0308")], [text("ho", "k", "ZOË")]]
    outcomes = sender.post(requests).outcomes if in_one_commit else [outcome(sender, *each) for each in requests]
    assert outcomes[0] == outcomes[1]
    assert isinstance(outcomes[2], KeyConflict)
    assert in_the_log(log) == ["hi"]


def test_found_15_a_request_that_meets_a_conflict_stores_nothing(sender: Sender, log: MemoryLog) -> None:
    """Of a list, of texts with keys of their own, and of those with none; who shares the commit is not concerned."""
    outcome(sender, text("hi", "k"))
    refused = [text("new"), text("one", "a"), text("ho", "k"), text("two", "b")]
    first, second, third = sender.post([[text("before")], refused, [text("other", "a")]]).outcomes
    assert isinstance(second, KeyConflict)
    assert [m.id for m in [*first, *third]] == [2, 3]  # type: ignore[misc]
    assert in_the_log(log) == ["hi", "before", "other"]
    assert isinstance(outcome(sender, text("two", "b")), list), "its keys are free"


def test_found_15_a_lists_key_stands_for_the_whole_list(sender: Sender, log: MemoryLog) -> None:
    made = outcome_of(sender, listed(["one", "two"], "k"))
    assert isinstance(made, list)
    assert [m.key for m in made] == ["k.0", "k.1"]
    for others in (["one"], ["one", "two", "three"], ["two", "one"], ["one", "2"], ["1", "two"]):
        assert isinstance(outcome_of(sender, listed(others, "k")), KeyConflict), others
    assert outcome_of(sender, listed(["one", "two"], "k")) == made
    assert outcome_of(sender, listed(["one", "two"], "k", "ERICK")) == made
    assert in_the_log(log) == ["one", "two"]


def test_found_15_a_text_and_a_list_under_one_key_are_the_same_or_a_conflict(sender: Sender, log: MemoryLog) -> None:
    alone = outcome(sender, text("one", "k"))
    assert outcome_of(sender, listed(["one"], "k")) == alone
    assert isinstance(outcome_of(sender, listed(["one", "two"], "k")), KeyConflict)
    assert isinstance(outcome_of(sender, listed(["two"], "k")), KeyConflict)

    only = outcome_of(sender, listed(["one"], "l"))
    assert outcome(sender, text("one", "l")) == only
    assert isinstance(outcome(sender, text("two", "l")), KeyConflict)

    outcome_of(sender, listed(["one", "two"], "m"))
    assert isinstance(outcome(sender, text("one", "m")), KeyConflict)
    assert in_the_log(log) == ["one", "one", "one", "two"]


def test_a_list_and_the_same_texts_with_its_keys_are_one(sender: Sender, log: MemoryLog) -> None:
    """So older clients repeat a list that went out together with others."""
    made = outcome_of(sender, listed(["one", "two"], "k"))
    assert outcome(sender, text("one", "k.0"), text("two", "k.1")) == made
    apart = outcome(sender, text("one", "l.0"), text("two", "l.1"))
    assert outcome_of(sender, listed(["one", "two"], "l")) == apart
    assert isinstance(outcome_of(sender, listed(["one"], "l")), KeyConflict)
    assert log.tail == 4


def test_a_key_that_only_looks_like_a_lists_next_one_is_none(sender: Sender) -> None:
    made = outcome_of(sender, listed(["one"], "k"))
    outcome(sender, text("between"))
    outcome(sender, text("another", "k.1"))
    assert outcome_of(sender, listed(["one"], "k")) == made
    assert outcome(sender, text("one", "k")) == made


def test_found_15_with_the_disk_full_what_was_stored_is_told_and_what_was_not_too(
    sender: Sender, log: FailingLog
) -> None:
    first = outcome(sender, text("hi", "k"))
    log.full = True
    requests = [
        [text("hi", "k")], [text("ho", "k")], [text("new", "l")], [text("new")], [text("hi", "k"), text("x")], [],
        [text("new", "l")],
    ]  # fmt: skip
    done = sender.post(requests)
    kinds = [type(each) for each in done.outcomes]
    assert kinds == [list, KeyConflict, *[LogUnavailable] * 5]
    assert done.outcomes[0] == first
    assert isinstance(done.error, LogUnavailable)
    assert in_the_log(log) == ["hi"]


@pytest.mark.parametrize("was_stored", [True, False])
def test_found_15_after_an_uncertain_commit_its_keys_are_uncertain_until_it_is_known(
    sender: Sender, log: FailingLog, was_stored: bool
) -> None:
    first = outcome(sender, text("hi", "k"))
    log.breaks = True
    lost = [[text("new", "l")], listed(["a", "b"], "m")]
    assert [type(each) for each in sender.post(lost).outcomes] == [LogUncertain] * 2

    again = [
        [text("new", "l", "erick")], [text("other", "l")], listed(["a", "b"], "m"), listed(["a"], "m"), [text("a", "m")],
        listed(["new"], "l"), [text("fresh", "n"), text("new", "l")],
    ]  # fmt: skip
    assert [type(each) for each in sender.post(again).outcomes] == [LogUncertain] * len(again)
    others = [
        [text("hi", "k")],
        [text("ho", "k")],
        [text("fresh", "n")],
        [text("fresh")],
        [text("new", "l", "Ana")],
    ]
    told = sender.post(others).outcomes
    assert told[0] == first
    assert [type(each) for each in told[1:]] == [KeyConflict, *[LogUnavailable] * 3]

    log.reopen(was_stored)
    outcomes = Sender(log).post([*lost, [text("other", "l")]], 6).outcomes
    assert [type(each) for each in outcomes] == [list, list, KeyConflict]
    assert in_the_log(log) == ["hi", "new", "a", "b"]


def test_what_can_not_be_looked_up_is_uncertain(log: FailingLog) -> None:
    class Unreadable(FailingLog):
        def find(self, keys: object) -> dict[tuple[str, str], Message]:
            raise LogUnavailable("the room can't read its log (disk I/O error)")

    requests = [[text("hi", "k")], [text("hi")]]
    done = Sender(Unreadable("lobby")).post(requests)
    assert [type(each) for each in done.outcomes] == [LogUncertain, LogUnavailable]
    assert done.error is not None
