"""Values are bounded as they are read: how many, how deep, in all; whatever the bytes promise."""

from __future__ import annotations

import gc
import json
import sys
import tracemalloc

import msgpack
import pytest

from pyrochat import InvalidArgument
from pyrochat.pyro.dispatch import CALL_BOUNDS, FIRST_CALL_BOUNDS
from pyrochat.pyro.serializers import JSON, MSGPACK, SERIALIZERS, SERPENT, ValueBounds, decode_value, encode_value
from tests.support import together

FEW = ValueBounds(values=10, depth=3)
MIB = 1 << 20


def array(count: int) -> bytes:
    """The beginning of a list of *count* in msgpack."""
    return b"\xdd" + count.to_bytes(4, "big")


BOMBS = {
    "a million empty dicts": (MSGPACK, array(MIB) + b"\x80" * MIB, "too many"),
    "empty dicts in lists that never end": (MSGPACK, (array(24_000) + b"\x80" * 23_999) * 43 + b"\x80", "too many"),
    "dicts in dicts in lists": (MSGPACK, array(500) + (b"\x81\xa0" * 1000 + b"\x80") * 500, "too many"),
    "a hundred thousand dicts with a key": (MSGPACK, array(300_000) + b"\x81\xa0\xc0" * 300_000, "too many"),
    "lists that ask for room, and nothing in them": (MSGPACK, array(MIB // 2) * 500 + bytes(MIB), "can't be read"),
    "two letters, and again": (MSGPACK, array(MIB // 3) + b"\xa2ab" * (MIB // 3), "too many"),
    "dicts in json": (JSON, b"[" + b"{}," * (MIB // 3) + b"{}]", "too many"),
    "texts in json": (JSON, b"[" + b'"",' * (MIB // 3) + b'""]', "too many"),
    "keys in json": (JSON, json.dumps({f"{n:x}": 0 for n in range(100_000)}).encode(), "too many"),
    "depth in json": (JSON, b"[" * (MIB // 2) + b"]" * (MIB // 2), "too"),
    "texts in serpent": (SERPENT, b"[" + b"''," * (MIB // 3) + b"]", "too many"),
    "lists in serpent": (SERPENT, b"[" + b"[]," * 21_000 + b"]", "too many"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_found_12a_a_mebibyte_of_values_costs_little(name: str) -> None:
    serializer_id, data, refusal = BOMBS[name]
    tracemalloc.start()
    try:
        with pytest.raises(InvalidArgument, match=refusal):
            decode_value(data, serializer_id, CALL_BOUNDS)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12 * MIB


@pytest.mark.parametrize("serializer_id", SERIALIZERS)
@pytest.mark.parametrize(
    ("value", "refusal"),
    [
        (list(range(10)), None),
        (list(range(11)), "too many"),
        ([[1, 2], [3, 4], [5, 6], 7], None),
        ([[1, 2], [3, 4], [5, 6, 7], 8, 9], "too many"),
        ([[["x"]]], None),
        ([[[["x"]]]], "deep"),
        ([{"a": ["x"]}], None),
        ([{"a": [{"b": 1}]}], "deep"),
        ("brackets in texts are none: [[[[[{{{{,,,,,,,,,,,,,,,,,,,\"'\\", None),
        (['\\"[[[[[', "\\'{{{{{"], None),
        (5, None),
    ],
)
def test_found_12a_values_are_counted_on_all_levels_and_levels_too(
    serializer_id: int, value: object, refusal: str | None
) -> None:
    data = encode_value(value, serializer_id)
    if refusal is None:
        assert decode_value(data, serializer_id, FEW) == value
    else:
        with pytest.raises(InvalidArgument, match=refusal):
            decode_value(data, serializer_id, FEW)


@pytest.mark.parametrize("size", [1, 1000])
def test_found_12a_long_and_short_messages_are_counted_alike(size: int) -> None:
    """What is long is counted while it is read, what is short afterwards."""
    texts = ["x" * size] * 200
    assert decode_value(msgpack.packb([texts]), MSGPACK, ValueBounds(201, 2)) == [texts]
    for bounds in (ValueBounds(200, 2), ValueBounds(201, 1)):
        with pytest.raises(InvalidArgument, match=r"too many|deep"):
            decode_value(msgpack.packb([texts]), MSGPACK, bounds)


@pytest.mark.parametrize("serializer_id", [JSON, MSGPACK])
def test_found_12a_what_the_largest_calls_hold_is_read(serializer_id: int) -> None:
    largest = [["x" * 80] * 10_000, [f"key-{number}" for number in range(10_000)]]
    batch = [["join", [None, ["session", "log", 5, "digest", [4, "digest", "seal"]]], {}]] * 1000
    for arguments in (largest, batch):
        call = ["pyrochat.lobby", "any", arguments, {}]
        assert decode_value(encode_value(call, serializer_id), serializer_id, CALL_BOUNDS) == call


def test_found_12a_before_the_proof_a_thousand_values_are_the_most() -> None:
    greeting = {"object": "pyrochat.lobby", "handshake": {"name": "Erick", "key": "00" * 32, "session": None}}
    assert decode_value(msgpack.packb(greeting), MSGPACK, FIRST_CALL_BOUNDS) == greeting
    with pytest.raises(InvalidArgument, match="too many"):
        decode_value(msgpack.packb(greeting | {"more": [{}] * 1000}), MSGPACK, FIRST_CALL_BOUNDS)


class _Litter:
    """Takes a while to be collected, so that other threads get their turn in the midst of whatever made the collector run."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        for _ in range(200):
            pass


def test_serpent_is_read_by_several_threads_at_a_time() -> None:
    """Python's parser before 3.11.8 and 3.12.2 mixes them up where the garbage collector runs in the midst of it."""
    names = {f"pyrochat.room{number}": [f"PYRO:room{number}@localhost:1", ["a", "b"]] for number in range(60)}
    data = encode_value(names, SERPENT)

    def read() -> None:
        for _ in range(100):
            _Litter()
            assert decode_value(data, SERPENT, ValueBounds(1000, 4)) == names

    interval, threshold = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)
    gc.set_threshold(50)
    try:
        together([read] * 4)
    finally:
        gc.set_threshold(*threshold)
        sys.setswitchinterval(interval)
