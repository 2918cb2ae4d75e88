"""Members and senders of the peers that speak lines over bare TCP."""

import selectors
import socket
import threading
from collections.abc import Callable, Sequence

from lab.benchmarks.peers.interface import HOST, Handler, Sender

_CHUNK_BYTES = 1 << 16


def connect(port: int) -> socket.socket:
    """A connection to *port* that sends without delay."""
    sock = socket.create_connection((HOST, port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def receive_all(
    socks: Sequence[socket.socket], handlers: Sequence[Handler], take: Callable[[bytes, socket.socket], str | None]
) -> None:
    """Receive on all *socks* in one thread; take: called with each line, returns the text in it, if any."""
    threading.Thread(target=_receive, args=(socks, handlers, take), name="receive", daemon=True).start()


def _receive(
    socks: Sequence[socket.socket], handlers: Sequence[Handler], take: Callable[[bytes, socket.socket], str | None]
) -> None:
    selector = selectors.DefaultSelector()
    for sock, handler in zip(socks, handlers, strict=True):
        selector.register(sock, selectors.EVENT_READ, (sock, handler))
    rests: dict[int, bytes] = {}
    while selector.get_map():
        for key, _ in selector.select():
            sock, handler = key.data
            try:
                chunk = sock.recv(_CHUNK_BYTES)
            except ConnectionError:
                chunk = b""
            if not chunk:
                selector.unregister(sock)
                continue
            *lines, rests[key.fd] = (rests.get(key.fd, b"") + chunk).split(b"\n")
            for line in lines:
                if (text := take(line, sock)) is not None:
                    handler(text)


class LineSender(Sender):
    """Sends each text as a line; threads take turns."""

    acknowledges = False

    def __init__(self, sock: socket.socket, line_of: Callable[[str], bytes]) -> None:
        self._sock = sock
        self._line_of = line_of
        self._sock_mutex = threading.Lock()

    def send(self, text: str) -> None:
        line = self._line_of(text)
        with self._sock_mutex:
            self._sock.sendall(line)

    def close(self) -> None:
        self._sock.close()
