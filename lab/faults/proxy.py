"""A TCP proxy of ours on loopback, that does to a connection what networks do.

One thread a proxy. Switches may be used from any other thread, while connections are open, and have taken
effect when they return:

- `delay`: every byte comes so much later
- `hold`: bytes in a direction are kept until `release` (packets vanish, TCP repeats them later)
- `swallow`: what is open now never moves a byte again, and is not closed (a router that forgot)
- `lose_large`: what is larger than a packet may be never arrives, nor what follows it (a tunnel that says nothing of
  its smaller MTU)
- `cut`: what is open now ends, with RST or FIN, at once or in the middle of the next frame
- `refuse`: new connections are reset as soon as they are there
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable

TO_SERVER = "to server"
TO_CLIENT = "to client"
BOTH = "both"

_MOST_KEPT_BYTES = 1 << 20
_CONNECT_SECONDS = 2.0
_ORDER_SECONDS = 5.0
_MID_FRAME_SECONDS = 0.5  # so long is waited for a next frame to cut


class _Stream:
    """One direction of one connection."""

    def __init__(self, pair: _Pair, source: socket.socket, target: socket.socket, direction: str) -> None:
        self.pair = pair
        self.source = source
        self.target = target
        self.direction = direction
        self.kept: deque[tuple[float, bytes]] = deque()  # (when it is due, what)
        self.kept_bytes = 0
        self.ended = False  # the source has sent its FIN
        self.ended_at_target = False
        self.stuck = False  # something that was too large is repeated for ever

    def take(self, data: bytes, due: float) -> None:
        self.kept.append((due, data))
        self.kept_bytes += len(data)

    def pass_on(self, now: float) -> None:
        """Send what is due, as far as the target takes it; raises OSError."""
        while self.kept and self.kept[0][0] <= now:
            due, data = self.kept.popleft()
            if self.pair.cut_in_frame and len(data) > 1:
                self.target.send(data[: len(data) // 2])
                raise ConnectionResetError("cut in the middle of a frame")
            try:
                sent = self.target.send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            self.kept_bytes -= sent
            if sent < len(data):
                self.kept.appendleft((due, data[sent:]))
                return
        if self.ended and not self.kept and not self.ended_at_target:
            self.ended_at_target = True
            with contextlib.suppress(OSError):
                self.target.shutdown(socket.SHUT_WR)


class _Pair:
    """One connection through the proxy."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.sockets = (client, server)
        self.streams = (_Stream(self, client, server, TO_SERVER), _Stream(self, server, client, TO_CLIENT))
        self.swallowed = False
        self.cut_in_frame = False
        self.cut_at: float | None = None
        self.reset = True  # how it ends

    def close(self) -> None:
        for sock in self.sockets:
            if self.reset:
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()


