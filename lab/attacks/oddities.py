"""Answers that are nearly right: good ones of every kind, and what can be done to them; the same *chance*, the same answers."""

import random
from typing import Any

from Pyro5 import protocol
from Pyro5.errors import SerializeError

from lab.attacks.hostile import Said
from lab.attacks.wire import Stranger, call_frame, frame
from pyrochat.pyro.serializers import JSON, MSGPACK, SERPENT, encode_value
from pyrochat.values.protocol import CALLBACK_OBJECT

_HEX = "5a" * 32
_MESSAGE = [2, "lobby", "Ana", "hi", 1_700_000_000_000_000, "chat", "key-1", None, None, None, "a-salt-of-1"]
GOOD_ANSWERS: dict[str, Any] = {
    "greeting": {
        "handshake": {"version": 2, "key": _HEX, "nonce": _HEX, "signature": _HEX * 2, "password": False}, "meta": {},
    },
    "rooms": ["lobby", "coffee"],
    "prove": None,
    "join": ["0123456789abcdef", "5d0b2c6e-8c7c-4b0e-9b5e-000000000000", 1],
    "standing": [1, 0, _HEX],
    "post": _MESSAGE,
    "post_many": [_MESSAGE, [3, *_MESSAGE[1:]]],
    "mark_read": None,
    "leave": None,
    "digest": _HEX,
    "suspected": ["Ana", "Igor"],
    "sites": [["ana", "ana.lan:5679", 0.0], ["igor", "igor.lan:5679", None]],
    "confirmations": [["Ana", "Igor"], ["Ana"], ["Igor"], ["Zoe"]],
    "search": [[_MESSAGE], 2, 2],
    "create_room": ["coffee+abcdef", "pyrochat.lobby"],
    "closed_rooms": [["Ana+Igor", "pyrochat.lobby"], ["coffee", "pyrochat.lobby"]],
    "direct": ["Ana+Igor", "pyrochat.lobby"],
    "invite": None,
    "remove": None,
}  # fmt: skip
"""By method: what a room answers, or something of the same form."""

_GOOD_CALLS: list[tuple[str, list[Any]]] = [
    ("welcome", ["session"]), ("deliver", [[], []]), ("deliver", [[[1, *_MESSAGE[1:]]], [["Ana", 1, 1]]]),
    ("deliver", [[[1, "lobby", "Igor", "Igor joined", 5, "system", None]], []]), ("notice", ["something"]),
    ("seal", [1, _HEX]), ("closing", ["good bye"]), ("pending", [[[None, *_MESSAGE[1:]]]]), ("held_up", ["the room waits for zoe"]),
]  # fmt: skip
_ODD: list[Any] = [
    None, True, False, -1, 0, 1, 7, 2**31, 2**62, 2**63 - 1, 2**64 - 1, -(2**63), 2**70, 1.5, -0.0, float("inf"),
    float("nan"), 1e300, "", "x", "\x1b[31mred\x07", "two\nlines", "\u202eevil", "\ud800", "🎉" * 300, "x" * 20_000, b"",
    b"bytes", [], [[]], ["x"], [1, 2, 3], {}, {"a": 1}, {"__class__": "builtins.SystemExit", "args": [1]},
    [1, [2, [3, [4, [5, [6, [7, [8, [9]]]]]]]]], [None] * 50, "lobby", _HEX, [_MESSAGE], "../../etc/passwd",
]  # fmt: skip
_CODES = ["internal-error", "name-taken", "room-unreachable", "chat-closed", "rate-limited", "other-log", "log-lost",
          "unknown-message", "send-timeout", "key-conflict", "error", "room-closing", "unknown-session", "x"]  # fmt: skip
_SERIALIZERS = (MSGPACK, MSGPACK, MSGPACK, JSON, SERPENT)


class Oddities:
    """Draws odd answers."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def value(self, good: Any) -> Any:
        """*good* with one or two changes, or something else entirely."""
        value = good
        for _ in range(self._chance.choice((1, 1, 2))):
            value = self._changed(value)
        return value

    def _changed(self, value: Any) -> Any:
        chance = self._chance
        if isinstance(value, dict) and value and chance.random() < 0.9:
            key = chance.choice(list(value))
            return {**value, key: self._changed(value[key])}
        if isinstance(value, list) and value and chance.random() < 0.9:
            place = chance.randrange(len(value))
            before, after = value[:place], value[place + 1 :]
            how = chance.randrange(6)
            if how == 0:
                return before + after
            if how == 1:
                return [*value, chance.choice(_ODD)]
            if how == 2:
                return value * chance.choice((0, 2, 30))
            return [*before, self._changed(value[place]), *after]
        if isinstance(value, int) and not isinstance(value, bool) and chance.random() < 0.5:
            return value + chance.choice((-(2**40), -3, -1, 1, 5, 2**33, 2**61))
        if isinstance(value, str) and chance.random() < 0.5:
            return chance.choice((value[:-1], value * 2, value.upper(), value + "\0", "\x1b" + value, value * 200))
        return chance.choice(_ODD)

    def answer(self, method: str) -> Said:
        """Some answer to *method*: an odd value, a refusal in odd words, or bytes that are no value."""
        chance = self._chance
        draw = chance.random()
        flags = protocol.FLAGS_EXCEPTION if draw < 0.15 else 0
        value = self._refusal() if flags else self.value(GOOD_ANSWERS[method])
        payload, serializer = self._encoded(value)
        if draw > 0.9:
            payload = self._damaged(payload)
        kind = chance.choice((protocol.MSG_RESULT,) * 30 + (protocol.MSG_PING, protocol.MSG_CONNECTFAIL))
        return Said(payload, serializer, flags, kind)

    def _refusal(self) -> Any:
        text = f"{self._chance.choice(_CODES)}: {self._chance.choice(_ODD)!s:.600}"
        args = self._chance.choice(([text], [text], [text], [], [self._chance.choice(_ODD)], 5))
        return {"__class__": "RuntimeError", "__exception__": True, "args": args, "attributes": {}}

    def _encoded(self, value: Any) -> tuple[bytes, int]:
        serializer = self._chance.choice(_SERIALIZERS)
        for each in (serializer, SERPENT, JSON):  # none of them takes all of it
            try:
                return encode_value(value, each), each
            except (ValueError, TypeError, OverflowError, SerializeError):
                continue
        return b"\xc0", MSGPACK

    def _damaged(self, payload: bytes) -> bytes:
        data, chance = bytearray(payload or b"\0"), self._chance
        for _ in range(chance.choice((1, 2, 5))):
            place = chance.randrange(len(data))
            data[place : place + chance.choice((0, 1, 1, 3))] = chance.choice(
                (b"\xdd\x00\xff\xff\xff", b"\xc1", b"\0", b"[" * 50, b"\x91" * 300, b"", b"\xff", b"\x80")
            )
            data = data or bytearray(b"\0")
        return bytes(data)

    def deliver(self, client: Stranger) -> None:
        """Call the callback of a client with this and that."""
        if self._chance.random() < 0.9:
            client.send(call_frame("welcome", "session", object_id=CALLBACK_OBJECT))
            client.reply()
        for _ in range(self._chance.randrange(1, 6)):
            method, arguments = self._chance.choice(_GOOD_CALLS)
            payload, serializer = self._encoded([CALLBACK_OBJECT, method, self.value(arguments), {}])
            if self._chance.random() < 0.1:
                payload = self._damaged(payload)
            flags = protocol.FLAGS_ONEWAY if self._chance.random() < 0.2 else 0
            client.send(frame(protocol.MSG_INVOKE, payload, serializer, flags))
            if not flags and client.reply() is None:
                return
