"""A totally ordered room is the same whether the texts of its entries were there or gone when they were applied."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pyrochat.core.commands import Command, Post
from pyrochat.core.digests import commitment
from pyrochat.core.graph.ordered import OrderedTransition
from pyrochat.core.memory_log import MemoryLog
from pyrochat.core.room import RoomState
from tests.core.modelling import post
from tests.core.replaying import IDENTITY, apply
from tests.core.test_equal_rooms import commands, entries_of
from tests.support import SALT


def without_texts(command: Command, which: int) -> Command:
    """*command*, without those of its texts whose bit in *which* is set."""
    if not isinstance(command, Post) or command.kind not in ("chat", "edit"):
        return command
    gone = [bool(which >> number & 1) for number in range(len(command.texts))]
    said = list(zip(command.texts, command.salts, gone, strict=True))
    return command._replace(
        texts=tuple("" if is_gone else text for text, _, is_gone in said),
        salts=tuple(commitment(salt, text).hex() if is_gone else salt for text, salt, is_gone in said),
    )


def made_of(parts: list[list[Command]]) -> tuple[RoomState, list[str]]:
    log = MemoryLog("lobby", IDENTITY)
    state = RoomState.of(log)
    for entry in entries_of(parts):
        state = apply(log, state, [entry], OrderedTransition)
    return state, [message.kind for message in log.read(0, 1000)]


@settings(max_examples=300)
@given(st.lists(st.tuples(commands, st.integers(0, 7)), max_size=14))
def test_what_happens_does_not_hang_on_a_text(story: list[tuple[Command, int]]) -> None:
    assert made_of([[command] for command, _ in story]) == made_of([[without_texts(*each)] for each in story])


def test_an_edit_of_a_text_that_was_gone_before_its_deletion_is_taken() -> None:
    edit = Post("Ana", "ana", ("b",), (None,), (SALT,), kind="edit", about=1)
    redact = edit._replace(texts=("",), kind="redact")
    story: list[Command] = [post("Ana", ["a"]), edit, redact, edit]
    expected = made_of([[command] for command in story])
    assert made_of([[without_texts(command, 1)] for command in story]) == expected
    assert expected[1] == ["chat", "edit", "redact"]


def test_a_list_with_a_key_each_adds_what_is_new_whatever_the_others_stood_for() -> None:
    story: list[Command] = [post("Ana", ["a"], ["k"]), post("Ana", ["b", "c"], ["k", "l"])]
    assert made_of([[command] for command in story]) == made_of([[without_texts(command, 1)] for command in story])
    assert made_of([[command] for command in story])[1] == ["chat", "chat"]
