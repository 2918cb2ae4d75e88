"""Frames that we put together ourselves are the ones that Pyro5 makes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from Pyro5 import protocol
from Pyro5.serializers import MarshalSerializer, serializers_by_id

from pyrochat import InvalidArgument, Message
from pyrochat.pyro.frames import HEADER_BYTES
from pyrochat.pyro.serializers import JSON, MSGPACK, SERIALIZERS, SERPENT, ValueBounds, decode_value
from pyrochat.pyro.wire import (
    encode_messages,
    fitting_messages,
    fitting_names,
    request_frame,
    stretch_frame,
)
from pyrochat.values.protocol import CALLBACK_OBJECT, MAX_ANSWER_BYTES
from tests.support import chat_message, joined_message

BOUNDS = ValueBounds(values=1000, depth=8)

names = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=8)
messages = st.builds(
    Message, id=st.integers(1, 2**53), room=names, sender=names, text=st.text(max_size=40),
    time_us=st.integers(0, 2**53), kind=st.sampled_from(["chat", "system"]), key=st.none() | st.just("a-1"),
    about=st.none() | st.integers(1, 2**53), more=st.none() | st.just('["more",1,null]'),
)  # fmt: skip
marks = st.lists(st.tuples(names, st.integers(0, 2**53), st.integers(0, 2**53)).map(list), max_size=20)


def call_in(frame: bytes, serializer_id: int, flags: int = 0) -> tuple[object, ...]:
    """What Pyro5 itself reads out of *frame*."""
    header = protocol.ReceivingMessage(frame[:HEADER_BYTES])
    assert (header.type, header.flags, header.annotations_size) == (protocol.MSG_INVOKE, flags, 0)
    assert header.serializer_id == serializer_id
    assert header.data_size == len(frame) - HEADER_BYTES
    object_id, method, arguments, keywords = serializers_by_id[serializer_id].loadsCall(frame[HEADER_BYTES:])
    return object_id, method, list(arguments), keywords


@pytest.mark.parametrize("serializer_id", SERIALIZERS)
@given(stretch=st.lists(messages, max_size=20), marks=marks)
def test_a_stretch_reads_as_the_call_that_pyro5_would_make(
    serializer_id: int, stretch: list[Message], marks: list[list[object]]
) -> None:
    frame = stretch_frame(CALLBACK_OBJECT, encode_messages(stretch), marks, serializer_id)
    arguments = [[m.to_wire() for m in stretch], marks]
    serializer = serializers_by_id[serializer_id]
    theirs = serializer.loadsCall(serializer.dumpsCall(CALLBACK_OBJECT, "deliver", arguments, {}))
    assert call_in(frame, serializer_id) == (*theirs[:2], list(theirs[2]), theirs[3])
    assert call_in(frame, serializer_id) == (CALLBACK_OBJECT, "deliver", arguments, {})


@pytest.mark.parametrize("count", [0, 1, 15, 16, 65_535, 65_536])
def test_a_stretch_of_any_length_is_one_array(count: int) -> None:
    frame = stretch_frame("room", encode_messages([chat_message(1)]) * count, [], MSGPACK)
    assert len(call_in(frame, MSGPACK)[2][0]) == count  # type: ignore[index]


def test_a_stretch_in_msgpack_is_byte_for_byte_what_pyro5_sends() -> None:
    stretch = [joined_message(1, "Zoë"), chat_message(2, "olá", key="k")]
    marks: list[list[object]] = [["Zoë", 2, 1]]
    ours = stretch_frame("room", encode_messages(stretch), marks, MSGPACK)
    assert ours == request_frame("room", "deliver", [[m.to_wire() for m in stretch], marks], MSGPACK)


def test_a_stretch_that_asks_for_nothing_is_a_oneway_call() -> None:
    frame = stretch_frame("room", encode_messages([chat_message(1)]), [["Zoë", 2, 1]], MSGPACK, asks=False)
    arguments = [[chat_message(1).to_wire()], [["Zoë", 2, 1]]]
    assert call_in(frame, MSGPACK, protocol.FLAGS_ONEWAY) == ("room", "deliver_oneway", arguments, {})


@pytest.mark.parametrize("serializer_id", SERIALIZERS)
@pytest.mark.parametrize("value", [None, 5, -1, "olá \n ⏎ 😀", [1, 2], [], [["a"], [None]]])
def test_plain_values_are_read_back(serializer_id: int, value: object) -> None:
    assert decode_value(serializers_by_id[serializer_id].dumps(value), serializer_id, BOUNDS) == value


@pytest.mark.parametrize("serializer_id", [SERPENT, JSON, MSGPACK])
@pytest.mark.parametrize("data", [b"", b"\xc1\xff\x00", b"{{", b"(((", b"[1,"])
def test_unreadable_data_is_an_error_of_ours(serializer_id: int, data: bytes) -> None:
    with pytest.raises(InvalidArgument):
        decode_value(data, serializer_id, BOUNDS)


def test_no_class_is_ever_rebuilt() -> None:
    for serializer_id in SERIALIZERS:
        value = decode_value(serializers_by_id[serializer_id].dumps(SystemExit("bye")), serializer_id, BOUNDS)
        assert isinstance(value, dict)


@pytest.mark.parametrize("serializer_id", [0, MarshalSerializer.serializer_id, 99])
def test_no_other_serializer_is_read(serializer_id: int) -> None:
    with pytest.raises(InvalidArgument, match="not accepted"):
        decode_value(b"N", serializer_id, BOUNDS)


@pytest.mark.parametrize("serializer_id", SERIALIZERS)
def test_found_3_an_answer_has_as_many_as_fit_and_at_least_one(serializer_id: int) -> None:
    few = [chat_message(id, "x" * 1000) for id in range(1, 11)]
    assert fitting_messages(few, serializer_id) == [message.to_wire() for message in few]
    assert len(fitting_messages(few, serializer_id, most=5000)) == 4
    assert fitting_messages(few, serializer_id, most=1) == [few[0].to_wire()]
    assert fitting_messages([], serializer_id, most=1) == []


@pytest.mark.parametrize("serializer_id", SERIALIZERS)
def test_found_3_names_of_members_are_bounded_too(serializer_id: int) -> None:
    crowd = [f"{number}".rjust(32, "\u0101") for number in range(30_000)]
    fitting = fitting_names(crowd, serializer_id)
    assert fitting == crowd[: len(fitting)]
    assert 1000 < len(fitting) < 30_000
    assert len(serializers_by_id[serializer_id].dumps(fitting)) <= MAX_ANSWER_BYTES
    assert fitting_names(crowd[:2000], serializer_id) == crowd[:2000]
