"""Turns: few read at once, nobody is held up by waiting for one, and the threads go on whatever happens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from pyrochat.room.turns import AT_ONCE, Turns
from pyrochat.values.errors import RoomClosing
from tests.support import Running, eventually


@pytest.fixture
def turns() -> Iterator[Turns]:
    turns = Turns()
    yield turns
    turns.close()


class Reading:
    """Something to read; notes how many do that at once, and waits until `gate` is open."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.at_once = 0
        self.most_at_once = 0
        self.done: list[object] = []
        self.charged: list[float] = []
        self._mutex = threading.Lock()

    def __call__(self) -> str:
        with self._mutex:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        assert self.gate.wait(20)
        with self._mutex:
            self.at_once -= 1
        return threading.current_thread().name

    def ask(self, turns: Turns) -> None:
        later = turns.take(self, self.charged.append)
        later.then(lambda: self.done.append(later.result()))


@pytest.fixture
def reading() -> Iterator[Reading]:
    reading = Reading()
    yield reading
    reading.gate.set()


def test_found_3_who_asks_waits_in_no_thread_and_few_read_at_once(turns: Turns, reading: Reading) -> None:
    for _ in range(100):
        reading.ask(turns)
    eventually(lambda: reading.at_once == AT_ONCE)
    assert reading.done == []
    reading.gate.set()
    eventually(lambda: len(reading.done) == 100)
    assert reading.most_at_once == AT_ONCE
    assert all(str(name).startswith("pyrochat-turns") for name in reading.done)
    eventually(lambda: len(reading.charged) == 100)


def test_found_3_who_needs_the_result_in_a_batch_waits_for_the_same_turns(turns: Turns, reading: Reading) -> None:
    asking = [Running(turns.take(reading, reading.charged.append).result) for _ in range(10)]
    eventually(lambda: reading.at_once == AT_ONCE)
    reading.gate.set()
    assert all(each.result() for each in asking)
    assert reading.most_at_once == AT_ONCE


def test_found_10_whatever_those_who_take_turns_raise_the_next_one_has_its_turn(
    turns: Turns, reading: Reading, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(error: BaseException) -> Callable[[], None]:
        def fail() -> None:
            raise error

        return fail

    reading.gate.set()
    for error in (KeyError("a defect"), SystemExit(1)) * AT_ONCE:
        turns.take(reading, reading.charged.append).then(failing(error))
    reading.ask(turns)
    eventually(lambda: reading.done)
    assert any(record.exc_info for record in caplog.records)


def test_when_the_server_ends_who_waits_is_told_so(reading: Reading) -> None:
    turns = Turns(at_once=1)
    reading.ask(turns)
    eventually(lambda: reading.at_once)
    told: list[BaseException] = []

    def ask() -> None:
        later = turns.take(reading, reading.charged.append)

        def answer() -> None:
            try:
                later.result()
            except RoomClosing as error:
                told.append(error)

        later.then(answer)

    ask()
    closing = Running(turns.close)
    eventually(lambda: turns._closed)
    ask()  # too late: it is told at once
    assert len(told) == 1
    reading.gate.set()
    closing.result()
    assert len(told) == 2
    assert len(reading.done) == 1
