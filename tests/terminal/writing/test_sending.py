"""The way out: every text once, in order, or handed back."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pyrochat import Chat, InvalidText, KeyConflict, PyroChatError, Server
from pyrochat.core.order import Submission
from pyrochat.pyro.connection import shut_down
from pyrochat.room.room import Room
from pyrochat.terminal.writing.drafts import Unsent
from pyrochat.terminal.writing.sending import Sending
from tests.support import Running, eventually, impatient_chat, texts

Join = Callable[..., Chat]


class Way:
    """A `Sending` of *chat*'s, and what it has told."""

    def __init__(self, chat: Chat) -> None:
        self.changes = 0
        self.refused: list[tuple[str, type[PyroChatError]]] = []
        self.sending = Sending(chat, self._changed, lambda unsent, e: self.refused.append((unsent.text, type(e))))

    def _changed(self) -> None:
        self.changes += 1


@pytest.fixture
def way(joined: Join) -> Iterator[Callable[[Chat], Way]]:
    """Ways out; all ended at the end."""
    ways: list[Way] = []

    def make(chat: Chat) -> Way:
        ways.append(Way(chat))
        return ways[-1]

    yield make
    for each in ways:
        each.sending.end(5)


def unsent(*texts: str) -> list[Unsent]:
    return [Unsent(text) for text in texts]


def test_texts_go_out_in_order(joined: Join, way: Callable[[Chat], Way]) -> None:
    igor, out = joined("Igor"), way(joined("Ana", read="manual"))
    numbers = [str(number) for number in range(60)]
    out.sending.add(unsent(*numbers[:20]))
    for number in numbers[20:]:
        out.sending.add(unsent(number))
    eventually(lambda: len(texts(igor.history())) == 60)
    assert texts(igor.history()) == numbers
    eventually(lambda: out.changes == 60)
    assert out.sending.waiting == ()
    assert not out.refused


def test_while_the_server_is_away_they_wait_and_then_go_out_once(
    server: Server, joined: Join, way: Callable[[Chat], Way], restarted: Callable[[], Server]
) -> None:
    ana, igor = joined("Ana", read="manual"), joined("Igor")
    out = way(ana)
    out.sending.add(unsent("before"))
    eventually(lambda: out.changes == 1)
    server.close()
    kept = unsent("one", "two", "three")
    out.sending.add(kept)
    eventually(lambda: ana.state == "reconnecting")
    assert out.sending.waiting == tuple(kept)
    restarted()
    eventually(lambda: not out.sending.waiting)
    eventually(lambda: texts(igor.history()) == ["before", "one", "two", "three"])


def test_what_the_room_refuses_is_handed_back_and_the_next_goes_out(joined: Join, way: Callable[[Chat], Way]) -> None:
    out, igor = way(joined("Ana", read="manual")), joined("Igor")
    first = Unsent("first")
    out.sending.add([first, Unsent("x" * 16_385), Unsent("other", first.key), Unsent(""), Unsent("last")])
    eventually(lambda: out.changes == 5)
    assert out.refused == [("x" * 16_385, InvalidText), ("other", KeyConflict), ("", InvalidText)]
    assert out.sending.waiting == ()
    eventually(lambda: texts(igor.history()) == ["first", "last"])


def test_the_end_waits_for_what_can_be_sent(joined: Join, way: Callable[[Chat], Way]) -> None:
    ana, igor = joined("Ana", read="manual"), joined("Igor")
    out = way(ana)
    out.sending.add(unsent(*map(str, range(50))))
    assert out.sending.end(10) == ()
    assert ana.state == "closed"
    eventually(lambda: len(texts(igor.history())) == 50)


def test_what_could_not_be_sent_goes_out_the_next_time_once(
    server: Server, joined: Join, way: Callable[[Chat], Way], restarted: Callable[[], Server]
) -> None:
    ana = joined("Ana", read="manual")
    out = way(ana)
    texts_of_mine = unsent("one", "two", "three")
    server.close()
    eventually(lambda: ana.state != "connected")
    out.sending.add(texts_of_mine)
    assert out.sending.end(0.2) == tuple(texts_of_mine)
    restarted()
    again = way(joined("Ana", read="manual"))
    again.sending.add(texts_of_mine)
    eventually(lambda: again.changes == 3)
    assert texts(joined("Igor").history()) == ["one", "two", "three"]


def test_what_is_in_the_log_though_nobody_said_so_is_not_there_twice(
    server: Server, joined: Join, way: Callable[[Chat], Way], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chat is left between the commit and its answer; the text goes out again with the next session."""
    original, written, gate = Room.post, threading.Event(), threading.Event()

    def post(*arguments: Any) -> Submission:
        request = original(*arguments)
        written.set()
        assert gate.wait(20)
        return request

    def is_over() -> bool:
        """Cut the connection until the chat has been left."""
        remote = ana._session._remote
        with contextlib.suppress(OSError, AttributeError):
            shut_down(remote._connection.sock)  # type: ignore[union-attr]
        return ending.is_done

    ana, igor = impatient_chat(server, "Ana", read="manual"), joined("Igor")
    out, mine = way(ana), unsent("one", "two")
    with monkeypatch.context() as patch:
        patch.setattr(Room, "post", post)
        out.sending.add(mine)
        assert written.wait(20)
        ending = Running(lambda: out.sending.end(0.1))
        eventually(is_over)
        gate.set()
    left = out.sending.waiting
    assert left == tuple(mine)
    again = way(joined("Ana", read="manual"))
    again.sending.add(left)
    eventually(lambda: again.changes == 2)
    eventually(lambda: texts(igor.history())[-1:] == ["two"])
    assert texts(igor.history()) == ["one", "two"]


def test_ending_with_nothing_to_send_is_quick_and_may_be_repeated(joined: Join, way: Callable[[Chat], Way]) -> None:
    out = way(joined("Ana", read="manual"))
    assert out.sending.end(60) == ()
    assert out.sending.end(60) == ()


@pytest.mark.parametrize("error", [KeyError("a defect"), SystemExit(1)], ids=["KeyError", "SystemExit"])
def test_found_10_whatever_is_raised_where_it_tells_what_came_of_a_text_the_next_one_goes_out(
    joined: Join, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise error

    igor = joined("Igor")
    sending = Sending(joined("Ana", read="manual"), fail, fail)
    try:
        sending.add(unsent("one", "", "two", "three"))
        eventually(lambda: not sending.waiting)
        eventually(lambda: texts(igor.history()) == ["one", "two", "three"])
    finally:
        sending.end(5)
    assert any(record.exc_info for record in caplog.records)
