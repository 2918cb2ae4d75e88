"""Values that bite: classes, depth, surrogates, numbers without end."""

import json
from collections.abc import Callable

from Pyro5 import protocol

from lab.attacks.target import Target
from lab.attacks.traps import Trap
from lab.attacks.wire import LOBBY, call_frame, frame, greeting, packed, unused_name
from pyrochat.pyro.serializers import JSON, MSGPACK, SERPENT

_NAMES = {SERPENT: "serpent", JSON: "json", MSGPACK: "msgpack"}
_UNREADABLE = "can't be read|too many values|nested"
_PARSING_MIB = 80.0  # what values may take for a moment
_INVALID = "invalid-|can't be read|can't be"
_EVIL = [
    {"__class__": "builtins.SystemExit", "__exception__": True, "args": [1], "attributes": {}},
    {"__class__": "Pyro5.client.Proxy", "state": ["PYRO:x@192.0.2.1:9", [], [], [], 0, 0, "secret", 0]},
    {"__class__": "Pyro5.core.URI", "state": ["PYRO", "x", None, "192.0.2.1", 9]},
    {"__class__": "os.system", "args": ["true"]},
]


def _serpent_call(argument: bytes) -> bytes:
    return b"('%s', 'post', [%s], {})" % (LOBBY.encode(), argument)


def _json_call(argument: bytes) -> bytes:
    return b'{"object": "%s", "method": "post", "params": [%s], "kwargs": {}}' % (LOBBY.encode(), argument)


def _msgpack_call(argument: bytes) -> bytes:
    return b"\x94" + packed(LOBBY) + packed("post") + b"\x91" + argument + b"\x80"


_CALLS = {SERPENT: _serpent_call, JSON: _json_call, MSGPACK: _msgpack_call}
_GREETINGS: dict[int, Callable[[bytes], bytes]] = {
    SERPENT: lambda value: b"{'object': '%s', 'handshake': %s}" % (LOBBY.encode(), value),
    JSON: lambda value: b'{"object": "%s", "handshake": %s}' % (LOBBY.encode(), value),
    MSGPACK: lambda value: b"\x82" + packed("object") + packed(LOBBY) + packed("handshake") + value,
}


def _argument(serializer: int, value: Callable[[], bytes]) -> Callable[[Target], str]:
    """As an argument of a call, by somebody inside."""

    def attack(target: Target) -> str:
        with target.stranger() as member:
            member.greet(unused_name()).send(frame(protocol.MSG_INVOKE, _CALLS[serializer](value()), serializer))
            return member.outcome()

    return attack


def _handshake(serializer: int, value: Callable[[], bytes]) -> Callable[[Target], str]:
    """As the data of a greeting."""

    def attack(target: Target) -> str:
        with target.stranger() as stranger:
            stranger.send(frame(protocol.MSG_CONNECT, _GREETINGS[serializer](value()), serializer))
            return stranger.outcome()

    return attack


def _both(what: str, serializer: int, before: bytes, after: bytes, refusal: str) -> list[Trap]:
    where = _NAMES[serializer]
    return [
        Trap(f"{what}, {where}, greeting", _handshake(serializer, lambda: before), refusal, _PARSING_MIB),
        Trap(f"{what}, {where}, argument", _argument(serializer, lambda: after), refusal, _PARSING_MIB),
    ]


def _nested(opening: bytes, closing: bytes, depth: int) -> bytes:
    return opening * depth + b"0" + closing * depth


def _classes(target: Target) -> str:
    """Serialized classes, in greetings and in every argument; the last refusal."""
    said = ""
    for evil in _EVIL:
        for place in ({"name": evil}, {"name": "x", "session": evil}, {"name": "x", "key": evil, "room": LOBBY}):
            with target.stranger() as stranger:
                stranger.send(greeting(place))
                said = stranger.outcome()
        with target.stranger() as member:
            member.greet(unused_name())
            calls = [("post", evil), ("post_many", [evil]), ("post_many", evil), ("history", evil), ("join", evil),
                     ("join", None, evil), ("attach", evil, 0), ("mark_read", evil), ("post", "x", evil)]  # fmt: skip
            for method, *arguments in calls:
                member.send(call_frame(str(method), *arguments))
                said = member.outcome()
    return said


