"""The frames that a room and its clients send each other.

A request to a callback is the same bytes for all clients, so it is put together once, from messages
that were encoded once: a msgpack array of arrays is its header followed by its items' bytes.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TypeVar

import msgpack
from Pyro5 import protocol

from pyrochat.pyro.frames import whole_frame
from pyrochat.pyro.serializers import MSGPACK, call_prefix, encode_call, encode_value
from pyrochat.values.message import Message, WireMessage
from pyrochat.values.protocol import MAX_ANSWER_BYTES

Value = TypeVar("Value")

_MOST_BYTES_A_CHARACTER = 10  # serpent's "\\U0001f600"
_MOST_BYTES_AROUND = 64  # of a list, and serpent's first line
_MOST_BYTES_BESIDE = 512  # of a message beside its text: room, sender, key, numbers; a name has fewer

WireMark = list[object]
"""``[name, delivered, read]``."""


def encode_messages(messages: Iterable[Message]) -> list[bytes]:
    """The messages' wire lists as msgpack, ready to be put into any number of frames."""
    pack = msgpack.Packer(use_bin_type=True).pack  # once: making it costs more than packing a message
    return [pack(message.to_wire()) for message in messages]


def fitting_messages(
    messages: Sequence[Message], serializer_id: int, most: int = MAX_ANSWER_BYTES
) -> list[WireMessage]:
    """The wire lists of as many of *messages*, from the first on, as *most* bytes hold when encoded; at least one."""
    characters = sum(len(message.text) for message in messages)
    at_most = characters * _MOST_BYTES_A_CHARACTER + len(messages) * _MOST_BYTES_BESIDE
    return _fitting([message.to_wire() for message in messages], serializer_id, most, at_most)


def fitting_names(names: Sequence[str], serializer_id: int, most: int = MAX_ANSWER_BYTES) -> list[str]:
    """As `fitting_messages`, for *names*."""
    return _fitting(names, serializer_id, most, len(names) * _MOST_BYTES_BESIDE)


def _fitting(values: Sequence[Value], serializer_id: int, most: int, at_most: int) -> list[Value]:
    """at_most: so many bytes all of *values* can have; where these fit, they need not be measured one by one."""
    size = _MOST_BYTES_AROUND
    for count, value in enumerate(values if at_most > most else ()):
        size += len(encode_value(value, serializer_id)) + len(", ")
        if size > most and count:
            return list(values[:count])
    return list(values)


def request_frame(
    object_id: str, method: str, arguments: Sequence[object], serializer_id: int, sequence: int = 0, asks: bool = True
) -> bytes:
    """A whole MSG_INVOKE frame. asks: False makes it a oneway call, which has no answer."""
    payload = encode_call(object_id, method, list(arguments), serializer_id)
    return whole_frame(
        protocol.MSG_INVOKE, payload, serializer_id, sequence, 0 if asks else protocol.FLAGS_ONEWAY
    )  # fmt: skip


def stretch_frame(
    object_id: str, messages: Sequence[bytes], marks: Sequence[WireMark], serializer_id: int, asks: bool = True
) -> bytes:
    """The frame of ``deliver(messages, marks)``; *messages* as `encode_messages` made them.

    asks: False makes it a oneway call of ``deliver_oneway``, which has no answer; only for msgpack.
    """
    assert asks or serializer_id == MSGPACK
    if serializer_id != MSGPACK:
        decoded: list[WireMessage] = [msgpack.unpackb(message, raw=False) for message in messages]
        return request_frame(object_id, "deliver", [decoded, list(marks)], serializer_id)
    payload = b"".join(
        (_deliver_prefix(object_id, asks), _array_header(len(messages)), *messages, msgpack.packb(list(marks)), b"\x80")
    )
    return whole_frame(protocol.MSG_INVOKE, payload, MSGPACK, flags=0 if asks else protocol.FLAGS_ONEWAY)


@lru_cache(maxsize=64)
def _deliver_prefix(object_id: str, asks: bool) -> bytes:
    """The beginning of ``(object_id, "deliver", [messages, marks], {})`` in msgpack."""
    return call_prefix(object_id, "deliver" if asks else "deliver_oneway") + b"\x92"


def _array_header(length: int) -> bytes:
    packer = msgpack.Packer(autoreset=False)
    packer.pack_array_header(length)
    return bytes(packer.bytes())
