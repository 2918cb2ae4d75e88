"""Values to bytes and back, in the three of Pyro5's serializers that are safe to read from strangers.

What comes in is never more than plain values: no class, exception or proxy is rebuilt, whatever the
bytes say.
"""

from __future__ import annotations

import ast
import json
import re
import threading
from typing import Any, NamedTuple

import msgpack
from Pyro5 import core, serializers

from pyrochat.values.errors import InvalidArgument

__all__ = [
    "JSON",
    "MSGPACK",
    "SERIALIZERS",
    "SERPENT",
    "Call",
    "call_prefix",
    "decode_call",
    "decode_value",
    "encode_call",
    "encode_failure",
    "encode_value",
]

SERPENT: int = serializers.SerpentSerializer.serializer_id
JSON: int = serializers.JsonSerializer.serializer_id
MSGPACK: int = serializers.MsgpackSerializer.serializer_id
SERIALIZERS = (SERPENT, JSON, MSGPACK)  # no marshal

_MOST_SERPENT_BYTES = 65_536  # outside of texts
_SERPENT_TEXT = re.compile(rb"""'(?:[^'\\\n]|\\.)*+'|"(?:[^"\\\n]|\\.)*+\"""", re.DOTALL)
_SERPENT_REST = re.compile(rb"(?:\0(?!\0)|[\[\](){},:\s]|[-+]?[0-9][-+0-9.eEj]*+|None|True|False)*+")

_by_id = serializers.serializers_by_id
_packers = threading.local()  # a packer is for one thread


class Call(NamedTuple):
    """What the payload of a MSG_INVOKE says."""

    object_id: str
    method: str
    arguments: list[Any] | tuple[Any, ...]
    keywords: dict[str, Any]


def decode_value(data: bytes, serializer_id: int) -> object:
    """The plain value in *data*; raises InvalidArgument where there is none."""
    try:
        if serializer_id == MSGPACK:
            value: object = msgpack.unpackb(data, raw=False)
        elif serializer_id == JSON:
            value = json.loads(data)
        elif serializer_id == SERPENT:  # what serpent.loads does, without its switching the garbage collector on
            value = ast.literal_eval(_plain_serpent(data).decode())
        else:
            raise InvalidArgument(f"serializer {serializer_id} is not accepted")
    except InvalidArgument:
        raise
    except Exception as error:  # each of the three has its own zoo of errors for bad input
        why = "nested too deeply" if isinstance(error, RecursionError | MemoryError) else type(error).__name__
        raise InvalidArgument(f"the message can't be read ({why}): send plain lists, text and numbers") from None
    return value


def _plain_serpent(data: bytes) -> bytes:
    """*data* without its first line, if it is nothing but literals; raises InvalidArgument.

    Python's parser, which reads it, knows comments, formatted texts and operators too, and takes some 300 bytes
    of memory for each byte outside of texts: there can't be many.
    """
    if data.startswith(b"# serpent"):
        data = data.partition(b"\n")[2]
    rest = _SERPENT_TEXT.sub(b"\0", data)
    if b"\0" in data or not _SERPENT_REST.fullmatch(rest):
        raise InvalidArgument("the message can't be read (not serpent): send plain lists, text and numbers")
    if len(rest) > _MOST_SERPENT_BYTES:
        raise InvalidArgument("too many values for serpent: send fewer, or use msgpack")
    return data


def decode_call(data: bytes, serializer_id: int) -> Call:
    """The call in *data*; raises InvalidArgument where there is none."""
    value = decode_value(data, serializer_id)
    if serializer_id == JSON and isinstance(value, dict):
        value = [value.get("object"), value.get("method"), value.get("params"), value.get("kwargs")]
    match value:
        case [str(object_id), str(method), list() | tuple() as arguments, dict() | None as keywords]:
            return Call(object_id, method, arguments, keywords or {})  # a batch has None
    raise InvalidArgument("a call has to be an object's id, a method's name, a list of arguments, and a dict")


def encode_value(value: object, serializer_id: int) -> bytes:
    """*value* as bytes; plain values in, plain values out."""
    data: bytes
    if serializer_id == MSGPACK:  # as Pyro5 does it, but with a packer that is made once
        try:
            pack = _packers.pack
        except AttributeError:
            pack = _packers.pack = msgpack.Packer(use_bin_type=True, default=_by_id[MSGPACK].default).pack
        data = pack(value)
    else:
        data = _by_id[serializer_id].dumps(value)
    return data


def encode_call(object_id: str, method: str, arguments: list[object], serializer_id: int) -> bytes:
    """The payload of a MSG_INVOKE."""
    data: bytes = _by_id[serializer_id].dumpsCall(object_id, method, arguments, {})
    return data


def call_prefix(object_id: str, method: str) -> bytes:
    """What the payload of each call of *method* begins with, in msgpack."""
    return b"\x94" + bytes(msgpack.packb(object_id)) + bytes(msgpack.packb(method))


def encode_failure(error: Exception, serializer_id: int, results: list[object] | None = None) -> bytes:
    """*error* as Pyro5's proxies expect it; in a batch of calls, after the *results* of those that went well."""
    return encode_value(error if results is None else [*results, core._ExceptionWrapper(error)], serializer_id)
