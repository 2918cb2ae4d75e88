"""The course project's design: a thread a client, JSON lines over TCP, `sendall` to each, ids from a counter."""

import json
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from lab.benchmarks.peers.interface import HOST, Handler, Peer, Sender
from lab.benchmarks.peers.lines import LineSender, connect
from lab.benchmarks.peers.processes import start_python_server
from lab.processes import Process


class Course(Peer):
    """A thread for each member on both sides, as one writes it first."""

    name = "course"
    title = "threads and JSON lines"
    lacks = ("durable", "confirmed")
    remark = "one lock orders; history in memory; a member that does not read stops everybody"

    def start_server(self, folder: Path) -> tuple[Process, list[int]]:
        return start_python_server("lab.benchmarks.peers.course", folder)

    def connect_members(self, ports: Sequence[int], handlers: Sequence[Handler]) -> None:
        for number, handler in enumerate(handlers):
            sock = _join(ports[0], f"member{number}")
            threading.Thread(target=_listen, args=(sock, handler), daemon=True).start()

    def open_sender(self, ports: Sequence[int]) -> Sender:
        sock = connect(ports[0])
        sock.sendall(b'{"name": "sender", "listens": false}\n')
        sock.recv(1)
        return LineSender(sock, lambda text: json.dumps({"text": text}).encode() + b"\n")


def _join(port: int, name: str) -> socket.socket:
    sock = connect(port)
    sock.sendall(json.dumps({"name": name, "listens": True}).encode() + b"\n")
    sock.recv(1)
    return sock


def _listen(sock: socket.socket, handler: Handler) -> None:
    with sock.makefile("r", encoding="utf-8") as lines:
        for line in lines:
            handler(json.loads(line)["text"])


class ChatServer:
    """All state under one lock, which is held while a message goes to everybody."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._members: list[socket.socket] = []
        self._history: list[str] = []

    def serve(self, sock: socket.socket) -> None:
        """Take in what one client says, until it is gone."""
        with sock, sock.makefile("r", encoding="utf-8") as lines:
            greeting = json.loads(lines.readline())
            if greeting["listens"]:
                with self._mutex:
                    self._members.append(sock)
            sock.sendall(b".")
            for line in lines:
                self._publish(greeting["name"], json.loads(line)["text"])

    def _publish(self, sender: str, text: str) -> None:
        with self._mutex:
            message = {"id": len(self._history) + 1, "sender": sender, "text": text, "time": time.time()}
            line = json.dumps(message)
            self._history.append(line)
            encoded = line.encode() + b"\n"
            for member in self._members:
                member.sendall(encoded)


def main() -> None:
    """Serve until killed."""
    server = ChatServer()
    listening = socket.create_server((HOST, 0), backlog=1024)
    print("ready", listening.getsockname()[1], flush=True)
    while True:
        sock, _ = listening.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=server.serve, args=(sock,), daemon=True).start()


if __name__ == "__main__":
    main()
