"""A replica's messages: what came in many lists reads as one."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrochat.client.chunks import Chunks
from tests.support import chat_message

SIZES = st.lists(st.sampled_from([0, 1, 2, 63, 64, 65, 500, 600]), max_size=12)


@given(SIZES, st.data())
def test_any_slice_is_what_a_flat_list_has(sizes: list[int], data: st.DataObject) -> None:
    everything = [chat_message(id) for id in range(1, sum(sizes) + 1)]
    chunks, given_lists, end = Chunks(), [], 0
    for size in sizes:
        given_lists.append(everything[end : end + size])
        chunks.append(given_lists[-1])
        end += size
    assert [len(part) for part in given_lists] == sizes  # what was given is not changed
    after, upto = data.draw(st.integers(-2, end + 2)), data.draw(st.none() | st.integers(0, end + 2))
    assert chunks.slice(after, upto) == everything[max(after, 0) : upto]
    assert chunks.end == end
    for id in (1, end, *(sum(sizes[:n]) for n in range(len(sizes)))):
        if 1 <= id <= end:
            assert chunks.get(id) is everything[id - 1]


@pytest.mark.parametrize("id", [-1, 0, 3])
def test_what_is_not_here_is_no_message(id: int) -> None:
    chunks = Chunks()
    chunks.append([chat_message(1), chat_message(2)])
    with pytest.raises(IndexError):
        chunks.get(id)


def test_long_lists_are_kept_as_they_are_and_short_ones_gathered() -> None:
    chunks, long = Chunks(), [chat_message(id) for id in range(1, 101)]
    chunks.append(long)
    assert chunks._lists[0] is long
    for id in range(101, 701):
        chunks.append([chat_message(id)])
    assert [len(part) for part in chunks._lists] == [100, 512, 88]
    assert all(one.id + 1 == other.id for one, other in pairwise(chunks.slice(0)))
