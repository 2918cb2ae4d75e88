"""Callbacks that are not where, or not what, they should be."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Self

from Pyro5 import protocol
from Pyro5.serializers import MarshalSerializer

from lab.attacks.target import Target
from lab.attacks.traps import GONE, Trap
from lab.attacks.wire import Attacked, Hung, Stranger, bomb, call_frame, frame, packed, unused_name
from pyrochat.pyro.serializers import MSGPACK, SERPENT

_ELSEWHERE = {
    "at another host": "PYRO:x@192.0.2.1:5000",
    "at another address of this machine": "PYRO:x@127.0.0.2:5000",
    "at a unix socket": "PYRO:x@./u:/tmp/pyrochat-no-such-socket",
    "by a name server": "PYRONAME:pyrochat.lobby@127.0.0.1:9090",
    "by metadata": "PYROMETA:x@127.0.0.1",
    "at no port": "PYRO:x@127.0.0.1:0",
    "at a port beyond all": "PYRO:x@127.0.0.1:99999999999999999999",
    "at a host that can't be one": f"PYRO:x@a..{'b' * 70}:5000",
    "at a host that has to be looked up": "PYRO:x@nowhere.invalid:5000",
    "where nobody listens": "PYRO:x@127.0.0.1:1",
    "in a URI of 50,000 characters": f"PYRO:{'x' * 50_000}@127.0.0.1:1",
}
_SYSTEM_EXIT = {"__class__": "builtins.SystemExit", "__exception__": True, "args": [1], "attributes": {}}


class Callback:
    """A callback's end: *behave* is given the first connection that comes, in a thread. A context manager."""

    def __init__(self, behave: Callable[[Stranger], None]) -> None:
        self._behave = behave
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.uri = f"PYRO:x@127.0.0.1:{self._listening.getsockname()[1]}"
        self.ended_after: float | None = None  # seconds until the room was gone, once it is
        self.over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError, Hung):
            sock, _ = self._listening.accept()
            peer = Stranger.__new__(Stranger)
            peer.sock = sock
            sock.settimeout(30.0)
            begun = time.monotonic()
            with peer:
                self._behave(peer)
                peer.wait_end(30.0)
                self.ended_after = time.monotonic() - begun
        self.over.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(35.0)


def _answering(answer: Callable[[], bytes]) -> Callable[[Stranger], None]:
    """Shakes hands as Pyro5 does, and answers every call with *answer*."""

    def behave(room: Stranger) -> None:
        room.reply()
        room.send(frame(protocol.MSG_CONNECTOK, packed({"handshake": "hello", "meta": {}})))
        while room.reply() is not None:
            room.send(answer())

    return behave


def _greeting_with(data: Callable[[], bytes]) -> Callable[[Stranger], None]:
    """Answers the handshake with *data*."""

    def behave(room: Stranger) -> None:
        room.reply()
        room.send(data())

    return behave


def _at(uri: str) -> Callable[[Target], str]:
    def attack(target: Target) -> str:
        with target.stranger() as member:
            begun = time.monotonic()
            member.greet(unused_name()).send(call_frame("join", uri))
            said = member.outcome()
            took = time.monotonic() - begun
            return said if took < 8 else f"only after {took:.0f} s: {said}"

    return attack


def _refused_at_join(behave: Callable[[Stranger], None]) -> Callable[[Target], str]:
    def attack(target: Target) -> str:
        with Callback(behave) as callback, target.stranger() as member:
            member.greet(unused_name()).send(call_frame("join", callback.uri))
            return member.outcome()

    return attack


def _dropped(behave: Callable[[Stranger], None]) -> Callable[[Target], str]:
    """It joins; then the room has to end the connection, and the worker has to be free again."""

    def attack(target: Target) -> str:
        with Callback(behave) as callback, target.stranger() as member:
            reply = member.greet(unused_name()).ask(call_frame("join", callback.uri))
            if reply.is_refusal:
                raise Attacked(f"not joined: {reply.text}")
            callback.over.wait(40.0)
            if callback.ended_after is None:
                raise Hung("the room keeps the callback")
            if member.ask(call_frame("members")).is_refusal:
                raise Attacked("the member that called is not served any more")
            return f"cut off after {callback.ended_after:.1f} s"

    return attack


def _result(payload: bytes, serializer: int = MSGPACK, flags: int = 0) -> Callable[[Stranger], None]:
    return _answering(lambda: frame(protocol.MSG_RESULT, payload, serializer, flags))


def _never(room: Stranger) -> None:
    """Doesn't say a word."""


def shake_hands(room: Stranger) -> None:
    """As Pyro5 does; then not a word."""
    room.reply()
    room.send(frame(protocol.MSG_CONNECTOK, packed({"handshake": "hello", "meta": {}})))


_LARGE = 60 << 20
_OK = protocol.MSG_CONNECTOK
_EXCEPTION = protocol.FLAGS_EXCEPTION
_UNREACHABLE = "callback-unreachable"
_OWN = f"{_UNREACHABLE}.*has to be at the caller's own address"

TRAPS = [
    *(Trap(f"a callback {where}", _at(uri), _OWN if "another" in where else _UNREACHABLE) for where, uri in _ELSEWHERE.items()),
    Trap("a callback that never shakes hands", _refused_at_join(_never), _UNREACHABLE),
    Trap(
        "a callback that shakes hands with SystemExit",
        _refused_at_join(_greeting_with(lambda: frame(protocol.MSG_CONNECTFAIL, packed(_SYSTEM_EXIT)))), _UNREACHABLE,
    ),
    Trap(
        "a callback that shakes hands with 60 MiB",
        _refused_at_join(_greeting_with(lambda: frame(_OK, bytes(_LARGE)))), _UNREACHABLE,
    ),
    Trap(
        "a callback that shakes hands with serpent",
        _refused_at_join(_greeting_with(lambda: frame(_OK, b"[" + b"1," * (2 << 20) + b"]", SERPENT))), _UNREACHABLE,
    ),
    Trap(
        "a callback that shakes hands with a bomb",
        _refused_at_join(_greeting_with(lambda: frame(_OK, bomb(60 << 20), flags=protocol.FLAGS_COMPRESSED))),
        _UNREACHABLE,
    ),
    Trap("a callback that raises SystemExit", _dropped(_result(packed(_SYSTEM_EXIT), flags=_EXCEPTION)), GONE),
    Trap("a callback that raises in serpent", _dropped(_result(repr(_SYSTEM_EXIT).encode(), SERPENT, _EXCEPTION)), GONE),
    Trap("a callback that answers with 60 MiB", _dropped(_result(bytes(_LARGE))), GONE),
    Trap("a callback that answers with a bomb", _dropped(_result(bomb(60 << 20), flags=protocol.FLAGS_COMPRESSED)), GONE),
    Trap("a callback that answers twice", _dropped(_answering(lambda: frame(protocol.MSG_RESULT, packed([0, 0])) * 2)), GONE),
    Trap("a callback that answers in marshal", _dropped(_result(b"\xe9\x00", MarshalSerializer.serializer_id)), GONE),
    Trap("a callback that never answers", _dropped(shake_hands), GONE),
]  # fmt: skip
