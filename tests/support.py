"""What the tests share: waiting for conditions, threads that start together, bare Pyro5 clients."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from Pyro5.api import Proxy

from lab.ports import free_port as free_port
from pyrochat import Chat, Server, Timing
from pyrochat.client.credentials import Credentials
from pyrochat.client.finding import AtAddress
from pyrochat.client.known import KnownServers
from pyrochat.core.pace import Pace
from pyrochat.core.rates import DEFAULT_RATE, rate_of
from pyrochat.core.space import PEER_BYTES, ROOM_BYTES, Storage
from pyrochat.folders import key_file, known_servers_file, server_key_file
from pyrochat.room.door.door import Access
from pyrochat.trust.keys import Key
from pyrochat.values.message import CHAT, JOINED, LEFT, SYSTEM, Message
from pyrochat.values.sizes import parse_size

QUICK_PACE = Pace(tick_seconds=0.02, alone_seconds=0.7)  # a server's end costs the suite little
QUICK = Timing(beat_seconds=0.2, silent_seconds=1.0, grace_seconds=1.0)
SERIALIZER_NAMES = ["serpent", "json", "msgpack"]

Result = TypeVar("Result")
Kind = TypeVar("Kind")


def hosted(
    data: str | Path, *, password: str | None = None, guests: bool = True, new_rooms: str = "nobody",
    rate: float = DEFAULT_RATE, room_bytes: int | str = ROOM_BYTES, peer_bytes: int | str = PEER_BYTES,
    disk_reserve: int | str | None = None, **options: Any,
) -> Server:  # fmt: skip
    """What ``pyrochat.host("lobby", …)`` makes of its options, with a quick pace, or another that is among *options*."""
    reserve = None if disk_reserve is None else parse_size(disk_reserve, "disk_reserve")
    storage = Storage(parse_size(room_bytes, "room_bytes"), parse_size(peer_bytes, "peer_bytes"), reserve)
    given = {
        "access": Access(password, guests, new_rooms), "rate": rate_of(rate), "storage": storage,
        "key_file": server_key_file(), "pace": QUICK_PACE,
    }  # fmt: skip
    return Server(["lobby"], Path(data), **given | options)


def impatient_chat(server: Server, name: str, read: str = "auto") -> Chat:
    """*name* in the room of *server*; its `leave` waits 0.2 s where others wait seconds."""
    credentials = Credentials(name, Key.kept_at(key_file()), None)
    finder = AtAddress(server.at, "lobby", credentials, KnownServers(known_servers_file()), None)
    chat = Chat(name, "lobby", finder, credentials, read, QUICK, flush_seconds=0.2, parting_seconds=0.2)
    chat._open(None)
    return chat


def eventually(condition: Callable[[], Result], timeout: float = 20, message: str | Callable[[], str] = "") -> Result:
    """The first true value of *condition*; raises AssertionError where there is none within *timeout* s.

    message: what it says then; a function says how things are by then.
    """
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    while not (value := condition()):
        if time.monotonic() > deadline:
            said = message() if callable(message) else message
            raise AssertionError(said or f"not within {timeout:g} s: {getattr(condition, '__name__', condition)}")
        pause.wait(0.005)
    return value


class Running:
    """A function in a thread; `result` waits for it and raises what it raised."""

    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function
        self._value: object = None
        self._error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=True, name="test")
        self.thread.start()

    def _run(self) -> None:
        try:
            self._value = self._function()
        except BaseException as error:
            self._error = error

    @property
    def is_done(self) -> bool:
        return not self.thread.is_alive()

    def result(self, timeout: float = 20) -> object:
        self.thread.join(timeout)
        assert self.is_done, f"still running after {timeout:g} s"
        if self._error is not None:
            raise self._error
        return self._value


def together(functions: Sequence[Callable[[], object]]) -> list[object]:
    """Run *functions* at the same time, each in a thread; their results, in order."""
    start = threading.Barrier(len(functions))

    def begin(function: Callable[[], object]) -> object:
        start.wait(20)
        return function()

    running = [Running(lambda function=function: begin(function)) for function in functions]
    return [each.result(60) for each in running]


def bare(server: Server, name: str | None, serializer: str = "serpent", room: str = "lobby", **more: object) -> Proxy:
    """A stock Pyro5 proxy for *room*, greeting as *name* (None: as nobody)."""
    proxy = Proxy(server.uri(room))
    proxy._pyroSerializer = serializer
    if name is not None:
        proxy._pyroHandshake = {"name": name, **more}
    return proxy


def copied(data: Path, to: Path) -> Path:
    """A copy of a data folder as it is on disk, without the socket of the server that runs there."""
    shutil.copytree(data, to, ignore=shutil.ignore_patterns("*.sock"))
    return to


def address_of(server: Server) -> tuple[str, int]:
    host, _, port = server.at.rpartition(":")
    return host.strip("[]"), int(port)


@contextlib.contextmanager
def raw_connection(server: Server) -> Iterator[socket.socket]:
    """A TCP connection to *server* on which nothing has been said."""
    with socket.create_connection(address_of(server), 5) as sock:
        yield sock


SALT = "a-salt-of-1"  # 11 characters


def chat_message(id: int, text: str = "hi", sender: str = "Erick", key: str | None = None) -> Message:
    return Message(id, "lobby", sender, text, 1_700_000_000_000_000 + id, CHAT, key, proof=SALT)


def joined_message(id: int, name: str) -> Message:
    return Message(id, "lobby", name, f"{name} {JOINED}", 1_700_000_000_000_000 + id, SYSTEM, change=JOINED, proof=SALT)


def left_message(id: int, name: str) -> Message:
    return Message(id, "lobby", name, f"{name} {LEFT}", 1_700_000_000_000_000 + id, SYSTEM, change=LEFT, proof=SALT)


def texts(messages: Sequence[Message], kind: str = CHAT) -> list[str]:
    return [message.text for message in messages if message.kind == kind]


def changes(messages: Sequence[Message]) -> list[str]:
    """The changes of membership, as their texts."""
    return texts(messages, SYSTEM)


def stumbling(base: type[Kind], method: str, times: int = 1, error: BaseException | None = None) -> type[Kind]:
    """A *base* whose *method* raises *error*, which nobody has thought of, the first so many *times* that it is called.

    Its attribute `stumbles` says how often it has.
    """
    error = error or KeyError("a defect")

    def stumble(self: Any, *arguments: Any, **keywords: Any) -> Any:
        if made.stumbles < times:
            made.stumbles += 1
            raise error
        return getattr(super(made, self), method)(*arguments, **keywords)

    made: Any = type(f"Stumbling{base.__name__}", (base,), {method: stumble, "stumbles": 0})
    return made
