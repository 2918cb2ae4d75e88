"""Frames with any header, and strangers who send them."""

import contextlib
import itertools
import socket
import ssl
import struct
import time
import zlib
from functools import lru_cache
from typing import NamedTuple, Self

import msgpack
from Pyro5 import protocol

from pyrochat.pyro.serializers import MSGPACK, ValueBounds, decode_value, encode_call, encode_value
from pyrochat.trust.keys import Key
from pyrochat.trust.proofs import Meeting, new_nonce
from pyrochat.values.errors import InvalidArgument

LOBBY = "pyrochat.lobby"
CLOSED = "closed without a word"
PATIENCE_SECONDS = 20.0
_HEADER = struct.Struct(protocol._header_format)
_MOST_ANSWER_BYTES = 64 << 20
_ANYTHING = ValueBounds(values=1 << 24, depth=64)
_numbers = itertools.count(1)


class Attacked(Exception):
    """An attack has worked."""


class Hung(Attacked):
    """Neither an answer nor the end of the connection came in time."""


def frame(
    kind: int, payload: bytes = b"", serializer: int = MSGPACK, flags: int = 0, sequence: int = 0,
    *, annotations: bytes = b"", size: int | None = None, annotated: int | None = None,
    tag: bytes = b"PYRO", version: int = protocol.PROTOCOL_VERSION, magic: int = protocol._magic_number,
) -> bytes:  # fmt: skip
    """A frame. size, annotated: what its header says of payload and annotations, where that is a lie."""
    size = len(payload) if size is None else size
    annotated = len(annotations) if annotated is None else annotated
    header = _HEADER.pack(tag, version, kind, serializer, flags, sequence, size, annotated, bytes(16), 0, magic)
    return header + annotations + payload


def greeting(handshake: object, object_id: str = LOBBY, serializer: int = MSGPACK) -> bytes:
    """The first frame of a connection."""
    payload = encode_value({"handshake": handshake, "object": object_id}, serializer)
    return frame(protocol.MSG_CONNECT, payload, serializer)


def call_frame(
    method: str, *arguments: object, object_id: str = LOBBY, serializer: int = MSGPACK, flags: int = 0
) -> bytes:
    """A call."""
    payload = encode_call(object_id, method, list(arguments), serializer)
    return frame(protocol.MSG_INVOKE, payload, serializer, flags)


@lru_cache(maxsize=4)
def bomb(inflated: int) -> bytes:
    """Zeros, compressed a thousandfold; *inflated* bytes when a server falls for it."""
    packer, block = zlib.compressobj(9), bytes(1 << 20)
    return b"".join(packer.compress(block) for _ in range(inflated >> 20)) + packer.flush()


class Reply(NamedTuple):
    """What came back. value: the decoded payload."""

    kind: int
    flags: int
    sequence: int
    value: object

    @property
    def is_refusal(self) -> bool:
        """Whether it says no."""
        return self.kind == protocol.MSG_CONNECTFAIL or bool(self.flags & protocol.FLAGS_EXCEPTION)

    @property
    def text(self) -> str:
        """What a refusal says, or the value."""
        match self.value:
            case {"args": [first, *_]}:
                return str(first)
        return str(self.value)[:200]


class Stranger:
    """A raw connection. A context manager."""

    def __init__(
        self,
        address: tuple[str, int],
        tls: bool = False,
        timeout: float = PATIENCE_SECONDS,
        room: int = 0,
        source: str = "",
    ) -> None:
        """*room*: bytes that the kernel keeps for us while we don't read; 0: as many as it likes. source: our address."""
        self.sock = socket.socket()
        if source:
            self.sock.bind((source, 0))
        self.sock.settimeout(timeout)
        if room:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        self.sock.connect(address)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sock = unverified().wrap_socket(self.sock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        """All of *data*, or as much as is taken before the connection is cut off."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            self.sock.sendall(data)

    def reply(self) -> Reply | None:
        """The next frame; None at the connection's end. Raises Hung."""
        header = self._exactly(_HEADER.size)
        if header is None:
            return None
        _, _, kind, serializer, flags, sequence, size, annotated, _, _, _ = _HEADER.unpack(header)
        if size > _MOST_ANSWER_BYTES:
            raise Attacked(f"an answer of {size >> 20} MiB")
        payload = self._exactly(annotated + size)
        if payload is None:
            return None
        try:
            value = decode_value(payload[annotated:], serializer, _ANYTHING) if kind != protocol.MSG_PING else payload
        except InvalidArgument as error:
            value = f"unreadable: {error}"
        return Reply(kind, flags, sequence, value)

    def outcome(self) -> str:
        """The text of a refusal, or CLOSED. Raises Attacked where something was served."""
        reply = self.reply()
        if reply is None:
            return CLOSED
        if not reply.is_refusal:
            raise Attacked(f"served: {reply.text}")
        return reply.text

    def ask(self, data: bytes) -> Reply:
        """Send a frame; the reply to it. Raises Attacked where the connection ends instead."""
        self.send(data)
        reply = self.reply()
        if reply is None:
            raise Attacked("the connection was cut off, where an answer has to come")
        return reply

    def greet(self, name: str | None, **more: object) -> Self:
        """The handshake of a guest, or of nobody. Raises Attacked where it is refused."""
        reply = self.ask(greeting({"name": name, **more} if name else "hello"))
        if reply.is_refusal:
            raise Attacked(f"not let in: {reply.text}")
        return self

    def apply(self, name: str, key: Key) -> str:
        """The greeting of a client with a key, certificates left out; the signature that `prove` would take."""
        nonce = new_nonce()
        data = {"name": name, "key": key.public.hex(), "nonce": nonce.hex(), "room": LOBBY}
        reply = self.ask(greeting(data))
        match reply.value:
            case {"handshake": {"key": str(server_key), "nonce": str(server_nonce)}}:
                meeting = Meeting(
                    name, key.public, nonce, LOBBY, bytes.fromhex(server_key), bytes.fromhex(server_nonce), b""
                )
                return key.sign(meeting.for_client()).hex()
        raise Attacked(f"no challenge: {reply.text}")

    def prove(self, name: str, key: Key) -> Self:
        """Come in with a key. Raises Attacked where that is refused."""
        reply = self.ask(call_frame("prove", self.apply(name, key)))
        if reply.is_refusal:
            raise Attacked(f"not let in: {reply.text}")
        return self

    def wait_end(self, seconds: float = PATIENCE_SECONDS) -> float:
        """Read on until the server closes; the seconds that took. Raises Hung."""
        begun = time.monotonic()
        while (left := begun + seconds - time.monotonic()) > 0:
            self.sock.settimeout(left)
            try:
                if not self.sock.recv(1 << 16):
                    return time.monotonic() - begun
            except TimeoutError:
                break
            except OSError:
                return time.monotonic() - begun
        raise Hung(f"still connected after {seconds:g} s")

    def _exactly(self, count: int) -> bytes | None:
        data = bytearray()
        while len(data) < count:
            try:
                chunk = self.sock.recv(min(1 << 20, count - len(data)))
            except TimeoutError:
                raise Hung(f"no answer for {self.sock.gettimeout():g} s") from None
            except OSError:
                return None
            if not chunk:
                return None
            data += chunk
        return bytes(data)


def unused_name() -> str:
    """One that no earlier attack has had: what a server still holds against that one does not count for this one."""
    return f"hostile{next(_numbers)}"


def unverified() -> ssl.SSLContext:
    """A context that takes any certificate: strangers don't care whom they attack."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def packed(value: object) -> bytes:
    """*value* in msgpack."""
    data: bytes = msgpack.packb(value)
    return data
