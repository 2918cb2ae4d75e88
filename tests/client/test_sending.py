"""Sending: acknowledged, ordered, once; many senders share calls."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyrochat import (
    BatchTooLarge,
    Chat,
    InvalidArgument,
    InvalidText,
    KeyConflict,
    LogUnavailable,
    PyroChatError,
    SendTimeout,
    Server,
)
from pyrochat.client.outbox import Outbox
from pyrochat.core.order import Submission
from pyrochat.room.room import Room
from tests.security.support import Host
from tests.support import Running, eventually, texts

Join = Callable[..., Chat]


class HeldRoom:
    """Notes the posts that reach a room, and holds them up while `gate` is closed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.posts: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()
        original = Room.post

        def post(
            room: Room,
            sender: str,
            texts: list[str],
            keys: list[str | None],
            list_key: str | None = None,
            mark: str = "",
            refusal: PyroChatError | None = None,
            *about: Any,
        ) -> Submission:
            self.posts.append(list(texts))
            assert self.gate.wait(20)
            return original(room, sender, texts, keys, list_key, mark, refusal, *about)

        monkeypatch.setattr(Room, "post", post)


@pytest.fixture
def held_room(monkeypatch: pytest.MonkeyPatch) -> HeldRoom:
    return HeldRoom(monkeypatch)


def test_a_send_returns_the_message_in_its_place(joined: Join) -> None:
    chat = joined("Erick")
    first, second = chat.send("olá"), chat.send("line\nline ⏎ 😀")
    assert (first.id, first.room, first.sender, first.text, first.kind) == (2, "lobby", "Erick", "olá", "chat")
    assert second.id == 3
    assert chat.history()[1:] == [first, second]


def test_send_many_gives_consecutive_ids_in_one_call(joined: Join, held_room: HeldRoom) -> None:
    chat = joined("Erick")
    messages = chat.send_many(["a", "b", "c"])
    assert [m.id for m in messages] == [2, 3, 4]
    assert texts(messages) == ["a", "b", "c"]
    assert held_room.posts == [["a", "b", "c"]]


def test_send_many_of_nothing_sends_nothing(joined: Join) -> None:
    chat = joined("Erick")
    assert chat.send_many([]) == []
    assert len(chat.history()) == 1


@pytest.mark.parametrize("text", ["", "x" * 16_385, "\ud800", None, 7])
def test_a_text_against_the_rules_is_refused_at_once(joined: Join, held_room: HeldRoom, text: object) -> None:
    chat = joined("Erick")
    with pytest.raises(InvalidText):
        chat.send(text)  # type: ignore[arg-type]
    assert held_room.posts == []


def test_a_batch_beyond_the_bounds_is_refused(joined: Join) -> None:
    with pytest.raises(BatchTooLarge):
        joined("Erick").send_many(["x"] * 10_001)


def test_the_largest_text_and_the_largest_batch_arrive(joined: Join) -> None:
    chat, other = joined("Erick"), joined("Ana")
    largest = chat.send("é" * 8192)
    batch = chat.send_many(["y"] * 10_000)
    assert other.wait_for(batch[-1].id, timeout=60).text == "y"
    assert other.history(after=largest.id - 1)[0] == largest


def test_the_same_text_with_the_same_key_appears_once(joined: Join) -> None:
    chat = joined("Erick")
    first = chat.send("hi", key="mine")
    assert chat.send("hi", key="mine") == first
    assert chat.send_many(["a", "b"], key="many") == chat.send_many(["a", "b"], key="many")
    assert texts(chat.history()) == ["hi", "a", "b"]


def test_a_key_with_another_text_is_a_conflict(joined: Join) -> None:
    chat = joined("Erick")
    chat.send("hi", key="mine")
    with pytest.raises(KeyConflict):
        chat.send("ho", key="mine")
    with pytest.raises(InvalidArgument):
        chat.send("ho", key="not äscii")


