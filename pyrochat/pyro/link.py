"""A link: the room's end of a connection on which it calls a client's callback. Never blocks.

One request that has an answer is under way at a time; oneway calls may follow it. Bytes that the socket doesn't
take are kept as a view into the shared frame, not as a copy.
"""

import socket

from Pyro5 import protocol
from Pyro5.errors import ProtocolError

from pyrochat.core.peers import peer_of
from pyrochat.pyro.connection import WOULD_BLOCK, address_of, reset, shut_down
from pyrochat.pyro.frames import FrameReader
from pyrochat.pyro.serializers import ValueBounds, decode_value
from pyrochat.values.errors import InvalidArgument

MAX_REPLY_BYTES = 4096
_REPLY_BOUNDS = ValueBounds(values=16, depth=2)  # ``[delivered, read]``, and whatever lists grow at their end
_READ_BYTES = 16_384  # one record of TLS: nothing of it stays behind where no selector sees it
_NOTHING = memoryview(b"")


class LinkBroken(Exception):
    """The link is of no use any more: closed, reset, or the client answered what no client of ours does."""


class Link:
    """A non-blocking connection to the callback object *object_id*, spoken to in *serializer_id*."""

    __slots__ = ("_reader", "closed", "object_id", "peer", "serializer_id", "sock", "unsent")

    def __init__(self, sock: socket.socket, object_id: str, serializer_id: int) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.peer = peer_of(address_of(sock))
        self.closed = False
        self.object_id = object_id
        self.serializer_id = serializer_id
        self.unsent = _NOTHING  # of the request: the socket has to become writable before that is out
        self._reader = FrameReader(MAX_REPLY_BYTES)

    def send(self, frame: bytes) -> None:
        """Send as much of *frame* as the socket takes; the rest goes with `flush`. Raises LinkBroken."""
        assert not self.unsent
        if (size := self._send(frame)) < len(frame):
            self.unsent = memoryview(frame)[size:]

    def flush(self) -> None:
        """Send more of what is unsent; raises LinkBroken."""
        while self.unsent and (size := self._send(self.unsent)):
            self.unsent = self.unsent[size:]

    def _send(self, data: bytes | memoryview) -> int:
        """How many bytes of *data* the socket has taken."""
        try:
            return self.sock.send(data)
        except WOULD_BLOCK:
            return 0
        except OSError as error:
            raise LinkBroken(str(error)) from None

    def receive(self) -> tuple[object] | None:
        """The answer to the request, in a tuple of one, when all of it is here; None before. Raises LinkBroken."""
        try:
            chunk = self.sock.recv(_READ_BYTES)
            if not chunk:
                raise LinkBroken("closed by the client")
            self._reader.feed(chunk)
            reply = self._reader.next()
            if reply is None:
                return None
            if reply.type != protocol.MSG_RESULT or self._reader.has_begun:
                raise LinkBroken("not the one answer that was expected")
            if reply.flags & protocol.FLAGS_EXCEPTION:  # never rebuild what a member sends as an exception
                raise LinkBroken("the callback failed")
            return (decode_value(reply.payload, reply.serializer_id, _REPLY_BOUNDS),)
        except WOULD_BLOCK:
            return None
        except (OSError, ProtocolError, InvalidArgument) as error:
            raise LinkBroken(str(error)) from None

    def abort(self) -> None:
        """End the connection from any thread: whoever sends on it notices."""
        reset(self.sock)

    def close(self) -> None:
        """Close the socket. Idempotent."""
        self.closed = True
        shut_down(self.sock)
        self.sock.close()
