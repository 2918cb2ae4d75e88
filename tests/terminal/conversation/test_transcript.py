"""The entries of a conversation: a message each, and a run of joins and leaves is one, however they came."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrochat.terminal.conversation.layout import Look, lay_out
from pyrochat.terminal.conversation.transcript import Transcript
from pyrochat.values.message import SYSTEM, Message
from tests.support import chat_message
from tests.terminal.conversation.support import conversation, text_of


def grouped(messages: list[Message]) -> list[list[Message]]:
    """The same, with nothing but a list of lists."""
    entries: list[list[Message]] = []
    for message in messages:
        if entries and message.kind == SYSTEM == entries[-1][-1].kind:
            entries[-1].append(message)
        else:
            entries.append([message])
    return entries


@given(st.lists(st.text("jloa", max_size=9), max_size=9))
def test_entries_do_not_depend_on_how_the_messages_came(parts: list[str]) -> None:
    transcript, messages = Transcript(), conversation("".join(parts))
    for part in parts:
        transcript.extend(messages[transcript.end : transcript.end + len(part)])
        expected = grouped(messages[: transcript.end])
        assert [transcript.entry(index) for index in range(transcript.count)] == expected
        for index, entry in enumerate(expected):
            assert (transcript.first_id(index), transcript.last_id(index)) == (entry[0].id, entry[-1].id)
            assert {transcript.index_of(message.id) for message in entry} == {index}
    assert transcript.end == len(messages)


def test_ids_beyond_the_ends_are_in_the_first_and_the_last_entry() -> None:
    transcript = Transcript()
    assert transcript.index_of(7) == 0
    transcript.extend(conversation("joa"))
    assert [transcript.index_of(id) for id in (-1, 0, 4, 1 << 70)] == [0, 0, 2, 2]


@pytest.mark.parametrize("id", [-1, 0, 3])
def test_what_is_not_here_is_no_message(id: int) -> None:
    transcript = Transcript()
    transcript.extend(conversation("jo"))
    with pytest.raises(IndexError):
        transcript.message(id)


def test_messages_that_do_not_follow_are_not_taken_in() -> None:
    transcript = Transcript()
    with pytest.raises(AssertionError):
        transcript.extend(conversation("o", after=1))
    assert (transcript.end, transcript.count) == (0, 0)


def about(id: int, kind: str, of: int, text: str = "", sender: str = "Ana") -> Message:
    return chat_message(id, text, sender)._replace(kind=kind, about=of)


def test_what_is_said_about_a_text_stands_where_that_is() -> None:
    transcript = Transcript()
    transcript.extend([chat_message(1, "one"), chat_message(2, "two", "Ana")])
    assert transcript.extend([about(3, "edit", 1, "uno", "Erick"), about(4, "react", 1, "👍")])
    transcript.extend([chat_message(5, "yes", "Ana")._replace(about=1), chat_message(6, "three")])
    assert transcript.count == 4
    assert [transcript.shown_id(index) for index in range(4)] == [1, 2, 5, 6]
    assert transcript.last_id(1) == 4
    said = transcript.said(1)
    assert (said.current.text, said.current.is_edited, said.current.reactions) == ("uno", True, {"👍": {"Ana"}})
    answers = transcript.said(5).answers
    assert answers is not None
    assert answers.id == 1
    assert transcript.extend([about(7, "redact", 1, sender="Erick")])
    assert transcript.said(1).deleted_by == "Erick"
    assert [transcript.message(id).text for id in (1, 3)] == ["", ""]


def test_texts_are_counted_and_joins_are_none() -> None:
    transcript = Transcript()
    transcript.extend(conversation("joaala"))
    assert [transcript.texts_after(id, "Own") for id in (0, 3, 4, 6)] == [3, 2, 1, 0]
    assert transcript.texts_after(0, "Ana") == 1
    assert transcript.newest_text("Own") == 2
    assert transcript.newest_text("") == 6
    assert transcript.newest_text("Zoë") == 0


def causal(id: int, sender: str, text: str, seconds: int, ref: str, **fields: object) -> Message:
    return Message(id, "lobby", sender, text, seconds * 1_000_000, ref=ref, **fields)  # type: ignore[arg-type]


def test_what_was_written_elsewhere_meanwhile_says_so_in_a_causal_room_only() -> None:
    transcript = Transcript()
    transcript.extend([
        causal(1, "Ana", "at noon", 100, "ana.1"), causal(2, "Igor", "before that", 60, "igor.1"),
        causal(3, "Igor", "almost at the same time", 95, "igor.2"), Message(4, "lobby", "Ana", "a clock was corrected", 5),
    ])  # fmt: skip
    assert [transcript.said(id).is_late for id in (1, 2, 3, 4)] == [False, True, False, False]
    [line] = lay_out([transcript.message(2)], Look(100, "Own", with_ids=True), transcript.said(2))
    assert text_of(line).startswith("#igor.1 ")
    assert text_of(line).endswith("before that (written meanwhile)")


def test_two_people_with_one_name_are_told_apart_by_their_keys() -> None:
    transcript = Transcript()
    joined = {"kind": "system", "change": "joined"}
    transcript.extend([
        causal(1, "Bob", "Bob joined", 1, "here.1", key="aa11" * 16, **joined), causal(2, "Bob", "one", 2, "here.2"),
        causal(3, "bob", "bob joined", 3, "there.1", key="bb22" * 16, **joined), causal(4, "bob", "two", 4, "there.2"),
    ])  # fmt: skip
    assert [transcript.said(id).sender for id in (2, 4)] == ["Bob·aa11", "bob·bb22"]