def test_sends_that_are_made_during_a_call_share_the_next(joined: Join, held_room: HeldRoom) -> None:
    chat = joined("Erick")
    held_room.gate.clear()
    sends = [Running(lambda: chat.send("first"))]
    eventually(lambda: held_room.posts == [["first"]])
    sends += [Running(lambda number=number: chat.send(str(number))) for number in range(30)]
    eventually(lambda: chat.pending == 31)
    held_room.gate.set()
    messages = [send.result() for send in sends]
    assert [m.text for m in messages] == ["first", *map(str, range(30))]  # type: ignore[attr-defined]
    assert len(held_room.posts) == 2
    assert chat.pending == 0


def test_one_refused_send_does_not_take_those_that_share_its_call_with_it(joined: Join, held_room: HeldRoom) -> None:
    chat = joined("Erick")
    chat.send("hi", key="mine")
    held_room.gate.clear()
    first = Running(lambda: chat.send("first"))
    eventually(lambda: held_room.posts[-1] == ["first"])
    good, bad = Running(lambda: chat.send("good")), Running(lambda: chat.send("bad", key="mine"))
    eventually(lambda: chat.pending == 3)
    held_room.gate.set()
    with pytest.raises(KeyConflict):
        bad.result()
    first.result()
    good.result()
    assert sorted(texts(chat.history())) == ["first", "good", "hi"]


def test_found_15_a_key_is_the_members_in_every_spelling(joined: Join) -> None:
    """`Erick` on one machine and `erick` on another are one member: a key makes one message."""
    first = joined("Erick").send("hi", key="mine")
    other = joined("erick")
    assert other.send("hi", key="mine") == first
    with pytest.raises(KeyConflict):
        other.send("ho", key="mine")
    assert texts(other.history()) == ["hi"]


def test_found_15_a_send_many_that_ends_in_a_conflict_has_stored_nothing(joined: Join) -> None:
    chat = joined("Erick")
    chat.send_many(["one"], key="mine")
    for others in (["one", "two"], ["two"], ["two", "one"]):
        with pytest.raises(KeyConflict):
            chat.send_many(others, key="mine")
    both = chat.send_many(["one", "two"], key="both")
    for others in (["one"], ["one", "two", "three"], ["one", "2"]):
        with pytest.raises(KeyConflict):
            chat.send_many(others, key="both")
    with pytest.raises(KeyConflict):
        chat.send("one", key="both")
    assert chat.send_many(["one", "two"], key="both") == both
    assert texts(chat.history()) == ["one", "one", "two"]


def test_found_15_a_list_that_waits_behind_others_is_whole_or_a_conflict_and_takes_nobody_with_it(
    joined: Join, held_room: HeldRoom
) -> None:
    chat = joined("Erick")
    chat.send_many(["one", "two"], key="mine")
    held_room.gate.clear()
    first = Running(lambda: chat.send("first"))
    eventually(lambda: held_room.posts[-1] == ["first"])
    sends = []
    for send in (
        lambda: chat.send("before"), lambda: chat.send_many(["one", "two", "three"], key="mine"), lambda: chat.send("after"),
        lambda: chat.send_many(["x", "y"]),
    ):  # fmt: skip
        waiting = chat.pending
        sends.append(Running(send))
        eventually(lambda waiting=waiting: chat.pending > waiting)
    held_room.gate.set()
    with pytest.raises(KeyConflict):
        sends.pop(1).result()
    for good in [first, *sends]:
        good.result()
    assert held_room.posts[-4:] == [["before"], ["one", "two", "three"], ["after"], ["x", "y"]]
    assert texts(chat.history()) == ["one", "two", "first", "before", "after", "x", "y"]


def test_found_15_what_was_stored_before_is_told_beside_what_the_full_disk_refuses(
    server: Server, joined: Join, held_room: HeldRoom
) -> None:
    """Given a full disk, when a repeat and a new text share a call, then each sender is told what is true of its own."""
    chat = joined("Erick")
    known = chat.send("hi", key="mine")
    fill = server._rooms.open_ones[0].log._writer  # type: ignore[attr-defined]
    fill.execute(f"PRAGMA max_page_count = {fill.execute('PRAGMA page_count').fetchone()[0]}")
    held_room.gate.clear()
    first = Running(lambda: chat.send("x" * 16_000))
    eventually(lambda: held_room.posts[-1] == ["x" * 16_000])
    again, new = Running(lambda: chat.send("hi", key="mine")), Running(lambda: chat.send("y" * 16_000))
    eventually(lambda: chat.pending == 3)
    held_room.gate.set()
    assert again.result() == known
    with pytest.raises(KeyConflict):
        chat.send("ho", key="mine")
    for refused in (first, new):
        with pytest.raises(LogUnavailable, match="nothing was stored"):
            refused.result()
    fill.execute("PRAGMA max_page_count = 1000000")
    assert texts(chat.history()) == ["hi"]


