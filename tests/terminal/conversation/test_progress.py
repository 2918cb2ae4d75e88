"""How far one's own messages have come, against the definition: who was there, without the sender and who left."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pyrochat.terminal.conversation.progress import DELIVERED, LOGGED, READ, SENDING, ReadProgress
from pyrochat.values.message import Message
from tests.support import chat_message, joined_message, left_message

OTHERS = ("Ana", "Igor", "Zoë")
MARKS = st.fixed_dictionaries({name: st.tuples(st.integers(0, 40), st.integers(0, 40)) for name in OTHERS})


def log_of(steps: list[str]) -> list[Message]:
    """Own joins; then each of *steps* is a text of Own's, or the name of who comes, or goes if present."""
    log, present = [joined_message(1, "Own")], set[str]()
    for id, step in enumerate(steps, 2):
        if step == "Own":
            log.append(chat_message(id, sender="Own"))
        else:
            log.append(left_message(id, step) if step in present else joined_message(id, step))
            present ^= {step}
    return log


def recipients(log: list[Message], id: int) -> set[str]:
    """Those present at message *id*, without Own and without who has left since."""
    present = set[str]()
    for message in log[:id]:
        if message.change:
            present = present | {message.sender} if message.change == "joined" else present - {message.sender}
    return present - {"Own"} - {message.sender for message in log[id:] if message.change == "left"}


@given(st.lists(st.sampled_from(["Own", "Own", *OTHERS]), max_size=30), st.lists(st.tuples(st.integers(0, 9), MARKS)))
def test_a_state_is_what_the_definition_says(
    steps: list[str], told: list[tuple[int, dict[str, tuple[int, int]]]]
) -> None:
    log, progress, end = log_of(steps), ReadProgress("own"), 0
    for more, given_marks in [*told, (len(log), told[-1][1] if told else {})]:
        progress.follow(log[end : end + more])
        end = min(end + more, len(log))
        marks = {name: (max(mark), min(mark)) for name, mark in given_marks.items()}
        progress.update({name.upper(): mark for name, mark in marks.items()})
        for message in log[:end]:
            if message.kind == "chat":
                concerned = [marks.get(name, (0, 0)) for name in recipients(log[:end], message.id)]
                has_all = bool(concerned) and all(delivered >= message.id for delivered, _ in concerned)
                expected = READ if has_all and all(read >= message.id for _, read in concerned) else DELIVERED
                assert progress.state(message.id) == (expected if has_all else LOGGED)


def test_an_update_says_whether_it_is_news() -> None:
    progress = ReadProgress("Own")
    progress.follow(log_of(["Ana", "Own"]))
    assert progress.update({"Ana": (0, 0)})
    assert not progress.update({"Ana": (0, 0), "Own": (3, 3)})
    assert progress.update({"Ana": (3, 0)})
    assert progress.state(3) == DELIVERED
    assert progress.update({"Ana": (3, 3)})
    assert progress.state(3) == READ


def test_who_leaves_is_not_waited_for() -> None:
    progress, log = ReadProgress("Own"), log_of(["Ana", "Igor", "Own", "Igor"])
    progress.follow(log[:4])
    progress.update({"Ana": (4, 4), "Igor": (0, 0)})
    assert progress.state(4) == LOGGED
    progress.follow(log[4:])
    progress.update({"Ana": (4, 4)})
    assert progress.state(4) == READ


def test_it_is_known_since_when_somebody_is_here() -> None:
    progress = ReadProgress("Own")
    progress.follow(log_of(["Ana", "Igor", "Ana", "Ana"]))
    assert [progress.since(name) for name in ("own", "ANA", "Igor", "Zoë")] == [1, 5, 3, 0]


def test_each_symbol_has_a_meaning_and_they_differ() -> None:
    symbols = [symbol for symbol, _ in ReadProgress.legend()]
    assert symbols == [SENDING, LOGGED, DELIVERED, READ]
    assert all(one != other for one, other in pairwise(sorted(symbols)))
