"""How far one's own messages have come, against the definition: who had come by then, here or not."""

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


def come_by(log: list[Message], id: int) -> dict[str, bool]:
    """Those who had joined for the first time by message *id*, without Own; and whether each is here at the log's end."""
    here = dict[str, bool]()
    for message in log:
        if message.change == "joined" and (message.id <= id or message.sender in here):
            here[message.sender] = True
        elif message.change == "left" and message.sender in here:
            here[message.sender] = False
    return {name: is_here for name, is_here in here.items() if name != "Own"}


@given(st.lists(st.sampled_from(["Own", "Own", *OTHERS]), max_size=30), st.lists(st.tuples(st.integers(0, 9), MARKS)))
def test_a_state_is_what_the_definition_says_and_is_never_taken_back(
    steps: list[str], told: list[tuple[int, dict[str, tuple[int, int]]]]
) -> None:
    log, progress, end = log_of(steps), ReadProgress("own"), 0
    marks = dict.fromkeys(OTHERS, (0, 0))
    furthest: dict[int, str] = {}
    for more, given_marks in [*told, (len(log), told[-1][1] if told else {})]:
        progress.follow(log[end : end + more])
        end = min(end + more, len(log))
        for name, mark in given_marks.items():
            marks[name] = (max(marks[name][0], *mark), max(marks[name][1], min(mark)))
        progress.update({name.casefold(): mark for name, mark in marks.items()})
        for message in log[:end]:
            if message.kind == "chat":
                people = come_by(log[:end], message.id)
                states = [LOGGED, furthest.get(message.id, LOGGED)]
                for which, state in ((0, DELIVERED), (1, READ)):
                    reached = {name for name in people if marks[name][which] >= message.id}
                    if reached and all(name in reached for name, is_here in people.items() if is_here):
                        states.append(state)
                furthest[message.id] = max(states, key=[LOGGED, DELIVERED, READ].index)
                assert progress.state(message.id) == furthest[message.id]


def test_an_update_says_whether_it_is_news() -> None:
    progress = ReadProgress("Own")
    progress.follow(log_of(["Ana", "Own"]))
    assert progress.update({"ana": (0, 0)})
    assert not progress.update({"ana": (0, 0), "own": (3, 3)})
    assert progress.update({"ana": (3, 0)})
    assert progress.state(3) == DELIVERED
    assert progress.update({"ana": (3, 3)})
    assert progress.state(3) == READ


def test_who_leaves_is_not_waited_for() -> None:
    progress, log = ReadProgress("Own"), log_of(["Ana", "Igor", "Own", "Igor"])
    progress.follow(log[:4])
    progress.update({"ana": (4, 4), "igor": (0, 0)})
    assert progress.state(4) == LOGGED
    progress.follow(log[4:])
    progress.update({"ana": (4, 4)})
    assert progress.state(4) == READ


def test_what_was_read_stays_read_when_the_last_reader_leaves_and_in_a_client_that_starts_anew() -> None:
    log = log_of(["Ana", "Own", "Ana", "Igor"])
    for steps in (1, len(log)):
        progress = ReadProgress("Own")
        for start in range(0, len(log), steps):
            progress.follow(log[start : start + steps])
            progress.update({"ana": (3, 3)})
        assert progress.state(3) == READ


def test_it_is_known_since_when_somebody_is_here() -> None:
    progress = ReadProgress("Own")
    progress.follow(log_of(["Ana", "Igor", "Ana", "Ana"]))
    assert [progress.since(name) for name in ("own", "ANA", "Igor", "Zoë")] == [1, 2, 3, 0]


def test_each_symbol_has_a_meaning_and_they_differ() -> None:
    symbols = [symbol for symbol, _ in ReadProgress.legend()]
    assert symbols == [SENDING, LOGGED, DELIVERED, READ]
    assert all(one != other for one, other in pairwise(sorted(symbols)))