class Proxy:
    """Listens on a free port of 127.0.0.1 for connections to *target*, until `close`. A context manager."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._listening.setblocking(False)
        self.port: int = self._listening.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._pairs: set[_Pair] = set()
        self._orders: deque[Callable[[], None]] = deque()
        self._delay_seconds = 0.0
        self._held: frozenset[str] = frozenset()
        self._refusing = False
        self._most_bytes = 1 << 30  # that are passed on at once
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"proxy-{self.port}", daemon=True)
        self._thread.start()

    @property
    def at(self) -> str:
        """``host:port`` for clients."""
        return f"127.0.0.1:{self.port}"

    @property
    def connection_count(self) -> int:
        """How many connections are open through it."""
        return len(self._pairs)

    # -- switches ----------------------------------------------------------------------------------------------

    def delay(self, seconds: float) -> None:
        """From now on every byte takes so much longer."""
        self._order(lambda: setattr(self, "_delay_seconds", seconds))

    def hold(self, direction: str = BOTH) -> None:
        """Pass nothing on in *direction*; nothing is closed, and new connections are taken."""
        held = frozenset({TO_SERVER, TO_CLIENT} if direction == BOTH else {direction})
        self._order(lambda: setattr(self, "_held", held))

    def swallow(self) -> None:
        """What is open now never moves a byte again."""

        def order() -> None:
            for pair in self._pairs:
                pair.swallowed = True

        self._order(order)

    def lose_large(self, most_bytes: int) -> None:
        """From now on what comes as more than *most_bytes* at once is lost, and all that follows it on its connection."""
        self._order(lambda: setattr(self, "_most_bytes", most_bytes))

    def cut(self, *, reset: bool = True, in_frame: bool = False) -> None:
        """End what is open now, with RST or FIN; *in_frame*: after the first half of what comes next."""
        self._order(lambda: self._cut(reset, in_frame))

    def refuse(self) -> None:
        """Reset every new connection."""
        self._order(lambda: setattr(self, "_refusing", True))

    def release(self) -> None:
        """Pass everything on again. What was swallowed, or is stuck, stays so."""

        def order() -> None:
            self._held, self._delay_seconds, self._refusing, self._most_bytes = frozenset(), 0.0, False, 1 << 30

        self._order(order)

    def close(self) -> None:
        """Reset everything, and end. Idempotent."""
        if self._thread.is_alive():
            self._order(lambda: setattr(self, "_stopping", True))
            self._thread.join(_ORDER_SECONDS)

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _order(self, order: Callable[[], None]) -> None:
        """Let the thread do *order*; returns when it is done."""
        done = threading.Event()

        def do() -> None:
            order()
            done.set()

        self._orders.append(do)
        with contextlib.suppress(BlockingIOError, OSError):
            self._wake_writer.send(b"!")
        done.wait(_ORDER_SECONDS)

    # -- the thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            events = self._watch().select(self._wait())
            while self._orders:
                self._orders.popleft()()
            now = time.monotonic()
            for key, mask in events:
                if key.fileobj is self._wake_reader:
                    with contextlib.suppress(BlockingIOError):
                        self._wake_reader.recv(4096)
                elif key.fileobj is self._listening:
                    self._accept()
                elif mask & selectors.EVENT_READ and key.data.pair in self._pairs:
                    self._read(key.data, now)
            for pair in list(self._pairs):
                self._move(pair, now)
        for pair in self._pairs:
            pair.close()
        for sock in (self._listening, self._wake_reader, self._wake_writer):
            sock.close()
        self._selector.close()

    def _watch(self) -> selectors.BaseSelector:
        """A selector for what may move now. The pairs are few: it is made anew."""
        self._selector.close()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        self._selector.register(self._listening, selectors.EVENT_READ)
        now = time.monotonic()
        for pair in self._pairs:
            masks: dict[socket.socket, int] = {}
            for stream in pair.streams:
                if pair.swallowed or stream.stuck or stream.direction in self._held:
                    continue
                if not stream.ended and stream.kept_bytes < _MOST_KEPT_BYTES:
                    masks[stream.source] = masks.get(stream.source, 0) | selectors.EVENT_READ
                if stream.kept and stream.kept[0][0] <= now:
                    masks[stream.target] = masks.get(stream.target, 0) | selectors.EVENT_WRITE
            for sock, mask in masks.items():
                self._selector.register(sock, mask, pair.streams[pair.sockets.index(sock)])
        return self._selector

    def _wait(self) -> float:
        dues = [stream.kept[0][0] for pair in self._pairs for stream in pair.streams if stream.kept]
        dues += [pair.cut_at for pair in self._pairs if pair.cut_at is not None]
        later = [due for due in dues if due > time.monotonic()]
        return min(1.0, max(0.0, min(later) - time.monotonic())) if later else 1.0

    def _accept(self) -> None:
        try:
            client, _ = self._listening.accept()
        except (BlockingIOError, OSError):
            return
        try:
            if self._refusing:
                raise ConnectionRefusedError("by order")
            server = socket.create_connection(self._target, _CONNECT_SECONDS)
        except OSError:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            return
        for sock in (client, server):
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._pairs.add(_Pair(client, server))

    def _read(self, stream: _Stream, now: float) -> None:
        try:
            data = stream.source.recv(65_536)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._end(stream.pair)
            return
        if len(data) > self._most_bytes:
            stream.stuck = True
        elif data:
            stream.take(data, now + self._delay_seconds)
        else:
            stream.ended = True

    def _move(self, pair: _Pair, now: float) -> None:
        if pair.cut_at is not None and now >= pair.cut_at:
            self._end(pair)
            return
        try:
            for stream in pair.streams:
                if not pair.swallowed and not stream.stuck and stream.direction not in self._held:
                    stream.pass_on(now)
        except OSError:
            self._end(pair)
            return
        if all(stream.ended_at_target for stream in pair.streams):
            self._end(pair)

    def _cut(self, reset: bool, in_frame: bool) -> None:
        for pair in self._pairs:
            pair.reset, pair.cut_in_frame = reset, in_frame
            pair.cut_at = time.monotonic() + (_MID_FRAME_SECONDS if in_frame else 0.0)

    def _end(self, pair: _Pair) -> None:
        self._pairs.discard(pair)
        pair.close()
