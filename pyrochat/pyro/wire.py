"""Pyro5's frames, as far as PyroChat makes and reads them itself.

A request to a callback is the same bytes for all clients, so it is put together once, from messages
that were encoded once: a msgpack array of arrays is its header followed by its items' bytes.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from functools import lru_cache

import msgpack
import serpent
from Pyro5 import protocol, serializers

from pyrochat.values.errors import InvalidArgument
from pyrochat.values.message import Message, WireMessage

__all__ = [
    "HEADER_BYTES",
    "JSON",
    "MSGPACK",
    "SERIALIZERS",
    "SERPENT",
    "WireMark",
    "decode_value",
    "encode_message",
    "request_frame",
    "stretch_frame",
    "whole_frame",
]

SERPENT: int = serializers.SerpentSerializer.serializer_id
JSON: int = serializers.JsonSerializer.serializer_id
MSGPACK: int = serializers.MsgpackSerializer.serializer_id
SERIALIZERS = (SERPENT, JSON, MSGPACK)  # no marshal: it is unsafe to read from strangers

HEADER_BYTES: int = protocol._header_size

WireMark = list[object]
"""``[name, delivered, read]``."""


def encode_message(message: Message) -> bytes:
    """The message's wire list as msgpack, ready to be put into any number of frames."""
    packed: bytes = msgpack.packb(message.to_wire(), use_bin_type=True)
    return packed


def decode_value(data: bytes | bytearray | memoryview, serializer_id: int) -> object:
    """Plain values out of *data*: no classes are rebuilt, whatever it says; raises InvalidArgument."""
    try:
        if serializer_id == MSGPACK:
            value: object = msgpack.unpackb(data, raw=False)
        elif serializer_id == JSON:
            value = json.loads(bytes(data))
        elif serializer_id == SERPENT:
            value = serpent.loads(bytes(data))
        else:
            raise InvalidArgument(f"serializer {serializer_id} is not accepted")
    except InvalidArgument:
        raise
    except Exception as error:  # each of the three has its own zoo of errors for bad input
        raise InvalidArgument(f"unreadable data: {error}") from None
    return value


def request_frame(
    object_id: str, method: str, arguments: Sequence[object], serializer_id: int, sequence: int = 0
) -> bytes:
    """A whole MSG_INVOKE frame."""
    serializer = serializers.serializers_by_id[serializer_id]
    return _invoke(serializer.dumpsCall(object_id, method, list(arguments), {}), serializer_id, sequence)


def _invoke(payload: bytes, serializer_id: int, sequence: int) -> bytes:
    return whole_frame(protocol.MSG_INVOKE, payload, serializer_id, sequence)


def whole_frame(message_type: int, payload: bytes, serializer_id: int, sequence: int = 0) -> bytes:
    """A frame of any type. Unlike Pyro5's own it depends on no global setting: never compressed, no annotations."""
    header: bytes = struct.pack(
        protocol._header_format, b"PYRO", protocol.PROTOCOL_VERSION, message_type, serializer_id, 0, sequence,
        len(payload), 0, protocol._empty_correlation_id, 0, protocol._magic_number,
    )  # fmt: skip
    return header + payload


def stretch_frame(object_id: str, messages: Sequence[bytes], marks: Sequence[WireMark], serializer_id: int) -> bytes:
    """The frame of ``deliver(messages, marks)``; *messages* as `encode_message` made them."""
    if serializer_id != MSGPACK:
        decoded: list[WireMessage] = [msgpack.unpackb(message, raw=False) for message in messages]
        return request_frame(object_id, "deliver", [decoded, list(marks)], serializer_id)
    payload = b"".join(
        (_deliver_prefix(object_id), _array_header(len(messages)), *messages, msgpack.packb(list(marks)), b"\x80")
    )
    return _invoke(payload, MSGPACK, 0)


@lru_cache(maxsize=64)
def _deliver_prefix(object_id: str) -> bytes:
    """The beginning of ``(object_id, "deliver", [messages, marks], {})`` in msgpack."""
    return b"\x94" + bytes(msgpack.packb(object_id)) + bytes(msgpack.packb("deliver")) + b"\x92"


def _array_header(length: int) -> bytes:
    packer = msgpack.Packer(autoreset=False)
    packer.pack_array_header(length)
    return bytes(packer.bytes())
