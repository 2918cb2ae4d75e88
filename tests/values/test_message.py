"""Messages: their wire form, what is refused as one, and how they are shown."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrochat import InvalidArgument, Message
from pyrochat.values.message import CHAT, KINDS, SYSTEM, change_in
from tests.support import SALT, chat_message, joined_message, left_message

messages = st.builds(
    Message,
    id=st.integers(1, 2**53),
    room=st.text(min_size=1, max_size=8),
    sender=st.text(min_size=1, max_size=8),
    text=st.text(max_size=30),
    time_us=st.integers(0, 2**53),
    kind=st.sampled_from(KINDS),
    key=st.none() | st.text(max_size=8),
    about=st.none() | st.integers(1, 2**53),
    change=st.none() | st.sampled_from(["joined", "left"]),
    ref=st.none() | st.text(max_size=8),
    proof=st.none() | st.text(min_size=11, max_size=11),
    more=st.none() | st.sampled_from(['["a",1]', "[null]"]),
)


@given(messages)
def test_a_message_comes_back_from_its_wire_form(message: Message) -> None:
    wire = message.to_wire()
    assert Message.from_wire(wire) == message
    assert all(value is None or type(value) in (int, str) for value in wire)


def test_the_wire_form_is_the_flat_list_of_the_contract() -> None:
    message = Message(7, "lobby", "Erick", "olá", 5, CHAT, "k")
    assert message.to_wire() == [7, "lobby", "Erick", "olá", 5, "chat", "k", None, None, None, None]
    longer = Message(7, "lobby", "Erick", "olá", 5, "poll", "k", 3, None, "erick.7", SALT, '["é",null]')
    assert longer.to_wire() == [7, "lobby", "Erick", "olá", 5, "poll", "k", 3, None, "erick.7", SALT, "é", None]


@pytest.mark.parametrize(
    "wire",
    [
        [],
        [1, "lobby", "Erick", "olá", 5, "chat"],
        ["1", "lobby", "Erick", "olá", 5, "chat", None],
        [1, "lobby", "Erick", b"ol", 5, "chat", None],
        [1, "lobby", "Erick", "olá", 5.5, "chat", None],
        [1, "lobby", "Erick", "olá", 5, None, None],
        [1, "lobby", "Erick", "olá", 5, ["chat"], None],
        [1, "lobby", "Erick", "olá", 5, "chat", 9],
        [1, "lobby", "Erick", "olá", 5, "chat", None],
        [1, "lobby", "Erick", "olá", 5, "chat", None, "3", None, None, None],
        [1, "lobby", "Erick", "olá", 5, "chat", None, None, None, None, None, [1]],
        [1, "lobby", "Erick", "olá", 5, "chat", None, None, None, None, None, *[1] * 17],
    ],
)
def test_what_is_no_message_is_refused(wire: list[object]) -> None:
    padded = wire if len(wire) != 7 or wire == [1, "lobby", "Erick", "olá", 5, "chat", None] else [*wire, *[None] * 4]
    with pytest.raises(InvalidArgument):
        Message.from_wire(padded)


def test_a_kind_read_off_the_wire_is_the_interned_one() -> None:
    fields = chat_message(1).to_wire()
    fields[5] = "".join(["ch", "at"])
    assert Message.from_wire(fields).kind is CHAT


def test_joined_and_left_are_changes_of_membership_of_their_sender() -> None:
    assert joined_message(1, "Igor").change == "joined"
    assert left_message(2, "Igor").change == "left"


def test_nobody_can_type_a_change_of_membership() -> None:
    assert chat_message(1, "Igor joined", sender="Igor").change is None
    assert change_in(CHAT, "Igor", "Igor joined") is None
    assert change_in(SYSTEM, "Ana", "Igor joined") is None
    assert change_in(SYSTEM, "Igor", "Igor joined") == "joined"
    assert change_in(SYSTEM, "Igor", "Igor left") == "left"


def test_a_time_is_aware_utc_to_the_microsecond() -> None:
    message = chat_message(1)._replace(time_us=1_700_000_000_123_456)
    assert message.time == datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC)
    assert message.time.tzinfo is UTC


def test_a_message_can_not_be_changed() -> None:
    with pytest.raises(AttributeError):
        chat_message(1).text = "other"  # type: ignore[misc]


def test_a_message_is_shown_as_one_line_of_the_chat() -> None:
    message = chat_message(12, "olá")
    clock = message.time.astimezone().strftime("%H:%M:%S")
    assert str(message) == f"#12 {clock} Erick: olá"
    assert str(joined_message(13, "Igor")) == f"#13 {clock} * Igor joined"
    assert repr(message) == "<Message #12 lobby/Erick: 'olá'>"
    assert joined_message(13, "Igor").kind == SYSTEM
