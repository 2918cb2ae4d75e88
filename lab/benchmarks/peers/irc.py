"""ngircd with raw sockets: one channel, PRIVMSG lines, no flood limits."""

import socket
import threading
from collections.abc import Sequence
from pathlib import Path

from lab.benchmarks.peers.interface import HOST, Handler, Peer, Sender
from lab.benchmarks.peers.lines import LineSender, connect, receive_all
from lab.benchmarks.peers.processes import start_listening
from lab.ports import free_port
from lab.processes import Process

CHANNEL = "#lobby"
_WINDOW = 50  # ngircd drops a client for which more than 64 KiB wait in the server

_CONFIGURATION = """\
[Global]
Name = irc.benchmark.local
Info = benchmark
Listen = {host}
Ports = {port}
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxJoins = 0
MaxNickLength = 30
MaxPenaltyTime = 0
PingTimeout = 600
[Options]
PAM = no
DNS = no
Ident = no
"""


class Irc(Peer):
    """Members are read by one selector thread; the sender waits for a PONG after every 50 lines."""

    name = "ngircd"
    title = "ngircd"
    lacks = ("durable", "confirmed", "history")
    remark = "penalties off; drops whoever has 64 KiB waiting, so the sender waits for a PONG after every 50 lines"

    def start_server(self, folder: Path) -> tuple[Process, list[int]]:
        port = free_port()
        configuration = folder / "ngircd.conf"
        configuration.write_text(_CONFIGURATION.format(host=HOST, port=port))
        folder.chmod(0o755)  # started by root, ngircd becomes another user
        return start_listening(["ngircd", "--nodaemon", "--config", str(configuration)], port, folder), [port]

    def connect_members(self, ports: Sequence[int], handlers: Sequence[Handler]) -> None:
        socks = [_join(ports[0], f"member{number}") for number in range(len(handlers))]
        receive_all(socks, handlers, _text_in)

    def open_sender(self, ports: Sequence[int]) -> Sender:
        return _IrcSender(_join(ports[0], "sender"))


def _join(port: int, nick: str) -> socket.socket:
    sock = connect(port)
    sock.sendall(f"NICK {nick}\r\nUSER {nick} 0 * :{nick}\r\nJOIN {CHANNEL}\r\n".encode())
    _read_until(sock, b" 366 ")  # the end of the names in the channel
    return sock


def _read_until(sock: socket.socket, part: bytes) -> None:
    seen = b""
    while part not in seen:
        chunk = sock.recv(1 << 16)
        if not chunk:
            raise ConnectionError("ngircd has closed the connection")
        seen = seen[-len(part) :] + chunk


def _text_in(line: bytes, sock: socket.socket) -> str | None:
    if line.startswith(b"PING"):
        sock.sendall(b"PONG" + line[4:] + b"\n")
        return None
    _, command, rest = line.split(b" ", 2)
    return rest.partition(b" :")[2].rstrip(b"\r").decode() if command == b"PRIVMSG" else None


class _IrcSender(LineSender):
    acknowledges = False

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock, lambda text: f"PRIVMSG {CHANNEL} :{text}\r\n".encode())
        self._pong_mutex = threading.Lock()

    def burst(self, texts: Sequence[str]) -> None:
        for start in range(0, len(texts), _WINDOW):
            lines = [self._line_of(text) for text in texts[start : start + _WINDOW]]
            with self._pong_mutex:
                self._sock.sendall(b"".join([*lines, b"PING :window\r\n"]))
                _read_until(self._sock, b" PONG ")
