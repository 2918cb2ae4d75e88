"""Pyro5 in the style of its chatbox example: a oneway call for each message and member."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import Pyro5.api
import Pyro5.errors

from benchmarks.peers.interface import HOST, Handler, Peer, Sender
from benchmarks.peers.processes import start_python_server
from faults.processes import Process

__all__ = ["ChatBox"]

OBJECT = "chatbox"
_THREADS = 4000


class ChatBox(Peer):
    """All members' callback objects are in one multiplexing daemon: a pool of 1,000 threads would be slower."""

    name = "chatbox"
    title = "(b) Pyro5 chatbox"
    remark = "oneway: a thread for each call at the member, errors are lost"

    def start_server(self, folder: Path) -> tuple[Process, list[int]]:
        return start_python_server("benchmarks.peers.chatbox", folder)

    def connect_members(self, ports: Sequence[int], handlers: Sequence[Handler]) -> None:
        Pyro5.api.config.SERVERTYPE = "multiplex"
        daemon = Pyro5.api.Daemon(host=HOST)
        uris = [daemon.register(Member(handler)) for handler in handlers]
        threading.Thread(target=daemon.requestLoop, name="callbacks", daemon=True).start()
        with Pyro5.api.Proxy(f"PYRO:{OBJECT}@{HOST}:{ports[0]}") as box:
            for number, uri in enumerate(uris):
                box.join(f"member{number}", str(uri))

    def open_sender(self, ports: Sequence[int]) -> Sender:
        return _ChatBoxSender(Pyro5.api.Proxy(f"PYRO:{OBJECT}@{HOST}:{ports[0]}"))


class Member:
    """A member's callback object."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    @Pyro5.api.expose
    @Pyro5.api.oneway
    def message(self, nick: str, text: str) -> None:
        """Show *text*."""
        self._handler(text)


class _ChatBoxSender(Sender):
    def __init__(self, box: Pyro5.api.Proxy) -> None:
        self._box = box

    def send(self, text: str) -> None:
        self._box.publish("sender", text)

    def close(self) -> None:
        self._box._pyroRelease()


@Pyro5.api.expose
class Box:
    """The chat box: a list of members, called one after another."""

    def __init__(self) -> None:
        self._members: list[tuple[str, Pyro5.api.Proxy]] = []
        self._members_mutex = threading.Lock()

    def join(self, nick: str, uri: str) -> None:
        """Become a member."""
        proxy = Pyro5.api.Proxy(uri)
        proxy._pyroBind()
        with self._members_mutex:
            self._members.append((nick, proxy))

    def publish(self, nick: str, text: str) -> None:
        """Call every member; who fails is dropped."""
        with self._members_mutex:
            for member in list(self._members):
                member[1]._pyroClaimOwnership()
                try:
                    member[1].message(nick, text)
                except Pyro5.errors.CommunicationError:
                    self._members.remove(member)


def main() -> None:
    """Serve until killed."""
    Pyro5.api.config.THREADPOOL_SIZE = _THREADS
    daemon = Pyro5.api.Daemon(host=HOST)
    daemon.register(Box(), OBJECT)
    print("ready", int(daemon.locationStr.rpartition(":")[2]), flush=True)
    daemon.requestLoop(lambda: time.monotonic() > 0)


if __name__ == "__main__":
    main()
