"""Handlers share a thread while they are quick, and none of them can hold up another."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from pyrochat import Chat, Message
from pyrochat.client import deliveries
from pyrochat.client.deliveries import read_delivery
from pyrochat.client.handlers import Handler, HandlerThreads
from pyrochat.client.replica import Replica
from pyrochat.values.errors import InvalidArgument
from tests.support import chat_message, eventually, joined_message, stumbling

Join = Callable[..., Chat]


def test_quick_handlers_of_many_chats_share_a_thread(joined: Join) -> None:
    threads: list[set[int]] = []
    chats = [joined(f"m{number}") for number in range(10)]
    for chat in chats:
        seen: set[int] = set()
        threads.append(seen)
        chat.on_message(lambda message, seen=seen: seen.add(threading.get_ident()))
    for number in range(5):
        chats[0].send(str(number))
    eventually(lambda: all(threads))
    assert len(set.union(*threads)) <= 2  # another one leads when the machine was slow for a moment


def test_a_handler_that_waits_for_another_one_does_not_stop_it(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    heard = threading.Event()
    done = threading.Event()

    @ana.on_message
    def wait_for_igor(message: object) -> None:
        assert heard.wait(10)
        done.set()

    igor.on_message(lambda message: heard.set())
    igor.send("hi")
    assert done.wait(10)


def test_a_slow_handler_gets_every_message_in_order_on_a_thread_of_its_own(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    gate = threading.Event()
    slow: list[str] = []
    quick: list[str] = []

    @ana.on_message
    def crawl(message: object) -> None:
        gate.wait(10)
        slow.append(message.text)  # type: ignore[attr-defined]

    igor.on_message(lambda message: quick.append(message.text))
    texts = [str(number) for number in range(600)]
    igor.send_many(texts)
    eventually(lambda: quick == texts)
    assert slow == []
    gate.set()
    eventually(lambda: slow == texts)
    igor.send("one more")
    eventually(lambda: slow[-1] == "one more" == quick[-1])


def test_the_same_lists_become_messages_once() -> None:
    rows = [chat_message(1).to_wire(), joined_message(2, "Ana").to_wire()]
    marks: list[list[object]] = [["Ana", 2, 1]]
    first = read_delivery(rows, marks)
    assert read_delivery(rows, marks) is first
    assert first.messages == [chat_message(1), joined_message(2, "Ana")]
    assert first.changes == [joined_message(2, "Ana")]
    assert read_delivery([list(row) for row in rows], marks) is not first
    assert len(deliveries._recent) <= 4


@pytest.mark.parametrize("marks", [[["Ana", 1]], [[1, 1, 1]], [["Ana", "1", 1]], ["Ana"], [None]])
def test_marks_that_are_none_are_refused(marks: list[list[object]]) -> None:
    with pytest.raises(InvalidArgument):
        read_delivery([], marks)


# -- they go on, whatever happens -------------------------------------------------------------------------------------


def test_found_10_a_handler_that_ends_its_thread_ends_no_others_handler(
    joined: Join, caplog: pytest.LogCaptureFixture
) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    seen: list[str] = []

    @ana.on_message
    def leave(message: Message) -> None:
        raise SystemExit(1)

    igor.on_message(lambda message: seen.append(message.text))
    for number in range(5):
        ana.send(str(number))
        eventually(lambda number=number: seen[-1:] == [str(number)])
    assert any(record.exc_info for record in caplog.records)


@pytest.mark.parametrize("error", [KeyError("a defect"), SystemExit(1)], ids=["KeyError", "SystemExit"])
def test_found_10_whatever_a_handlers_thread_stumbles_over_it_runs_the_others(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """A defect of ours, beside the user's code: what a handler has been shown can't be noted."""
    replica, seen = Replica("lobby"), []

    def fail(id: int) -> None:
        raise error

    threads = HandlerThreads()
    failing = Handler(lambda message: None, replica, 0, fail)
    other = Handler(lambda message: seen.append(message.id), replica, 0, lambda id: None)
    for id in range(1, 4):
        replica.extend(read_delivery([chat_message(id).to_wire()], []))
        threads.wake(failing)
        threads.wake(other)
        threads.kick()
        eventually(lambda id=id: seen == list(range(1, id + 1)))
    assert any(record.exc_info for record in caplog.records)


def test_found_10_whatever_the_watch_over_the_handlers_stumbles_over_it_watches_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    kind = stumbling(HandlerThreads, "_look", times=3, error=SystemExit(1))
    threads = kind()
    eventually(lambda: kind.stumbles == 3)  # type: ignore[attr-defined]
    replica, gate, heard = Replica("lobby"), threading.Event(), threading.Event()
    slow = Handler(lambda message: gate.wait(10), replica, 0, lambda id: None)
    other = Handler(lambda message: heard.set(), replica, 0, lambda id: None)
    replica.extend(read_delivery([chat_message(1).to_wire()], []))
    for handler in (slow, other):
        threads.wake(handler)
    threads.kick()
    assert heard.wait(10)
    gate.set()
    assert any(record.exc_info for record in caplog.records)
