"""Values to bytes and back, in the three of Pyro5's serializers that are safe to read from strangers.

What comes in is never more than plain values: no class, exception or proxy is rebuilt, whatever the
bytes say. And it is never more of them than the reader has asked for (`ValueBounds`): a byte on the wire can become
a hundred in memory.
"""

import ast
import contextlib
import json
import re
import threading
from collections.abc import Callable, Collection
from itertools import accumulate
from typing import Any, NamedTuple

import msgpack
from Pyro5 import core, serializers

from pyrochat.values.errors import InvalidArgument

SERPENT: int = serializers.SerpentSerializer.serializer_id
JSON: int = serializers.JsonSerializer.serializer_id
MSGPACK: int = serializers.MsgpackSerializer.serializer_id
SERIALIZERS = (SERPENT, JSON, MSGPACK)  # no marshal

_SERPENT_ATTEMPTS = 10
_MOST_SERPENT_BYTES = 65_536  # outside of texts
_SERPENT_TEXT = re.compile(rb"""'(?:[^'\\\n]|\\.)*+'|"(?:[^"\\\n]|\\.)*+\"""", re.DOTALL)
_SERPENT_REST = re.compile(rb"(?:\0(?!\0)|[\[\](){},:\s]|[-+]?[0-9][-+0-9.eEj]*+|None|True|False)*+")

_JSON_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_DEPTH_OF = dict.fromkeys(b"[({", 1) | dict.fromkeys(b"])}", -1)
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in _DEPTH_OF)
_FREELY_READ_BYTES = 65_536  # of msgpack: they can become 6 MiB at the most
_CONTAINERS = (list, dict)  # that msgpack makes

_by_id = serializers.serializers_by_id
_packers = threading.local()  # a packer is for one thread


class Call(NamedTuple):
    """What the payload of a MSG_INVOKE says."""

    object_id: str
    method: str
    arguments: list[Any] | tuple[Any, ...]
    keywords: dict[str, Any]


class ValueBounds(NamedTuple):
    """What a payload may hold. values: of all levels together; a list of two texts counts as two. depth: of lists
    and dicts in each other; ``[["x"]]`` has two."""

    values: int
    depth: int


def decode_value(data: bytes, serializer_id: int, bounds: ValueBounds) -> object:
    """The plain value in *data*; raises InvalidArgument where there is none, or more than *bounds* allow."""
    try:
        if serializer_id == MSGPACK:
            value = _decode_msgpack(data, bounds)
        elif serializer_id == JSON:
            _check_text(_without_texts(_JSON_TEXT, data, bounds), bounds)
            value = json.loads(data.decode())
        elif serializer_id == SERPENT:  # what serpent.loads does, without its switching the garbage collector on
            value = _literal(_plain_serpent(data, bounds).decode())
        else:
            raise InvalidArgument(f"serializer {serializer_id} is not accepted")
    except InvalidArgument:
        raise
    except Exception as error:  # each of the three has its own zoo of errors for bad input
        if isinstance(error, RecursionError | MemoryError | msgpack.StackError):
            raise _too_deep(bounds) from None
        raise InvalidArgument(
            f"the message can't be read ({type(error).__name__}): send plain lists, text and numbers"
        ) from None
    return value


def _literal(text: str) -> object:
    """The value that *text* is. Python before 3.11.8 and 3.12.2 counts the depth of what is parsed for all threads together,
    and raises SystemError where another has parsed meanwhile (gh-106905): the same is read again.
    """
    for _ in range(_SERPENT_ATTEMPTS):
        with contextlib.suppress(SystemError):
            return ast.literal_eval(text)
    return ast.literal_eval(text)


def _too_many(bounds: ValueBounds) -> InvalidArgument:
    return InvalidArgument(f"the message has too many values, {bounds.values:,} are the most: send fewer at once")


def _too_deep(bounds: ValueBounds) -> InvalidArgument:
    return InvalidArgument(
        f"the message can't be read (nested too deeply, {bounds.depth} levels are the most): send plain lists"
    )


