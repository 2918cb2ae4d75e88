"""Handlers share a thread while they are quick, and none of them can hold up another."""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from mypy import api as mypy

from pyrochat import Chat, Server
from pyrochat.client import deliveries
from pyrochat.client.deliveries import read_delivery
from pyrochat.client.handler_threads import HandlerThreads
from pyrochat.client.handlers import SLOW_TIMES, EventHandler
from pyrochat.values.errors import InvalidArgument, RoomUnreachable, ServerFault
from pyrochat.values.message import Message
from tests.support import Running, chat_message, eventually, joined_message, stumbling

Join = Callable[..., Chat]
KINDS = ["message", "state", "notice"]


def cause(kind: str, chat: Chat, by: Chat, server: Server) -> None:
    """Let something happen to *chat* that a handler of *kind* is for."""
    if kind == "message":
        by.send("something")
    elif kind == "state":
        chat._session._lost(chat._session._served, RoomUnreachable("something"))  # type: ignore[arg-type]
        eventually(lambda: chat.state in ("connected", "closed"))  # a handler may have left meanwhile
    else:
        server._multicaster.tell(server._rooms.open_ones[0], "something")


def handle(chat: Chat, kind: str, handler: Callable[..., None]) -> None:
    {"message": chat.on_message, "state": chat.on_state, "notice": chat.on_notice}[kind](handler)  # type: ignore[operator]


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
        assert heard.wait(20)
        done.set()

    igor.on_message(lambda message: heard.set())
    igor.send("hi")
    assert done.wait(20)


