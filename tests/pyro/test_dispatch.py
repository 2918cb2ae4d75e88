"""From a request to its answer: whose mistake it is, and how much one request may ask for."""

from __future__ import annotations

import logging

import pytest
from Pyro5 import protocol

from pyrochat.pyro import dispatch
from pyrochat.pyro.dispatch import Later, Pending, answer_frame, expose, quick
from pyrochat.pyro.frames import HEADER_BYTES, Frame
from pyrochat.pyro.serializers import MSGPACK, SERIALIZERS, ValueBounds, decode_value, encode_value
from pyrochat.values.protocol import MAX_ANSWER_BYTES

ANYTHING = ValueBounds(1 << 20, 64)


class Late(Later):
    """Has a result that can't be had."""

    def result(self) -> object:
        return len(5)  # type: ignore[arg-type]


@expose
class Room:
    """Has defects of each kind, and gives large answers."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def greet(self, name: str, loudly: bool = False) -> str:
        self.calls.append(name)
        return f"hello {name}"

    def add(self, number: object) -> object:
        return 1 + number  # type: ignore[operator]

    def look(self, value: object) -> object:
        return value.no_such_attribute  # type: ignore[attr-defined]

    def call_wrongly(self) -> object:
        return self.greet()  # type: ignore[call-arg]

    def late(self) -> Later:
        return Late()

    def unsendable(self) -> object:
        return object()

    @quick
    def large(self, size: int) -> str:
        self.calls.append("large")
        return "x" * size


def answer(room: Room, payload: object, flags: int = 0, serializer_id: int = MSGPACK) -> object:
    """What is answered to a call; an exception as the dict that it is on the wire."""
    frame = Frame(protocol.MSG_INVOKE, serializer_id, flags, 1, encode_value(payload, serializer_id))
    answered = answer_frame(frame, {"room": room})
    if isinstance(answered, Pending):
        answered = answered.answer()
    assert answered is not None
    return decode_value(answered[HEADER_BYTES:], serializer_id, ANYTHING)


def call(room: Room, method: str, *arguments: object, **keywords: object) -> object:
    return answer(room, ["room", method, list(arguments), keywords])


def batch(room: Room, *calls: list[object]) -> list[object]:
    found = answer(room, ["room", "<batch>", list(calls), {}], protocol.FLAGS_BATCH)
    assert isinstance(found, list)
    return found


@pytest.fixture
def room() -> Room:
    return Room()


@pytest.mark.parametrize(
    ("method", "arguments", "keywords"),
    [
        ("greet", [], {}), ("greet", ["a", True, 5], {}), ("greet", ["a"], {"name": "b"}), ("greet", ["a"], {"no": 1}),
        ("call_wrongly", [1], {}), ("greet", ["a"], {"_": 1}),
    ],
)  # fmt: skip
def test_found_9_arguments_that_do_not_fit_are_the_callers_mistake(
    room: Room, method: str, arguments: list[object], keywords: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    told = answer(room, ["room", method, arguments, keywords])
    assert isinstance(told, dict)
    assert told["__class__"] == "builtins.TypeError"
    assert method in told["args"][0]
    assert room.calls == []
    assert caplog.records == []


@pytest.mark.parametrize("name", ["nothing", "_private", "__class__", "calls"])
def test_found_9_a_method_that_is_not_there_is_the_callers_mistake(
    room: Room, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    told = call(room, name)
    assert isinstance(told, dict)
    assert told["__class__"] == "builtins.AttributeError"
    assert caplog.records == []


@pytest.mark.parametrize(
    ("method", "arguments"),
    [("add", ["x"]), ("look", [5]), ("call_wrongly", []), ("late", []), ("unsendable", [])],
)
def test_found_9_a_defect_inside_is_logged_and_told_without_a_detail(
    room: Room, method: str, arguments: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    for told in (call(room, method, *arguments), batch(room, [method, arguments, {}])[-1]):
        if isinstance(told, dict) and "exception" in told:
            told = told["exception"]
        assert isinstance(told, dict)
        assert told["__class__"] == "builtins.RuntimeError"
        assert told["args"] == ["internal-error: the server could not do this; its log says why"]
    assert len([record for record in caplog.records if record.exc_info and record.levelno == logging.ERROR]) == 2


def test_found_9_a_thousand_defects_do_not_fill_the_log(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(1000):
        call(room, "add", "x")
    assert len(caplog.records) <= 5


def test_found_3_a_batch_that_has_a_mebibyte_of_answers_ends_before_its_next_call(room: Room) -> None:
    almost = MAX_ANSWER_BYTES // 2 - 100
    answers = batch(room, *[["large", [almost], {}]] * 3, ["greet", ["late"], {}])
    assert len(answers) == 4
    assert "a batch whose answer has more than" in answers[3]["exception"]["args"][0]  # type: ignore[index]
    assert room.calls == ["large"] * 3, "what is refused has not been done"


def test_found_3_a_batch_may_hold_a_worker_for_a_while_only(room: Room) -> None:
    frame = Frame(
        protocol.MSG_INVOKE, MSGPACK, protocol.FLAGS_BATCH, 1,
        encode_value(["room", "<batch>", [["greet", [str(n)], {}] for n in range(3)], {}], MSGPACK),
    )  # fmt: skip
    answered = answer_frame(frame, {"room": room}, batch_seconds=-1.0)
    assert isinstance(answered, bytes)
    [told] = decode_value(answered[HEADER_BYTES:], MSGPACK, ANYTHING)  # type: ignore[misc]
    assert "a batch that takes more than" in told["exception"]["args"][0]
    assert room.calls == []


@pytest.mark.parametrize("serializer_id", SERIALIZERS)
def test_found_12a_a_call_with_too_many_values_is_refused_and_nothing_is_called(room: Room, serializer_id: int) -> None:
    if serializer_id == 3:  # json's calls are dicts
        payload: object = {"object": "room", "method": "greet", "params": [[[]] * 30_000], "kwargs": {}}
    else:
        payload = ("room", "greet", [[[]] * 30_000], {})
    told = answer(room, payload, serializer_id=serializer_id)
    assert isinstance(told, dict)
    assert "too many values" in str(told["args"])
    assert room.calls == []
    assert dispatch.CALL_BOUNDS.values < 30_000
