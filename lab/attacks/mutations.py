"""Frames that are nearly right: valid ones of every kind, and what can be done to them."""

import json
import random
import struct
from collections.abc import Callable, Sequence

from Pyro5 import core, protocol

from lab.attacks.traps.calls import ROOM_CALLS
from lab.attacks.wire import LOBBY, frame
from pyrochat.pyro.serializers import JSON, MSGPACK, SERPENT, encode_call, encode_value
from pyrochat.values.protocol import CALLBACK_OBJECT, SERVER_OBJECT

_SERIALIZERS = (SERPENT, JSON, MSGPACK)
_HEX = "5a" * 32
_HANDSHAKES: list[object] = [
    "hello", None, {}, {"name": "fuzz"}, {"name": ""}, {"name": "a\u202eb"}, {"name": ["x"]}, {"name": "x" * 40},
    {"name": "fuzz", "version": 2, "key": _HEX, "nonce": _HEX, "room": LOBBY},
    {"name": "fuzz", "version": 2**40, "session": "x", "password": "wrong"}, {"name": "fuzz", "key": 5, "nonce": []},
]  # fmt: skip
_ODD: list[object] = [
    None, True, -1, 0, 1, 2**31, 2**62, 2**63 - 1, 1.5, float("inf"), "", "x", "é\u0301\u200b", "x" * 20_000, [], [[]],
    ["x"], {}, {"a": 1}, {"__class__": "builtins.SystemExit", "args": [1]}, [1, [2, [3, [4]]]],
]  # fmt: skip
_MESSAGE = [1, "lobby", "Erick", "hi", 1_700_000_000_000_000, "chat", None, None, None, None, "a-salt-of-1"]
_CALLBACK_CALLS: list[tuple[str, list[object]]] = [
    ("welcome", ["session"]), ("deliver", [[], []]), ("deliver", [[_MESSAGE], [["Erick", 1, 1]]]),
    ("deliver", [[[2, *_MESSAGE[1:]]], []]), ("deliver", [[[1, "lobby", "Erick", "joined", 5, "system", None, None, "joined", None, None]], []]),
    ("notice", ["something"]), ("seal", [1, "00" * 96]), ("closing", ["good bye"]),
    ("pending", [[[None, *_MESSAGE[1:]]]]), ("held_up", ["the room waits for zoe"]),
]  # fmt: skip


def frames_to_rooms() -> list[bytes]:
    """What clients send: greetings, calls of everything with good and odd arguments, pings, answers."""
    greetings = [
        frame(protocol.MSG_CONNECT, encode_value({"handshake": data, "object": where}, serializer), serializer)
        for serializer in _SERIALIZERS
        for data in _HANDSHAKES
        for where in (LOBBY, core.DAEMON_NAME)
    ]
    calls: list[tuple[str, list[object]]] = [
        *ROOM_CALLS,
        ("prove", [_HEX * 2]),
        ("prove", [_HEX * 2, _HEX]),
        ("join", ["PYRO:x@127.0.0.1:1"]),
    ]
    others: list[tuple[str, str, list[object]]] = [
        (core.DAEMON_NAME, "get_metadata", [LOBBY]),
        (core.DAEMON_NAME, "ping", []),
        (SERVER_OBJECT, "rooms", []),
    ]
    of_rooms = [(LOBBY, method, arguments) for method, arguments in calls]
    return greetings + _calls(of_rooms + others) + _others()


def frames_to_callbacks() -> list[bytes]:
    """What a room sends on a connection that a client has turned around."""
    return _calls([(CALLBACK_OBJECT, method, arguments) for method, arguments in _CALLBACK_CALLS]) + _others()


def _calls(calls: Sequence[tuple[str, str, list[object]]]) -> list[bytes]:
    chance = random.Random(1)
    made = []
    for serializer in _SERIALIZERS:
        for object_id, method, arguments in calls:
            made.append(_invoke(encode_call(object_id, method, arguments, serializer), serializer))
            for _ in range(4):
                odd = [chance.choice(_ODD) if chance.random() < 0.6 else argument for argument in arguments]
                odd += [chance.choice(_ODD)] * (chance.random() < 0.3)
                made.append(_invoke(encode_call(object_id, method, odd, serializer), serializer))
        batch: list[object] = [[method, arguments, {}] for _, method, arguments in calls[:4]]
        payload = encode_call(calls[0][0], "<batch>", batch, serializer)
        made.append(frame(protocol.MSG_INVOKE, payload, serializer, protocol.FLAGS_BATCH))
    surrogates = json.dumps(
        {"object": calls[0][0], "method": calls[0][1], "params": ["\ud800"], "kwargs": {"\ud800": 1}}
    )
    return [*made, frame(protocol.MSG_INVOKE, surrogates.encode(), JSON)]


