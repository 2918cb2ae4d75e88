"""PyroChat as it is shipped: the `pyrochat-server` process, `join()` and `Chat`."""

import functools
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

from lab.benchmarks.peers.interface import HOST, Handler, Peer, Posting, Sender
from lab.benchmarks.peers.posting import post_in_threads
from lab.place import Place, script
from lab.processes import Process
from pyrochat import Chat, Message, join
from pyrochat.client import session
from pyrochat.client.callback import Callback
from pyrochat.client.reading import AUTO, MANUAL
from pyrochat.pyro.dispatch import expose
from pyrochat.pyro.remote import RemoteObject
from pyrochat.values.message import CHAT
from pyrochat.values.protocol import room_object

ROOM = "lobby"
EMPTY_OBJECT = "benchmark.empty"

_TEXTS_A_CALL = 1000
_JOINS_AT_ONCE = 16
_CALL_SECONDS = 60.0


@functools.cache
def _unlimited() -> list[str]:
    """The option that lifts the rate limit, where the server has one."""
    help_text = subprocess.run([script("pyrochat-server"), "--help"], capture_output=True, text=True, check=True).stdout
    return ["--rate", "0"] if "--rate" in help_text else []


def _start_server(folder: Path, command: Sequence[str] = ()) -> tuple[Process, list[int]]:
    """Start a server on the data in *folder*/data; command: instead of the shipped one."""
    place = Place("benchmark", folder)
    return place.start_server(*_unlimited(), rooms=[ROOM], command=command), [place.port]


def _texts_to(handler: Handler) -> Callable[[Message], None]:
    def handle(message: Message) -> None:
        if message.kind == CHAT:
            handler(message.text)

    return handle


def _join_all(port: int, handlers: Sequence[Handler], read: str) -> list[Chat]:
    """Join a few at a time; the handlers are set when all are there, or they would see a million joins.

    A chat that nobody holds leaves.
    """

    def join_as(number: int) -> Chat:
        return join(f"member{number}", ROOM, at=f"{HOST}:{port}", read=read)

    with ThreadPoolExecutor(_JOINS_AT_ONCE) as pool:
        chats = list(pool.map(join_as, range(len(handlers))))
    for chat, handler in zip(chats, handlers, strict=True):
        chat.on_message(_texts_to(handler))
    return chats


class _ChatSender(Sender):
    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    def send(self, text: str) -> None:
        self._chat.send(text)

    def burst(self, texts: Sequence[str]) -> None:
        for start in range(0, len(texts), _TEXTS_A_CALL):
            self._chat.send_many(texts[start : start + _TEXTS_A_CALL])

    def close(self) -> None:
        self._chat.leave()


class _Poster(Sender):
    """A connection that only calls: one method of one object, with a text and an ordered key."""

    def __init__(self, port: int, number: int, object_id: str) -> None:
        self._prefix = f"{time.time_ns() // 1_000_000:011x}p{number:04d}"
        handshake = {"name": self._prefix}  # new each time: the last connection may hold its name for a moment
        self._remote = RemoteObject((HOST, port), object_id, handshake, timeout=_CALL_SECONDS)
        self._counter = 0

    def send(self, text: str) -> None:
        self._counter += 1
        self._remote.call("post", text, f"{self._prefix}-{self._counter:08x}")

    def close(self) -> None:
        self._remote.close()


class PyroChat(Peer):
    """The contestant: default settings, but without a rate limit."""

    name = "pyrochat"
    title = "PyroChat"
    lacks: ClassVar[tuple[str, ...]] = ()
    remark = '`on_message` handlers, read="auto": every message is confirmed as delivered and read'
    post_object = room_object(ROOM)

    def start_server(self, folder: Path) -> tuple[Process, list[int]]:
        return _start_server(folder)

    def connect_members(self, ports: Sequence[int], handlers: Sequence[Handler]) -> None:
        self._members = _join_all(ports[0], handlers, AUTO)

    def open_sender(self, ports: Sequence[int]) -> Sender:
        return _ChatSender(join("sender", ROOM, at=f"{HOST}:{ports[0]}"))

    def post(self, ports: Sequence[int], senders: int, text: str, seconds: float) -> Posting:
        return post_in_threads(lambda number: _Poster(ports[0], number, self.post_object), senders, text, seconds)


class _SilentCallback(Callback):
    """Takes deliveries, and answers each as if nothing had been delivered or read."""

    @expose
    def deliver(self, messages: list[list[object]], marks: list[list[object]]) -> list[int]:
        super().deliver(messages, marks)
        return [0, 0]


class UnconfirmedPyroChat(PyroChat):
    """The same with members that never move a mark, so that the server has none to store or to announce."""

    name = "pyrochat-unconfirmed"
    title = "PyroChat, never marking"
    lacks = ("confirmed",)
    remark = 'read="manual", and the callback answers [0, 0]'

    def connect_members(self, ports: Sequence[int], handlers: Sequence[Handler]) -> None:
        session.Callback = _SilentCallback  # type: ignore[attr-defined]
        self._members = _join_all(ports[0], handlers, MANUAL)


class EmptyMethod(PyroChat):
    """The same daemon with an object whose `post` does nothing; both can be called on one server."""

    name = "empty-method"
    title = "the same daemon's empty method"
    lacks = ("durable", "ordered", "confirmed", "history")
    remark = "takes the same text and key, and returns None"
    post_object = EMPTY_OBJECT

    def start_server(self, folder: Path) -> tuple[Process, list[int]]:
        return _start_server(folder, [sys.executable, "-m", "lab.benchmarks.peers.empty_method"])


class UnindexedPyroChat(PyroChat):
    """The same without a search index."""

    name = "pyrochat-unindexed"
    title = "PyroChat without a search index"
    remark = "its rooms can't be searched"

    def start_server(self, folder: Path) -> tuple[Process, list[int]]:
        return _start_server(folder, [sys.executable, "-m", "lab.benchmarks.peers.unindexed"])
