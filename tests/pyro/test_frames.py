"""Frames come in any pieces, and keep no more memory than they have bytes."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from Pyro5 import protocol

from pyrochat.pyro.frames import HEADER_BYTES, FrameReader, whole_frame
from pyrochat.pyro.serializers import MSGPACK

MIB = 1 << 20


def frame(payload: bytes, sequence: int) -> bytes:
    return whole_frame(protocol.MSG_INVOKE, payload, MSGPACK, sequence)


@given(
    sizes=st.lists(st.sampled_from([0, 1, 50, 3000, 70_000, 200_000]), max_size=6),
    pieces=st.lists(st.sampled_from([1, 7, 39, 40, 41, 4096, 65_536, 300_000]), min_size=1, max_size=40),
)
def test_frames_are_the_same_in_whatever_pieces_they_come(sizes: list[int], pieces: list[int]) -> None:
    payloads = [bytes([number + 1]) * size for number, size in enumerate(sizes)]
    stream = b"".join(frame(payload, number) for number, payload in enumerate(payloads))
    reader, found, at = FrameReader(MIB), [], 0
    for size in [*pieces, len(stream)]:
        if piece := stream[at : at + size]:
            reader.feed(piece)
        at += size
        while (read := reader.next()) is not None:
            found.append((read.sequence, read.payload))
    assert found == list(enumerate(payloads))
    assert not reader.has_begun
    assert reader.size == 0 or not payloads


@pytest.mark.parametrize("piece", [2, 100, 1500, 65_536])
def test_found_3_a_frame_keeps_little_more_than_its_bytes_in_whatever_pieces_it_comes(piece: int) -> None:
    data = frame(bytes(MIB // 4), 0)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        reader = FrameReader(MIB)
        for at in range(0, len(data) - 1, piece):
            reader.feed(data[at : min(at + piece, len(data) - 1)])
            assert reader.next() is None
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert reader.size == len(data) - 1
    assert kept < 1.2 * len(data)


def test_found_3_of_a_large_frame_nothing_is_kept_when_it_has_been_read() -> None:
    reader = FrameReader(MIB)
    reader.feed(frame(bytes(MIB // 2), 0) + frame(b"next", 1)[:-1])
    assert reader.next() is not None
    assert reader.size == HEADER_BYTES + 3