def _invoke(payload: bytes, serializer: int) -> bytes:
    return frame(protocol.MSG_INVOKE, payload, serializer)


def _others() -> list[bytes]:
    return [
        frame(protocol.MSG_PING, b"ping"),
        frame(protocol.MSG_RESULT, encode_value([0, 0], MSGPACK)),
        frame(protocol.MSG_RESULT, encode_value("x", SERPENT), SERPENT, protocol.FLAGS_EXCEPTION),
        frame(protocol.MSG_CONNECTOK, encode_value({"handshake": "hello", "meta": {}}, MSGPACK)),
        frame(protocol.MSG_CONNECTFAIL, encode_value("no", SERPENT), SERPENT),
        frame(protocol.MSG_INVOKE, b"", annotations=b"TEST\0\0\0\4abcd"),
    ]


_FIELDS = [(4, "!H"), (6, "!B"), (7, "!B"), (8, "!H"), (10, "!H"), (12, "!I"), (16, "!I"), (36, "!H"), (38, "!H")]
_PAYLOAD = 40


class Mutator:
    """Draws from *seeds*, and changes what it has drawn; the same *chance*, the same frames."""

    def __init__(self, seeds: Sequence[bytes], chance: random.Random) -> None:
        self._seeds = seeds
        self._chance = chance
        self._changes: list[Callable[[bytearray], None]] = [
            self._flip, self._flip, self._cut, self._splice, self._duplicate, self._field, self._field, self._bytes,
            self._repeat,
        ]  # fmt: skip

    def next(self) -> bytes:
        """One more: a seed with one to four changes; one in twenty stays as it is."""
        data = bytearray(self._chance.choice(self._seeds))
        if self._chance.random() < 0.05:
            return bytes(data)
        for _ in range(self._chance.choice((1, 1, 2, 4))):
            self._chance.choice(self._changes)(data)
        if self._chance.random() < 0.7 and len(data) >= _PAYLOAD:  # let it be read to the end
            struct.pack_into("!I", data, 12, len(data) - _PAYLOAD)
            data[16:20] = bytes(4)
        return bytes(data)

    def _place(self, data: bytearray) -> int:
        """Mostly in the payload."""
        first = _PAYLOAD if self._chance.random() < 0.8 and len(data) > _PAYLOAD else 0
        return self._chance.randrange(first, max(first + 1, len(data)))

    def _flip(self, data: bytearray) -> None:
        if data:
            data[min(self._place(data), len(data) - 1)] ^= 1 << self._chance.randrange(8)

    def _cut(self, data: bytearray) -> None:
        place = self._place(data)
        del data[place : place + self._chance.choice((1, 2, 8, 1000))]

    def _splice(self, data: bytearray) -> None:
        other = self._chance.choice(self._seeds)
        place = self._place(data)
        data[place:] = other[self._place(bytearray(other)) :]

    def _duplicate(self, data: bytearray) -> None:
        place = self._place(data)
        piece = data[place : place + self._chance.choice((1, 4, 16, 200))]
        data[place:place] = piece * self._chance.choice((1, 2, 50))

    def _field(self, data: bytearray) -> None:
        place, form = self._chance.choice(_FIELDS)
        size = struct.calcsize(form)
        value = self._chance.choice(
            (0, 1, 2, 3, 4, 8, 16, 255, 1 << 16, (1 << 8 * size) - 1, self._chance.randrange(1 << 32))
        )
        if len(data) >= place + size:
            struct.pack_into(form, data, place, value & ((1 << 8 * size) - 1))

    def _bytes(self, data: bytearray) -> None:
        place = self._place(data)
        data[place:place] = self._chance.choice(
            (b"[", b"{", b"(", b"'", b'"', b"\x91", b"\xdd\x00\xff\xff\xff", b"\xc7\x05\x30", b"\xc1", b"\0", b"\xed\xa0\x80",
             b"1e999", b"0x" + b"f" * 5000, b"9" * 5000, b"[" * 300, b"\\ud800", b"__class__", b"f'{1}'", b"#", b"\n")
        )  # fmt: skip

    def _repeat(self, data: bytearray) -> None:
        data += bytes(data[_PAYLOAD:]) if self._chance.random() < 0.5 else bytes(data)
