"""A link: the room's end of a connection on which it calls a client's callback. Never blocks.

One request is under way at a time. Bytes that the socket doesn't take are kept as a view into the
shared frame, not as a copy.
"""

from __future__ import annotations

import socket

from Pyro5 import errors as pyro_errors
from Pyro5 import protocol

from pyrochat.pyro.wire import HEADER_BYTES, decode_value
from pyrochat.values.errors import InvalidArgument

__all__ = ["Link", "LinkBroken"]

MAX_REPLY_BYTES = 4096
_NOTHING = memoryview(b"")


class LinkBroken(Exception):
    """The link is of no use any more: closed, reset, or the client answered what no client of ours does."""


class Link:
    """A non-blocking connection to the callback object *object_id*, spoken to in *serializer_id*."""

    __slots__ = ("_received", "_unsent", "object_id", "serializer_id", "sock")

    def __init__(self, sock: socket.socket, object_id: str, serializer_id: int) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.object_id = object_id
        self.serializer_id = serializer_id
        self._unsent = _NOTHING
        self._received = b""

    @property
    def has_unsent(self) -> bool:
        """Whether the socket has to become writable before the request is out."""
        return bool(self._unsent)

    def send(self, frame: bytes) -> None:
        """Send as much of *frame* as the socket takes; the rest goes with `flush`. Raises LinkBroken."""
        assert not self._unsent
        self._unsent = memoryview(frame)
        self.flush()

    def flush(self) -> None:
        """Send more of what is unsent; raises LinkBroken."""
        try:
            while self._unsent:
                self._unsent = self._unsent[self.sock.send(self._unsent) :]
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            raise LinkBroken(str(error)) from None

    def receive(self) -> tuple[object] | None:
        """The answer to the request, in a tuple of one, when all of it is here; None before. Raises LinkBroken."""
        try:
            chunk = self.sock.recv(MAX_REPLY_BYTES)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise LinkBroken(str(error)) from None
        if not chunk:
            raise LinkBroken("closed by the client")
        data = self._received + chunk if self._received else chunk
        if len(data) < HEADER_BYTES:
            self._received = data
            return None
        try:
            reply = protocol.ReceivingMessage(data[:HEADER_BYTES])
        except pyro_errors.PyroError as error:
            raise LinkBroken(str(error)) from None
        start = HEADER_BYTES + reply.annotations_size
        end = start + reply.data_size
        if end > MAX_REPLY_BYTES or reply.type != protocol.MSG_RESULT or reply.flags & protocol.FLAGS_COMPRESSED:
            raise LinkBroken("an answer that is none")
        if len(data) < end:
            self._received = data
            return None
        self._received = b""
        if len(data) > end:
            raise LinkBroken("more than one answer")
        if reply.flags & protocol.FLAGS_EXCEPTION:  # never rebuild what a member sends as an exception
            raise LinkBroken("the callback failed")
        try:
            return (decode_value(data[start:end], reply.serializer_id),)
        except InvalidArgument as error:
            raise LinkBroken(str(error)) from None

    def close(self) -> None:
        """Close the socket. Idempotent."""
        self.sock.close()
