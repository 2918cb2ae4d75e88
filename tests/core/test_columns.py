"""Messages kept as columns."""

from __future__ import annotations

import pytest

from pyrochat import InvalidArgument
from pyrochat.core.columns import MessageColumns
from tests.support import chat_message, joined_message, left_message


def rows(*ids: int) -> list[list[object]]:
    return [chat_message(id).to_wire() for id in ids]


def test_messages_come_back_as_they_were() -> None:
    columns = MessageColumns("lobby")
    messages = [joined_message(1, "Zoë"), chat_message(2, "olá", "Zoë", "k"), chat_message(3)]
    columns.extend([message.to_wire() for message in messages])
    columns.extend([])
    assert list(columns) == columns.slice(0, 3) == messages
    assert [columns.get(id) for id in (1, 2, 3)] == messages


@pytest.mark.parametrize("ids", [[2], [1, 3], [1, 1], [0], [1, 2, 4]])
def test_a_gap_or_a_repetition_is_refused_and_nothing_is_taken(ids: list[int]) -> None:
    columns = MessageColumns("lobby")
    with pytest.raises(InvalidArgument, match="can't follow"):
        columns.extend(rows(*ids))
    assert len(columns) == 0
    columns.extend(rows(1))
    assert columns.get(1) == chat_message(1)


@pytest.mark.parametrize(
    "row",
    [
        [2, "lobby", "Erick", "olá", 5, "chat"],
        [2, "lobby", "Erick", "olá", 5, "shout", None],
        [2, "lobby", "Erick", "olá", 5, ["chat"], None],
        [2, "lobby", "Erick", "olá", "5", "chat", None],
        [2, "lobby", "Erick", "olá", 1 << 70, "chat", None],
        [2, "lobby", "Erick", b"ol", 5, "chat", None],
        [2, "lobby", None, "olá", 5, "chat", None],
        [2, "lobby", "Erick", "olá", 5, "chat", 5],
        ["2", "lobby", "Erick", "olá", 5, "chat", None],
        5,
    ],
)
def test_what_is_no_message_is_refused_with_all_that_came_with_it(row: object) -> None:
    columns = MessageColumns("lobby")
    with pytest.raises(InvalidArgument):
        columns.extend([*rows(1), row, *rows(3)])  # type: ignore[list-item]
    assert len(columns) == 0
    columns.extend(rows(1, 2, 3))
    assert list(columns) == [chat_message(id) for id in (1, 2, 3)]


def test_a_slice_is_what_is_here_of_it() -> None:
    columns = MessageColumns("lobby")
    columns.extend(rows(1, 2, 3, 4, 5))
    assert [m.id for m in columns.slice(-3, 2)] == [1, 2]
    assert [m.id for m in columns.slice(3, 99)] == [4, 5]
    assert columns.slice(4, 3) == []


def test_changes_are_the_system_messages_after_an_id() -> None:
    columns = MessageColumns("lobby")
    messages = [joined_message(1, "Ana"), chat_message(2), left_message(3, "Ana"), joined_message(4, "Igor")]
    columns.extend([message.to_wire() for message in messages])
    assert [m.id for m in columns.changes(0)] == [1, 3, 4]
    assert [m.id for m in columns.changes(1)] == [3, 4]
    assert columns.changes(4) == []


@pytest.mark.parametrize("id", [0, -1, 2])
def test_what_is_not_here_can_not_be_got(id: int) -> None:
    columns = MessageColumns("lobby")
    columns.extend(rows(1))
    with pytest.raises(IndexError):
        columns.get(id)
