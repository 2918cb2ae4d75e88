"""A connection of ours under Pyro5: buffered, with a deadline for each frame.

Stock Pyro5 reads a frame with three `recv` calls and either waits for ever or drops whoever is idle.
Here the wait for a frame's first byte may last (that is being idle), the rest of it may not.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Collection
from typing import Any

from Pyro5 import protocol
from Pyro5.errors import ConnectionClosedError, ProtocolError
from Pyro5.errors import TimeoutError as PyroTimeout
from Pyro5.socketutil import SocketConnection

from pyrochat.pyro.wire import HEADER_BYTES

__all__ = ["FRAME_SECONDS", "Connection"]

FRAME_SECONDS = 10.0
_READ_BYTES = 65_536


class Connection(SocketConnection):  # type: ignore[misc]
    """One end of a Pyro5 connection.

    identity: whatever the daemon's handshake has bound to it; None before. detached: somebody else
    has taken the socket, and closing this object leaves it open.
    """

    def __init__(self, sock: socket.socket, objectId: str | None = None) -> None:
        super().__init__(sock, objectId)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.settimeout(FRAME_SECONDS)
        self.identity: Any = None
        self.born = time.monotonic()
        self._buffer = bytearray()
        self._deadline = 0.0

    @property
    def detached(self) -> bool:
        """Whether `detach` has been called."""
        return bool(self.keep_open)

    def detach(self) -> socket.socket:
        """Hand the socket over; whoever takes it closes it."""
        self.keep_open = True
        sock: socket.socket = self.sock
        return sock

    def has_frame(self, wait_seconds: float) -> bool:
        """Wait for the first bytes of a frame; False where none came. Raises ConnectionClosedError."""
        if not self._buffer:
            self.sock.settimeout(wait_seconds)
            try:
                self._fill(_READ_BYTES)
            except PyroTimeout:
                return False
            finally:
                self.sock.settimeout(FRAME_SECONDS)
        self._deadline = time.monotonic() + FRAME_SECONDS
        return True

    def check_header(self, serializers: Collection[int], most_bytes: int) -> None:
        """Look at the header of the next frame before its payload is read.

        Raises Pyro5's ProtocolError for another serializer than *serializers*, for compression (it is
        undone before anything is checked), and for more than *most_bytes* of payload.
        """
        while len(self._buffer) < HEADER_BYTES:
            self._check_deadline()
            self._fill(_READ_BYTES)
        header = protocol.ReceivingMessage(bytes(self._buffer[:HEADER_BYTES]))
        if header.serializer_id not in serializers:
            raise ProtocolError("only the serializers serpent, json and msgpack are accepted")
        if header.flags & protocol.FLAGS_COMPRESSED:
            raise ProtocolError("compressed messages are not accepted")
        if header.data_size + header.annotations_size > most_bytes:
            raise ProtocolError(f"a message of more than {most_bytes:,} bytes is not accepted")

    def _check_deadline(self) -> None:
        if self._deadline and time.monotonic() > self._deadline:
            raise PyroTimeout("the peer took too long over one message")

    def recv(self, size: int) -> bytes:
        """Exactly *size* bytes; raises Pyro5's TimeoutError or ConnectionClosedError."""
        buffer = self._buffer
        while len(buffer) < size:
            self._check_deadline()
            self._fill(max(size - len(buffer), _READ_BYTES))
        data = bytes(buffer[:size])
        del buffer[:size]
        return data

    def send(self, data: bytes) -> None:
        """All of *data*; raises Pyro5's TimeoutError or ConnectionClosedError."""
        try:
            self.sock.sendall(data)
        except TimeoutError:
            raise PyroTimeout("the peer does not read") from None
        except OSError as error:
            raise ConnectionClosedError(f"connection lost: {error}") from None

    def _fill(self, size: int) -> None:
        try:
            chunk = self.sock.recv(size)
        except (TimeoutError, BlockingIOError):
            raise PyroTimeout("the peer sent nothing") from None
        except OSError as error:
            raise ConnectionClosedError(f"connection lost: {error}") from None
        if not chunk:
            raise ConnectionClosedError("the peer closed the connection")
        self._buffer += chunk
