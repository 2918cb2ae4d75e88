from __future__ import annotations

import pytest

from lab.benchmarks.arrivals import Arrivals, latest_arrivals
from lab.benchmarks.texts import TEXT_CHARACTERS, plain_texts, sequence_in, timed_text


def test_all_texts_have_the_same_length() -> None:
    assert {len(text) for text in [*plain_texts(3), timed_text(0), timed_text(99_999_999)]} == {TEXT_CHARACTERS}


def test_plain_texts_differ() -> None:
    assert len(set(plain_texts(1000))) == 1000


@pytest.mark.parametrize("number", [0, 7, 99_999_999])
def test_a_timed_text_tells_its_number(number: int) -> None:
    assert sequence_in(timed_text(number)) == number


def test_a_member_counts_everything_and_times_what_is_timed() -> None:
    member = Arrivals()
    for text in (*plain_texts(2), timed_text(5)):
        member.take(text)
    assert member.count == 3
    assert [text for text, _ in member.timed] == [timed_text(5)]
    assert member.timed[0][1] == member.last_ns


def test_a_message_has_arrived_when_the_last_member_has_it() -> None:
    quick, slow = Arrivals(), Arrivals()
    quick.timed = [(timed_text(1), 100), (timed_text(2), 200)]
    slow.timed = [(timed_text(1), 150)]
    assert latest_arrivals([quick, slow]) == {1: (2, 150), 2: (1, 200)}


def test_after_a_reset_nothing_has_come() -> None:
    member = Arrivals()
    member.take(timed_text(1))
    member.reset()
    assert (member.count, member.timed) == (0, [])
