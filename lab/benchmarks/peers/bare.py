"""The floor: a server that sends what it has received to every member with `sendall`, and nothing else."""

import socket
import threading
from collections.abc import Sequence
from pathlib import Path

from lab.benchmarks.peers.interface import HOST, Handler, Peer, Sender
from lab.benchmarks.peers.lines import LineSender, connect, receive_all
from lab.benchmarks.peers.processes import start_python_server
from lab.processes import Process

_CHUNK_BYTES = 1 << 16


class Bare(Peer):
    """Lines over TCP: a member says ``member`` first and is answered, everything else is forwarded."""

    name = "floor"
    title = "bare sendall"
    remark = "forwards whatever one read returns; no id, no sender, no lock"

    def start_server(self, folder: Path) -> tuple[Process, list[int]]:
        return start_python_server("lab.benchmarks.peers.bare", folder)

    def connect_members(self, ports: Sequence[int], handlers: Sequence[Handler]) -> None:
        socks = []
        for _ in handlers:
            socks.append(connect(ports[0]))
            socks[-1].sendall(b"member\n")
            socks[-1].recv(1)
        receive_all(socks, handlers, lambda line, _: line.decode())

    def open_sender(self, ports: Sequence[int]) -> Sender:
        sock = connect(ports[0])
        sock.sendall(b"sender\n")
        sock.recv(1)
        return LineSender(sock, lambda text: f"{text}\n".encode())


def _forward(sender: socket.socket, members: list[socket.socket]) -> None:
    while chunk := sender.recv(_CHUNK_BYTES):
        for member in members:
            member.sendall(chunk)


def main() -> None:
    """Serve until killed."""
    listening = socket.create_server((HOST, 0), backlog=1024)
    print("ready", listening.getsockname()[1], flush=True)
    members: list[socket.socket] = []
    while True:
        sock, _ = listening.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        is_member = sock.recv(7) == b"member\n"
        if is_member:
            members.append(sock)
        sock.sendall(b".")
        if not is_member:
            threading.Thread(target=_forward, args=(sock, members), daemon=True).start()


if __name__ == "__main__":
    main()
