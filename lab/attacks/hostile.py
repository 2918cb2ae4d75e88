"""A server that shows its key as it should, and then says to its clients whatever it is told to say.

It is a real server whose daemon intercepts: what is not named in `answers` is served by the room itself.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from Pyro5 import errors as pyro_errors
from Pyro5 import protocol

from lab.attacks.wire import PATIENCE_SECONDS, Attacked, Stranger
from pyrochat.pyro.connection import Connection
from pyrochat.pyro.daemon import Daemon
from pyrochat.pyro.dispatch import Pending
from pyrochat.pyro.embedded import EmbeddedNameServer
from pyrochat.pyro.frames import Frame, whole_frame
from pyrochat.pyro.serializers import MSGPACK, ValueBounds, decode_call, encode_value
from pyrochat.room.server import Server

_BOUNDS = ValueBounds(1 << 20, 100)


class Said(NamedTuple):
    """An answer as it goes on the wire."""

    payload: bytes
    serializer: int = MSGPACK
    flags: int = 0
    kind: int = protocol.MSG_RESULT


Answer = Callable[[Sequence[Any]], Said | None]
"""Makes the answer to a call from its arguments; None lets the room answer."""


def said(value: object, serializer: int = MSGPACK) -> Answer:
    """*value*, whatever is asked."""
    return lambda arguments: Said(encode_value(value, serializer), serializer)


def refused(text: object, serializer: int = MSGPACK) -> Answer:
    """The refusal that *text* is the text of."""
    error = {"__class__": "RuntimeError", "__exception__": True, "args": [text], "attributes": {}}
    return lambda arguments: Said(encode_value(error, serializer), serializer, protocol.FLAGS_EXCEPTION)


class _HostileDaemon(Daemon):
    """Answers as its owner says."""

    hostile: HostileServer | HostileNameServer

    def greet(self, connection: Connection, frame: Frame) -> None:
        """Answer a newcomer: as told, or as the room would."""
        said = self._said("greeting", [])
        if said is None:
            super().greet(connection, frame)
            return
        connection.identity, connection.settled = "somebody", True
        self._say(connection, frame, said._replace(kind=protocol.MSG_CONNECTOK))

    def is_quick(self, frame: Frame) -> bool:
        """Nothing is: an answer may be large."""
        return False

    def serve(self, connection: Connection, frame: Frame) -> Pending | None:
        """Answer a call: as told, or as the room would."""
        call = decode_call(frame.payload, frame.serializer_id, _BOUNDS)
        self.hostile.calls.append(call.method)
        if call.method == "attach" and isinstance(self.hostile, HostileServer):
            deliver = self.hostile.choose_deliver()
            if deliver is not None:
                self.hostile.take(connection, deliver)
                raise pyro_errors.ConnectionClosedError("turned around")
        said = self._said(call.method, call.arguments)
        if said is None:
            return super().serve(connection, frame)
        self._say(connection, frame, said)
        return None

    def _said(self, method: str, arguments: Sequence[Any]) -> Said | None:
        answer = self.hostile.answers.get(method)
        return None if answer is None else answer(arguments)

    @staticmethod
    def _say(connection: Connection, frame: Frame, said: Said) -> None:
        connection.post(whole_frame(said.kind, said.payload, said.serializer, frame.sequence, said.flags))


class HostileServer(Server):
    """A server of the room "lobby" with its log in *data*. calls: the methods that were called, in order.

    answers: by method ("greeting" for the handshake), in place of the room's own. deliver: given the room's end of each
    connection that a client turns around, in a thread of its own; None lets the room deliver.
    """

    def __init__(
        self, data: Path, answers: dict[str, Answer] | None = None, deliver: Callable[[Stranger], None] | None = None,
        **options: Any,
    ) -> None:  # fmt: skip
        self.answers = {} if answers is None else answers
        self.deliver = deliver
        self.calls: list[str] = []
        self._threads: list[threading.Thread] = []
        super().__init__(["lobby"], data, **({"nameserver": False} | options))

    def _start_daemon(
        self, host: str, port: int, advertise: str | None, descriptor_limit: int, tls: ssl.SSLContext | None
    ) -> Daemon:
        daemon = super()._start_daemon(host, port, advertise, descriptor_limit, tls)
        daemon.hostile = self  # type: ignore[attr-defined]
        daemon.__class__ = _HostileDaemon  # made by the server itself, which knows no other
        return daemon

    def choose_deliver(self) -> Callable[[Stranger], None] | None:
        """Who delivers to the client that turns its connection around now; None: the room."""
        return self.deliver

    def take(self, connection: Connection, deliver: Callable[[Stranger], None]) -> None:
        """The client at the other end of *connection* serves its callback there now: *deliver* to it."""
        sock = connection.detach()
        sock.setblocking(True)
        sock.settimeout(PATIENCE_SECONDS)
        peer = Stranger.__new__(Stranger)
        peer.sock = sock

        def run() -> None:
            with peer, contextlib.suppress(OSError, Attacked):
                deliver(peer)
                peer.wait_end()

        thread = threading.Thread(target=run, name="hostile-delivery", daemon=True)
        self._threads.append(thread)
        thread.start()

    def close(self, farewell: str = "the server has been stopped") -> None:
        """See `Server`."""
        super().close(farewell)
        for thread in self._threads:
            thread.join(5.0)


class HostileNameServer:
    """A name server on *port* of loopback. answers: by method, in place of its own. A context manager."""

    def __init__(self, port: int, answers: dict[str, Answer]) -> None:
        self.answers = answers
        self.calls: list[str] = []
        self._server = EmbeddedNameServer("localhost", port)
        daemon: Any = self._server._daemon
        daemon.hostile = self
        daemon.__class__ = _HostileDaemon

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()
