"""Frames that should not be read, and bytes that are none."""

import marshal
import ssl
import time
from collections.abc import Callable

from Pyro5 import protocol
from Pyro5.serializers import MarshalSerializer

from lab.attacks.target import Target
from lab.attacks.traps import GONE, Trap
from lab.attacks.wire import CLOSED, LOBBY, Stranger, bomb, call_frame, frame, greeting, unused_name, unverified
from pyrochat.pyro.serializers import MSGPACK, SERPENT

_MARSHAL: int = MarshalSerializer.serializer_id
_KIB = 1024
_BOMB_BYTES = 840 << 20  # 815 KiB packed; a stock daemon takes twice as much memory


def _first(data: Callable[[], bytes]) -> Callable[[Target], str]:
    """Send it as the first words of a connection."""

    def attack(target: Target) -> str:
        words = data()  # a bomb takes seconds to make, and who says nothing for so long is cut off
        with target.stranger() as stranger:
            stranger.send(words)
            return stranger.outcome()

    return attack


def _later(data: Callable[[], bytes]) -> Callable[[Target], str]:
    """Send it as a member does who has been let in."""

    def attack(target: Target) -> str:
        words = data()
        with target.stranger() as member:
            member.greet(unused_name()).send(words)
            return member.outcome()

    return attack


def _packed_bomb(kind: int, inflated: int) -> Callable[[], bytes]:
    return lambda: frame(kind, bomb(inflated), flags=protocol.FLAGS_COMPRESSED)


def _one_byte_at_a_time(target: Target) -> str:
    with target.stranger() as stranger:
        begun = time.monotonic()
        data = greeting({"name": "slow"}) + bytes(100)
        stranger.sock.settimeout(0.4)
        for byte in data:
            stranger.sock.sendall(bytes([byte]))
            try:
                if not stranger.sock.recv(1000):
                    return f"cut off after {time.monotonic() - begun:.0f} s"
            except TimeoutError:
                continue
            except OSError:
                return f"cut off after {time.monotonic() - begun:.0f} s"
        return "still there"


def _silent(words: bytes, greet: bool = False) -> Callable[[Target], str]:
    def attack(target: Target) -> str:
        with target.stranger() as stranger:
            if greet:
                stranger.greet("stuck")
            stranger.send(words)
            return f"cut off after {stranger.wait_end():.0f} s"

    return attack


def _tls_hello(target: Target) -> str:
    with target.stranger() as stranger:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = unverified().wrap_bio(incoming, outgoing)
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            stranger.send(outgoing.read())
        return stranger.outcome()


def _plain_at_tls(target: Target) -> str:
    with Stranger(target.address) as stranger:
        stranger.send(greeting({"name": "plain"}))
        return stranger.outcome()


def _noise_at_tls(target: Target) -> str:
    with Stranger(target.address) as stranger:
        stranger.send(b"\x16\x03\x01\xff\xff" + bytes(2000))
        return f"cut off after {stranger.wait_end():.0f} s"


def _ping_before(target: Target) -> str:
    with target.stranger() as stranger:
        stranger.send(frame(protocol.MSG_PING, b"ping"))
        return stranger.outcome()


_CONNECT, _INVOKE = protocol.MSG_CONNECT, protocol.MSG_INVOKE
_MARSHALLED = marshal.dumps({"handshake": "hello", "object": LOBBY})
_HUGE = 0xFFFF_FFFF

TRAPS = [
    Trap("bomb of 815 KiB before the handshake", _first(_packed_bomb(_CONNECT, _BOMB_BYTES)), "compressed"),
    Trap("bomb of 60 KiB before the handshake", _first(_packed_bomb(_CONNECT, 60 << 20)), "compressed"),
    Trap("bomb of 815 KiB after it", _later(_packed_bomb(_INVOKE, _BOMB_BYTES)), "compressed"),
    Trap("marshal before", _first(lambda: frame(_CONNECT, _MARSHALLED, _MARSHAL)), "only the serializers"),
    Trap("marshal after", _later(lambda: frame(_INVOKE, _MARSHALLED, _MARSHAL)), "only the serializers"),
    Trap("serializer 255", _first(lambda: frame(_CONNECT, b"x", 255)), "only the serializers"),
    Trap("64 KiB and a byte before", _first(lambda: frame(_CONNECT, bytes(64 * _KIB + 1))), "more than 65,536"),
    Trap("1 MiB and a byte after", _later(lambda: frame(_INVOKE, bytes(_KIB * _KIB + 1))), "more than 1,048,576"),
    Trap("4 GiB, says the header", _first(lambda: frame(_CONNECT, size=_HUGE)), "more than 65,536"),
    Trap("annotations of 4 GiB", _first(lambda: frame(_CONNECT, annotated=_HUGE)), "more than 65,536"),
    Trap("annotations and payload of 4 GiB", _later(lambda: frame(_INVOKE, size=_HUGE, annotated=_HUGE)), "more than"),
    Trap(
        "annotations that overflow the bound",
        _first(lambda: frame(_CONNECT, bytes(40 * _KIB), annotations=bytes(40 * _KIB))), "more than 65,536",
    ),
    Trap("another version of the protocol", _first(lambda: frame(_CONNECT, version=501)), "another version"),
    Trap("wrong magic number", _first(lambda: frame(_CONNECT, magic=0)), "not of Pyro's protocol"),
    Trap("a call instead of a greeting", _first(lambda: call_frame("members")), "begins with a greeting"),
    Trap("a ping instead of a greeting", _ping_before, "begins with a greeting"),
    Trap("a second greeting", _later(lambda: greeting({"name": "again"})), "a call is expected"),
    Trap("an answer instead of a call", _later(lambda: frame(protocol.MSG_RESULT, b"\x90")), "a call is expected"),
    Trap("message type 255", _later(lambda: frame(255)), "a call is expected"),
    Trap("an empty greeting", _first(lambda: frame(_CONNECT)), "can't be read"),
    Trap("an empty greeting in serpent", _first(lambda: frame(_CONNECT, b"", SERPENT)), "can't be read"),
    Trap("an empty call", _later(lambda: frame(_INVOKE, b"", MSGPACK)), "can't be read"),
    Trap("HTTP", _first(lambda: b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "not of Pyro's protocol"),
    Trap("a TLS ClientHello at a plain port", _tls_hello, "not of Pyro's protocol"),
    Trap("256 KiB of zeros", _first(lambda: bytes(256 * _KIB)), f"not of Pyro's protocol|{CLOSED}"),
]  # fmt: skip

PATIENT = [
    Trap("a silent TCP peer", _silent(b""), GONE),
    Trap("half a greeting", _silent(greeting({"name": "half"})[:-3]), GONE),
    Trap("half a header", _silent(b"PYRO\x01"), GONE),
    Trap("half a call of somebody inside", _silent(call_frame("members")[:-3], greet=True), GONE),
    Trap("one byte at a time", _one_byte_at_a_time, GONE),
]

TLS = [
    Trap("plain at a TLS port", _plain_at_tls, "this server speaks TLS", tls=True),
    Trap("noise at a TLS port", _noise_at_tls, GONE, tls=True),
    Trap("bomb of 815 KiB inside TLS", _later(_packed_bomb(_INVOKE, _BOMB_BYTES)), "compressed", tls=True),
]
