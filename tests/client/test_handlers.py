"""Handlers share a thread while they are quick, and none of them can hold up another."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from pyrochat import Chat
from pyrochat.client import deliveries
from pyrochat.client.deliveries import read_delivery
from pyrochat.values.errors import InvalidArgument
from tests.support import chat_message, eventually, joined_message

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