def test_a_send_that_is_not_acknowledged_in_time_says_its_key(joined: Join, held_room: HeldRoom) -> None:
    chat = joined("Erick")
    held_room.gate.clear()
    with pytest.raises(SendTimeout, match="whether it was sent is unknown") as caught:
        chat.send("late", timeout=0.05)
    held_room.gate.set()
    message = chat.send("late", key=caught.value.key)
    assert texts(chat.history()) == ["late"]
    assert message.key == caught.value.key


def test_a_send_that_waits_behind_another_is_withdrawn_when_its_time_is_over(joined: Join, held_room: HeldRoom) -> None:
    chat = joined("Erick")
    held_room.gate.clear()
    first = Running(lambda: chat.send("first"))
    eventually(lambda: held_room.posts == [["first"]])
    with pytest.raises(SendTimeout):
        chat.send("second", timeout=0.05)
    held_room.gate.set()
    first.result()
    chat.send("third")
    assert texts(chat.history()) == ["first", "third"]


def test_leave_sends_what_is_waiting(server: Server, joined: Join, held_room: HeldRoom) -> None:
    chat, other = joined("Erick"), joined("Ana")
    held_room.gate.clear()
    sends = [Running(lambda number=number: chat.send(str(number))) for number in range(5)]
    eventually(lambda: chat.pending == 5)
    leaving = Running(chat.leave)
    held_room.gate.set()
    leaving.result()
    for send in sends:
        send.result()
    eventually(lambda: sorted(texts(other.history())) == list("01234"))
    eventually(lambda: other.members == ["Ana"])


def test_history_and_members_show_what_was_acknowledged(joined: Join) -> None:
    """Read your own writes, though nobody waits for a delivery."""
    chat = joined("Erick")
    for number in range(100):
        assert chat.send(str(number)) == chat.history(last=1)[0]


@pytest.mark.parametrize(("count", "size"), [(10_000, 90), (10_000, 1), (54, 16_384)])
def test_the_largest_batches_go_out_in_one_call(joined: Callable[..., Chat], count: int, size: int) -> None:
    """With its keys and framing, what `send_many` takes is never more than what the room takes."""
    ana = joined("Ana")
    messages = ana.send_many(["x" * size] * count, timeout=20)
    assert [message.id for message in messages] == list(range(2, count + 2))


def test_a_batch_that_is_repeated_under_its_key_is_there_once(joined: Callable[..., Chat]) -> None:
    ana = joined("Ana")
    first = ana.send_many(["a", "b", "c"], key="mine")
    assert ana.send_many(["a", "b", "c"], key="mine") == first
    assert [message.text for message in ana.history(after=1)] == ["a", "b", "c"]


@pytest.mark.parametrize("error", [KeyError("a defect"), SystemExit(1)], ids=["KeyError", "SystemExit"])
def test_found_10_whatever_the_outbox_stumbles_over_it_sends_on(
    joined: Join, host_lobby: Host, tmp_path: Path, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """When the room limits it, it says so to somebody who fails: what waits goes out all the same."""
    chat = joined("Ana", at=host_lobby(data=tmp_path / "slow", rate=50).at)
    told: list[str] = []

    def fail(text: str) -> None:
        told.append(text)
        raise error

    outbox = Outbox(chat._session, chat._replica, chat._reading, fail)
    threads = [Running(lambda: outbox.send(["x"] * 100, None, 20)) for _ in range(7)]  # at once: what 10 s make
    assert sum(len(thread.result()) for thread in threads) == 700  # type: ignore[arg-type]
    outbox.close(5)
    assert told
    assert any(record.exc_info for record in caplog.records)