def _decode_msgpack(data: bytes, bounds: ValueBounds) -> object:
    """Where they could be too many, the values are counted while they are made, and all of it has to be there first.

    (A list that is not all there is made as long as it says that it is going to be.)
    """
    if len(data) <= min(bounds.values, _FREELY_READ_BYTES):  # a value has a byte at least: they can't be too many
        value: object = msgpack.unpackb(data, raw=False)
    else:
        whole = msgpack.Unpacker(max_buffer_size=len(data))
        whole.feed(data)
        whole.skip()
        count = _counter(bounds)
        try:
            value = msgpack.unpackb(
                data, raw=False, max_array_len=bounds.values, max_map_len=bounds.values,
                list_hook=count, object_hook=count,
            )  # fmt: skip
        except ValueError as error:
            raise (_too_many(bounds) if "exceeds max" in str(error) else error) from None
    _check_value(value, bounds)
    return value


def _counter(bounds: ValueBounds) -> Callable[[Collection[object]], Collection[object]]:
    left = 2 * bounds.values

    def count(container: Collection[object]) -> Collection[object]:
        nonlocal left
        left -= 1 + len(container)  # itself too, before what it is in has been read: that may never end
        if left < 0:
            raise _too_many(bounds)
        return container

    return count


def _check_value(value: object, bounds: ValueBounds) -> None:
    """Raise InvalidArgument where *value*, read from msgpack, is beyond *bounds*. Level by level: it may be deep."""
    left, levels = bounds
    level: list[Any] = [value] if type(value) in _CONTAINERS else []
    while level:
        levels -= 1
        if levels < 0:
            raise _too_deep(bounds)
        below = []
        for container in level:
            left -= len(container)
            for each in container if type(container) is list else container.values():
                if type(each) is list or type(each) is dict:
                    below.append(each)  # noqa: PERF401 - a comprehension costs a short list more than it saves a long one
        if left < 0:
            raise _too_many(bounds)
        level = below


def _without_texts(text: re.Pattern[bytes], data: bytes, bounds: ValueBounds) -> bytes:
    """*data* with a NUL for each *text* in it; raises InvalidArgument where they alone are too many."""
    rest, count = text.subn(b"\0", data, count=bounds.values + 1)
    if count > bounds.values:
        raise _too_many(bounds)
    return rest


def _check_text(rest: bytes, bounds: ValueBounds) -> None:
    """Raise InvalidArgument where *rest*, a json or serpent without its texts, is beyond *bounds*."""
    brackets = rest.translate(None, delete=_NO_BRACKETS)
    if rest.count(b",") + rest.count(b":") + len(brackets) // 2 > bounds.values:
        raise _too_many(bounds)
    if max(accumulate(map(_DEPTH_OF.__getitem__, brackets)), default=0) > bounds.depth:
        raise _too_deep(bounds)


def _plain_serpent(data: bytes, bounds: ValueBounds) -> bytes:
    """*data* without its first line, if it is nothing but literals within *bounds*; raises InvalidArgument.

    Python's parser, which reads it, knows comments, formatted texts and operators too, and takes some 300 bytes
    of memory for each byte outside of texts: there can't be many.
    """
    if data.startswith(b"# serpent"):
        data = data.partition(b"\n")[2]
    rest = _without_texts(_SERPENT_TEXT, data, bounds)
    if b"\0" in data or not _SERPENT_REST.fullmatch(rest):
        raise InvalidArgument("the message can't be read (not serpent): send plain lists, text and numbers")
    if len(rest) > _MOST_SERPENT_BYTES:
        raise InvalidArgument("too many values for serpent: send fewer, or use msgpack")
    _check_text(rest, bounds)
    return data


def decode_call(data: bytes, serializer_id: int, bounds: ValueBounds) -> Call:
    """The call in *data*; raises InvalidArgument where there is none, or more than *bounds* allow."""
    value = decode_value(data, serializer_id, bounds)
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