def test_a_slow_handler_gets_every_message_in_order_on_a_thread_of_its_own(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    gate = threading.Event()
    slow: list[str] = []
    quick: list[str] = []

    @ana.on_message
    def crawl(message: object) -> None:
        gate.wait(20)
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
    with pytest.raises(ServerFault):
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
    """A defect of ours, beside the user's code."""
    seen: list[int] = []
    kind = stumbling(EventHandler, "run", times=3, error=error)
    threads, failing, other = (
        HandlerThreads(),
        kind(lambda id: None, "the event"),
        EventHandler(seen.append, "the event"),
    )
    for id in range(1, 4):
        for handler in (failing, other):
            handler.add(id)
            threads.begin(handler)
        eventually(lambda id=id: seen == list(range(1, id + 1)))
    assert any(record.exc_info for record in caplog.records)


def test_found_10_whatever_the_watch_over_the_handlers_stumbles_over_it_watches_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    kind = stumbling(HandlerThreads, "_look", times=3, error=SystemExit(1))
    threads = kind()
    eventually(lambda: kind.stumbles == 3)  # type: ignore[attr-defined]
    gate, heard = threading.Event(), threading.Event()
    slow = EventHandler(lambda event: gate.wait(20), "the event")
    other = EventHandler(lambda event: heard.set(), "the event")
    for handler in (slow, other):
        handler.add(1)
        threads.begin(handler)
    assert heard.wait(20)
    gate.set()
    assert any(record.exc_info for record in caplog.records)


def test_found_45_a_handler_that_was_slow_is_forgiven_once_it_is_quick() -> None:
    """For once it may have been the machine: only one that is slow again and again has a thread for good."""
    threads = HandlerThreads()
    gates = {number: threading.Event() for number in range(2 * SLOW_TIMES)}
    heard: list[int] = []
    begun: list[int] = []

    def handle(number: int) -> None:
        begun.append(number)
        assert gates[number].wait(20)

    handler = EventHandler(handle, "the event")
    other = EventHandler(heard.append, "the event")

    def run(number: int, slow: bool) -> None:
        """Let *handler* have its turn; slow: the other one gets its own before that is over."""
        if not slow:
            gates[number].set()
        handler.add(number)
        threads.begin(handler)
        eventually(lambda: begun[-1:] == [number])
        if slow:
            other.add(number)
            threads.begin(other)
            eventually(lambda: heard[-1:] == [number])
            gates[number].set()
        eventually(lambda: not handler.scheduled)

    for number in range(SLOW_TIMES - 1):
        run(number, slow=True)
    assert handler.times_slow == SLOW_TIMES - 1
    run(SLOW_TIMES, slow=False)
    assert handler.times_slow == 0
    for number in range(SLOW_TIMES + 1, 2 * SLOW_TIMES):
        run(number, slow=True)
    assert not handler.slow


# -- all three kinds of handler ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_found_17_no_handler_runs_in_a_thread_of_the_network(server: Server, joined: Join, kind: str) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    threads: list[str] = []
    handle(ana, kind, lambda *event: threads.append(threading.current_thread().name))
    cause(kind, ana, igor, server)
    eventually(lambda: threads)
    assert set(threads) == {"pyrochat-handlers"}


@pytest.mark.parametrize("kind", KINDS)
def test_found_17_a_handler_may_call_anything(server: Server, joined: Join, kind: str) -> None:
    """Another chat, its own, and leave: whatever waits for the network or for a reconnection."""
    ana, igor, carl = joined("Ana"), joined("Igor"), joined("Carl")
    done = threading.Event()

    def use_all(*event: object) -> None:
        if not done.is_set():
            message = igor.send("from a handler", timeout=20)
            carl.wait_for(message.id, timeout=20)
            ana.wait_for(ana.send("from my own", timeout=20).id, timeout=20)
            igor.leave()
            ana.leave()
            done.set()

    handle(ana, kind, use_all)
    cause(kind, ana, carl, server)
    assert done.wait(20)
    assert ana.state == igor.state == "closed"
    eventually(lambda: carl.members == ["Carl"])


@pytest.mark.parametrize("kind", KINDS)
def test_found_17_a_slow_handler_delays_no_other_chat(server: Server, joined: Join, kind: str) -> None:
    ana, igor, carl = joined("Ana"), joined("Igor"), joined("Carl")
    gate, entered, heard = threading.Event(), threading.Event(), threading.Event()

    def crawl(*event: object) -> None:
        entered.set()
        gate.wait(30)

    handle(ana, kind, crawl)
    cause(kind, ana, carl, server)
    assert entered.wait(20)
    handle(igor, kind, lambda *event: heard.set())
    cause(kind, igor, carl, server)
    assert heard.wait(20)
    message = carl.send("still delivered")
    for chat in (ana, igor):
        assert chat.wait_for(message.id, timeout=20) == message
    gate.set()


@pytest.mark.parametrize("raised", [ZeroDivisionError, SystemExit, KeyboardInterrupt, asyncio.CancelledError,
                                    pytest.fail.Exception], ids=lambda error: error.__name__)  # fmt: skip
@pytest.mark.parametrize("kind", KINDS)
def test_found_35_whatever_a_handler_raises_is_reported_and_costs_nothing_else(
    server: Server, joined: Join, caplog: pytest.LogCaptureFixture, kind: str, raised: type[BaseException]
) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    calls: list[object] = []
    others: list[object] = []

    def fussy(*event: object) -> None:
        calls.append(event)
        if len(calls) == 1:
            raise raised

    handle(ana, kind, fussy)
    handle(ana, kind, lambda *event: others.append(event))
    served = ana._session._served
    for _ in range(2):
        cause(kind, ana, igor, server)
    eventually(lambda: len(calls) >= 2)
    eventually(lambda: len(others) >= 2)
    if kind != "state":
        assert ana._session._served is served, "the connection is the same"
    message = igor.send("still delivered")
    assert ana.wait_for(message.id, timeout=20) == message
    reports = [record for record in caplog.records if "the handler 'fussy' failed on" in record.getMessage()]
    assert len(reports) == 1
    assert reports[0].name == "pyrochat"
    assert reports[0].exc_info is not None
    assert reports[0].exc_info[0] is raised


def test_found_35_a_logging_handler_that_exits_costs_nothing_either(joined: Join) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    seen: list[str] = []

    class Exits(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise SystemExit

    @ana.on_message
    def fussy(message: Message) -> None:
        seen.append(message.text)
        raise ZeroDivisionError

    exits = Exits()
    logging.getLogger("pyrochat").addHandler(exits)
    try:
        igor.send_many(["one", "two"])
        eventually(lambda: seen == ["one", "two"])
    finally:
        logging.getLogger("pyrochat").removeHandler(exits)


def test_states_are_told_in_order_and_the_last_before_leave_returns(joined: Join) -> None:
    ana = joined("Ana")
    states: list[str] = []
    ana.on_state(lambda state, reason: states.append(state))
    for _ in range(3):
        ana._session._lost(ana._session._served, "cut")  # type: ignore[arg-type]
        eventually(lambda: ana.state == "connected")
    ana.leave()
    assert states == ["reconnecting", "connected"] * 3 + ["closed"]


def test_leaving_waits_only_a_moment_for_a_handler_that_hangs(joined: Join) -> None:
    ana = joined("Ana")
    gate, entered = threading.Event(), threading.Event()

    @ana.on_state
    def hang(state: str, reason: str) -> None:
        entered.set()
        gate.wait(30)

    ana._session._lost(ana._session._served, "cut")  # type: ignore[arg-type]
    assert entered.wait(20)
    Running(ana.leave).result(15)
    assert ana.state == "closed"
    gate.set()


def test_a_handler_that_is_very_slow_misses_the_oldest_events_and_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    told: list[object] = []
    handler = EventHandler(told.append, "the notice", most=3)
    for number in range(5):
        handler.add(number)
    handler.run()
    assert told == [2, 3, 4]
    assert "too slow for 2 of" in caplog.text


# -- what is no plain function -------------------------------------------------------------------------------------


async def coroutine_function(*event: object) -> None:
    """Would never be run."""


async def async_generator(*event: object) -> AsyncIterator[int]:
    yield 1


def generator(*event: object) -> Iterator[int]:
    yield 1


class Async:
    async def __call__(self, *event: object) -> None:
        """Would never be run."""

    async def method(self, *event: object) -> None:
        """Would never be run."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "wrong",
    [coroutine_function, async_generator, generator, Async(), Async().method, functools.partial(coroutine_function),
     functools.partial(functools.partial(Async(), 1), 2)],
)  # fmt: skip
def test_found_39_what_would_never_be_run_is_refused(joined: Join, kind: str, wrong: Callable[..., None]) -> None:
    chat = joined("Ana")
    with pytest.raises(InvalidArgument, match="plain function") as refused:
        handle(chat, kind, wrong)
    if wrong is not generator:
        assert "pyrochat.aio, for async programs, is still to come" in str(refused.value)
    with pytest.raises(InvalidArgument):
        chat.on_message(after=0)(coroutine_function)  # type: ignore[type-var]


def test_found_39_a_function_that_only_makes_a_coroutine_has_shown_nothing(
    joined: Join, caplog: pytest.LogCaptureFixture
) -> None:
    ana, igor = joined("Ana"), joined("Igor")
    last: list[int] = []
    igor.on_message(lambda message: coroutine_function(message))  # type: ignore[arg-type, type-var, return-value]
    igor.on_message(lambda message: last.append(message.id))
    sent = ana.send_many(["one", "two"])
    eventually(lambda: last == [message.id for message in sent])
    eventually(lambda: len([r for r in caplog.records if "failed on message" in r.getMessage()]) == 2)
    assert igor.read_mark < sent[0].id


TYPED = """
import queue
from concurrent.futures import ThreadPoolExecutor
from pyrochat import Chat, Message

def allowed(chat: Chat, texts: queue.Queue[Message], pool: ThreadPoolExecutor) -> None:
    @chat.on_message
    def show(message: Message) -> None: ...
    @chat.on_message(after=0)
    def count(message: Message) -> int: return 1
    @chat.on_state
    def state(state: str, reason: str) -> None: ...
    @chat.on_notice
    def notice(text: str) -> bool: return True
    chat.on_message(texts.put)
    chat.on_message(print, after=0)
    chat.on_message(lambda message: chat.send("yes"))
    chat.on_message(lambda message: pool.submit(print, message))

async def of_message(message: Message) -> None: ...
async def of_state(state: str, reason: str) -> None: ...
async def of_notice(text: str) -> None: ...

def refused(chat: Chat) -> None:
    chat.on_message(of_message)
    chat.on_message(of_message, after=0)
    chat.on_message(after=0)(of_message)
    chat.on_state(of_state)
    chat.on_notice(of_notice)
"""


def test_found_39_the_types_refuse_it_too(tmp_path: Path) -> None:
    source = tmp_path / "typed.py"
    source.write_text(TYPED)
    said, _, _ = mypy.run(["--strict", f"--cache-dir={tmp_path / 'cache'}", "--follow-imports=silent", str(source)])
    begin = TYPED.splitlines().index("def refused(chat: Chat) -> None:") + 1
    refused = sorted({int(line.split(":")[1]) for line in said.splitlines() if ": error: " in line})
    assert refused == [begin + number for number in range(1, 6)], said


@pytest.mark.parametrize("kind", KINDS)
def test_found_29_off_ends_a_handler_of_any_kind(server: Server, joined: Join, kind: str) -> None:
    chat, by = joined("Ana"), joined("Igor")
    ended: list[object] = []
    goes_on: list[object] = []

    def first(*event: object) -> None:
        ended.append(event)

    handle(chat, kind, first)
    handle(chat, kind, lambda *event: goes_on.append(event))
    cause(kind, chat, by, server)
    eventually(lambda: goes_on and len(ended) == len(goes_on))
    chat.off(first)
    before = list(ended)
    count = len(goes_on)
    cause(kind, chat, by, server)
    eventually(lambda: len(goes_on) > count)
    assert ended == before
    with pytest.raises(InvalidArgument, match="no handler of this chat"):
        chat.off(first)


def test_found_29_a_handler_that_ends_itself_is_called_once(joined: Join) -> None:
    chat, by = joined("Ana"), joined("Igor")
    by.send_many([str(number) for number in range(50)])
    got: list[int] = []

    def once(message: Message) -> None:
        got.append(message.id)
        chat.off(once)

    chat.on_message(once, after=0)
    eventually(lambda: got and chat.read_mark >= got[0])
    last = by.send("more").id
    chat.on_message(lambda message: got.append(-message.id), after=last - 1)
    eventually(lambda: -last in got)
    assert got == [1, -last]


def test_found_29_a_handler_that_is_off_does_not_hold_back_the_read_mark(joined: Join) -> None:
    chat, by = joined("Ana"), joined("Igor")
    entered, release = threading.Event(), threading.Event()

    def stuck(message: Message) -> None:
        entered.set()
        release.wait(20)

    chat.on_message(stuck)
    chat.on_message(lambda message: None)
    sent = by.send("something")
    assert entered.wait(20)
    chat.off(stuck)
    try:
        eventually(lambda: chat.read_mark >= sent.id)
    finally:
        release.set()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("handler", ["text", 5, b"x", []])
def test_found_29_what_cant_be_called_is_no_handler(joined: Join, kind: str, handler: object) -> None:
    with pytest.raises(InvalidArgument, match="a handler has to be a function"):
        handle(joined("Ana"), kind, handler)  # type: ignore[arg-type]
