"""What later messages make of earlier ones is the same for all who have the log, however it came to be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyrochat import InvalidArgument, LogUnavailable, MessageRedacted, NotYours
from pyrochat.client.deliveries import read_delivery
from pyrochat.client.replica import Replica
from pyrochat.core.commands import Post
from pyrochat.core.current import About, aimed, original
from pyrochat.core.digests import extend_chain
from pyrochat.core.log import Log
from pyrochat.values.current import Current
from pyrochat.values.message import CHAT, EDIT, REACT, REDACT, UNREACT, Message, message_of
from pyrochat.values.rules import fold
from tests.core.modelling import Driven, FailingLog
from tests.support import SALT

NAMES = ("Ana", "Igor", "ana")
KINDS = (CHAT, EDIT, EDIT, REDACT, REACT, UNREACT)


def said(sender: str, text: str, kind: str = CHAT, about: int | None = None) -> Post:
    return Post(sender, fold(sender), (text,), (None,), (SALT,), kind=kind, about=about)


def make(*posts: Post) -> Driven:
    room = Driven(FailingLog("lobby"))
    for post in posts:
        room.apply(post)
    return room


def current(log: Log, id: int) -> Current:
    def get(id: int) -> Message:
        return log.read(id - 1, 1)[0]

    id = original(get(id))
    return About(log.about(id)).current(get(id), get)


class Copy:
    """A replica that gets what is new whenever it is told to."""

    def __init__(self, log: Log) -> None:
        self.log, self.replica = log, Replica("lobby")
        self.replica.log_id = log.identity
        self.replica.begin_chain(log.digest(0))

    def follow(self) -> None:
        end = self.replica.end
        rows = [message.to_wire() for message in self.log.read(end, self.log.tail - end)]
        if rows:
            self.replica.extend(read_delivery(rows, []))

    def check(self, shown: Callable[[int], Current]) -> None:
        end = self.replica.end
        assert self.replica.digest(end) == self.log.digest(end)
        assert extend_chain(self.log.digest(0), self.replica.slice(0))[-1:] in ([self.log.digest(end)], [])
        assert [self.replica.current(id) for id in range(1, end + 1)] == [shown(id) for id in range(1, end + 1)]


def test_what_is_said_of_a_message() -> None:
    room = make(
        said("Ana", "hi"), said("Igor", "yes", CHAT, 1), said("Ana", "hello", EDIT, 1), said("Igor", "👍", REACT, 1),
        said("igor", "👍", REACT, 1), said("Ana", "❤", REACT, 1), said("Ana", "❤", UNREACT, 1), said("Ana", "x", UNREACT, 1),
    )  # fmt: skip
    assert current(room.log, 1) == Current("hello", True, False, {"👍": {"igor"}}, [2])
    assert current(room.log, 3) == current(room.log, 1), "an edit is about the first"
    assert current(room.log, 2) == Current("yes", False, False, {}, [])
    assert current(room.log, 1).to_wire() == ["hello", True, [["👍", ["igor"]]], [2]]
    room.apply(said("Ana", "", REDACT, 1))
    assert current(room.log, 1) == Current(None, True, True, {"👍": {"igor"}}, [2])
    assert [message.text for message in room.log.read(0, 3)] == ["", "yes", ""]


@pytest.mark.parametrize("kind", [EDIT, REDACT])
def test_what_was_deleted_is_neither_edited_nor_deleted_again(kind: str) -> None:
    room = make(said("Ana", "hi"))
    first, second = room.apply(said("Ana", "", REDACT, 1), said("Ana", "new" * (kind == EDIT), kind, 1)).outcomes
    assert [message.kind for message in first[0] or ()] == [REDACT]  # type: ignore[union-attr]
    assert isinstance(second[0], MessageRedacted), "in the same group"
    [[third]] = room.apply(said("Ana", "new" * (kind == EDIT), kind, 1)).outcomes
    assert isinstance(third, MessageRedacted)
    assert room.log.tail == 2


def test_an_edit_of_the_same_group_goes_with_its_message() -> None:
    room = make(said("Ana", "hi"))
    room.apply(said("Ana", "secret", EDIT, 1), said("Ana", "", REDACT, 1))
    assert [message.text for message in room.log.read(0, 9)] == ["", "", ""]
    copy = Copy(room.log)
    copy.follow()
    copy.check(lambda id: current(room.log, id))


def test_a_key_sent_again_gives_the_message_that_was_deleted_meanwhile() -> None:
    room = make()
    keyed = said("Ana", "hi")._replace(keys=("k",))
    room.apply(keyed)
    room.apply(said("Ana", "", REDACT, 1))
    [[again]] = room.apply(keyed).outcomes
    assert [message.id for message in again or ()] == [1]  # type: ignore[union-attr]
    [[conflict]] = room.apply(keyed._replace(kind=EDIT, about=1)).outcomes
    assert isinstance(conflict, Exception)


def message(sender: str, kind: str = CHAT, about: int | None = None, key: str | None = None) -> Message:
    return message_of((7, "lobby", sender, "hi", 5, kind, key, about, None, None, SALT, None))


@pytest.mark.parametrize(
    ("target", "owner", "kind", "who", "expected"),
    [
        (message("Ana"), None, EDIT, ("ana", ""), 7),
        (message("Ana", EDIT, 3), None, EDIT, ("ana", ""), 3),
        (message("Ana", EDIT, 3), None, REACT, ("igor", ""), 3),
        (message("Ana", EDIT, 3), None, CHAT, ("igor", ""), 3),
        (message("Ana", "system"), None, REACT, ("igor", ""), 7),
        (message("Ana", "of a later version"), None, CHAT, ("igor", ""), 7),
        (message("Ana"), None, EDIT, ("igor", ""), NotYours),
        (message("Ana"), None, REDACT, ("igor", ""), NotYours),
        (message("Ana", key="k"), "ana", REDACT, ("ana", ""), 7),
        (message("Ana", key="k"), "ana\x1fguest", REDACT, ("ana", ""), NotYours),
        (message("Ana", key="k"), "ana", REDACT, ("ana", "guest"), NotYours),
        (message("Ana", "system"), None, EDIT, ("ana", ""), InvalidArgument),
        (message("Ana", REACT, 3), None, REDACT, ("ana", ""), InvalidArgument),
        (message("Ana", REACT, 3), None, CHAT, ("igor", ""), InvalidArgument),
        (message("Ana", REDACT, 3), None, REACT, ("igor", ""), InvalidArgument),
    ],
)
def test_who_may_say_what_of_a_message(
    target: Message, owner: str | None, kind: str, who: tuple[str, str], expected: Any
) -> None:
    if isinstance(expected, int):
        assert aimed(target, owner, kind, *who) == expected
    else:
        with pytest.raises(expected):
            aimed(target, owner, kind, *who)


steps = st.lists(
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(KINDS), st.integers(1, 40)), min_size=1, max_size=5),
    max_size=25,
)


@settings(max_examples=150)
@given(steps, st.sets(st.integers(0, 24), max_size=4), st.sets(st.integers(0, 24), max_size=8))
def test_any_interleaving_leaves_the_same_for_all(
    groups: list[list[tuple[str, str, int]]], failing: set[int], looking: set[int]
) -> None:
    log = FailingLog("lobby")
    room, early, now_and_then = Driven(log), Copy(log), Copy(log)
    texts: dict[int, set[str]] = {}  # of each message, what it has ever said
    for number, group in enumerate(groups):
        log.full = number in failing
        posts = []
        for at, (sender, kind, about) in enumerate(group):
            text = {REDACT: "", REACT: "👍", UNREACT: "👍"}.get(kind, f"text {number}.{at}")
            if kind == CHAT and about % 2:
                posts.append(said(sender, text))
            elif about <= log.tail:
                try:
                    aim = aimed(log.read(about - 1, 1)[0], None, kind, fold(sender), "")
                except (NotYours, InvalidArgument):
                    continue
                posts.append(said(sender, text, kind, aim))
        tail = log.tail
        outcomes = room.apply(*posts).outcomes
        if log.full:
            assert log.tail == tail
            assert all(isinstance(outcome, LogUnavailable | MessageRedacted) for [outcome] in outcomes)
        for post, [outcome] in zip(posts, outcomes, strict=True):
            if isinstance(outcome, list) and post.kind in (CHAT, EDIT):
                texts.setdefault(post.about if post.kind == EDIT and post.about else outcome[0].id, set()).add(
                    post.texts[0]
                )
        early.follow()
        if number in looking:
            now_and_then.follow()
        early.check(lambda id: current(log, id))
    late = Copy(log)
    for copy in (late, now_and_then):
        copy.follow()
        copy.check(lambda id: current(log, id))
    deleted = {message.about for message in log.read(0, log.tail) if message.kind == REDACT}
    for where in (log.read(0, log.tail), early.replica.slice(0), now_and_then.replica.slice(0)):
        left = {message.text for message in where}
        assert not left & {text for id in deleted for text in texts[id or 0]}
    for id, ever in texts.items():
        assert (current(log, id).text is None) == (id in deleted)
        assert id in deleted or current(log, id).text in ever
