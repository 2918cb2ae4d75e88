"""A client's callback connections, to be attacked: ``python -m lab.attacks.fuzzed_client``.

Serves a real callback with a replica of its own on every connection that comes to the port which it prints.
"""

import socket
import sys

from pyrochat.client.callback import Callback
from pyrochat.client.reading import Reading
from pyrochat.client.replica import Replica
from pyrochat.client.unnumbered import Unnumbered
from pyrochat.pyro.callbacks import CallbackServer, Served
from pyrochat.values.protocol import CALLBACK_OBJECT

_SILENT_SECONDS = 5.0


def serve(listening: socket.socket) -> None:
    """Serve whoever comes, until *listening* is closed."""
    server = CallbackServer.of_this_process()
    while True:
        try:
            sock, _ = listening.accept()
        except OSError:
            return
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as on the connections that clients make
        replica = Replica("lobby")
        callback = Callback(
            replica, Reading(replica, "fuzzed"), "a log", bytes(32), _pass_over, _pass_over, _pass_over,
            Unnumbered(replica, lambda messages, after: None), _pass_over,
        )  # fmt: skip
        server.serve(Served(sock, callback, CALLBACK_OBJECT, _SILENT_SECONDS, _pass_over))


def _pass_over(said: object) -> None:
    """Nobody listens."""


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        sys.stdout.write(f"ready {listening.getsockname()[1]}\n")
        sys.stdout.flush()
        serve(listening)