def _lone_surrogates(target: Target) -> str:
    """In every place where text goes; json, which can write them."""
    bad = "\ud800"
    said = ""
    key = "00" * 32
    for place in ({"name": bad}, {"name": "x", "key": key, "nonce": key, "room": bad}, {"name": "x", "key": bad}):
        with target.stranger() as stranger:
            stranger.send(_in_json(protocol.MSG_CONNECT, {"object": LOBBY, "handshake": place}))
            said = stranger.outcome()
            if not said.startswith(("invalid-", "room-not-found")):
                return f"{said} ({list(place)})"
    calls: list[tuple[str, list[object]]] = [
        ("post", [bad]), ("post", ["x", bad]), ("post_many", [["x", bad]]), ("join", [bad]), ("attach", [bad, 0]),
        ("join", [f"PYRO:{bad}@127.0.0.1:9"]), ("join", [f"PYRO:x@{bad}:9"]), ("join", [None, [bad, bad, 0, "", None]]),
        ("prove", [bad]), (bad, []),
    ]  # fmt: skip
    with target.stranger() as member:
        member.greet(unused_name())
        for method, arguments in calls:
            call = {"object": LOBBY, "method": method, "params": arguments, "kwargs": {}}
            member.send(_in_json(protocol.MSG_INVOKE, call))
            said = member.outcome()
            if "internal-error" in said:
                return f"{said} ({method}{arguments!r})"
    return said


def _in_json(kind: int, value: object) -> bytes:
    return frame(kind, json.dumps(value).encode(), JSON)


def _huge_integers(target: Target) -> str:
    said = ""
    with target.stranger() as member:
        member.greet(unused_name())
        for number in (b"0x" + b"f" * 60_000, b"1e400", b"-0x" + b"f" * 60_000):
            for call in (
                b"'history', [%s]",
                b"'mark_read', [%s]",
                b"'attach', ['x', %s]",
                b"'join', [None, ['', '', %s, '', None]]",
            ):
                payload = b"('%s', %s, {})" % (LOBBY.encode(), call % number)
                member.send(frame(protocol.MSG_INVOKE, payload, SERPENT))
                said = member.outcome()
                if "internal-error" in said:
                    return f"{said} ({call!r})"
    return said


def _collisions() -> bytes:
    """Numbers that all have the same hash."""
    prime = 2**61 - 1
    return b"{" + b",".join(b"%#x" % (prime * n) for n in range(1, 40_000)) + b"}"


def _many_empties(count: int) -> bytes:
    return b"\xdd" + count.to_bytes(4, "big") + b"\x90" * count


def _preallocated(count: int) -> bytes:
    """Lists in lists, each of which says that it has room for everything."""
    return (b"\xdd" + (count // 2).to_bytes(4, "big")) * 500 + bytes(count)


TRAPS = [
    Trap("serialized classes, proxies and exceptions", _classes, _INVALID),
    Trap("lone surrogates everywhere", _lone_surrogates, f"{_INVALID}|no attribute"),
    Trap("integers of 60,000 digits", _huge_integers, _INVALID),
    *_both("depth", SERPENT, _nested(b"[", b"]", 5_000), _nested(b"(", b",)", 5_000), _UNREADABLE),
    *_both("depth", JSON, _nested(b"[", b"]", 30_000), _nested(b'{"a":', b"}", 100_000), _UNREADABLE),
    *_both("depth", MSGPACK, b"\x91" * 60_000 + b"\0", b"\x81\xa1a" * 300_000 + b"\0", _UNREADABLE),
    *_both("a million minus signs", SERPENT, b"-" * 60_000 + b"1", b"-" * 1_000_000 + b"1", _UNREADABLE),
    *_both("a sum without end", SERPENT, b"1" + b"+1" * 30_000, b"1" + b"+1" * 500_000, _UNREADABLE),
    *_both("an integer without end", JSON, b"9" * 60_000, b"9" * 1_000_000, _UNREADABLE),
    *_both("lists that ask for room", MSGPACK, _preallocated(50_000), _preallocated(900_000), _UNREADABLE),
    Trap("a million numbers in serpent", _argument(SERPENT, lambda: b"[" + b"1," * 500_000 + b"]"), _UNREADABLE),
    Trap("numbers between comments", _argument(SERPENT, lambda: b"[#'\n" + b"1," * 500_000 + b"#'\n]"), _UNREADABLE),
    Trap(
        "numbers between triple quotes",
        _argument(SERPENT, lambda: b"[''' ' '''," + b"1," * 500_000 + b"'']"), _UNREADABLE,
    ),
    Trap("numbers in an f-string", _argument(SERPENT, lambda: b"f'{[" + b"1," * 500_000 + b"]}'"), _UNREADABLE),
    Trap("colliding numbers, argument", _argument(SERPENT, _collisions), _UNREADABLE),
    Trap("a million lists in msgpack", _argument(MSGPACK, lambda: _many_empties(1_000_000)), _INVALID, most_mib=100),
    Trap("invalid UTF-8 in msgpack", _argument(MSGPACK, lambda: b"\xa3\xed\xa0\x80"), _UNREADABLE),
    Trap("an extension type of msgpack", _argument(MSGPACK, lambda: b"\xc7\x03\x31abc"), _INVALID),
]  # fmt: skip
