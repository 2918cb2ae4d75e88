"""What a peer has to offer, so that the same work can be measured on each.

Three processes take part: the server, one with all members, and one with the sender. Texts that
members hand to their `Handler` are counted there: end to end.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from lab.processes import Process

HOST = "127.0.0.1"
READY_SECONDS = 60.0
PROMISES = ("durable", "ordered", "confirmed", "history")
"""On disk before it is acknowledged; one order for all, whoever sends; who has received and read what;
newcomers get what was said before."""

Handler = Callable[[str], None]


class Sender(ABC):
    """One client that publishes."""

    acknowledges: ClassVar[bool] = True
    """Whether `send` waits for the server's answer."""

    @abstractmethod
    def send(self, text: str) -> None:
        """Publish one text; returns when it is acknowledged, where the peer has acknowledgements."""

    def burst(self, texts: Sequence[str]) -> None:
        """Publish *texts* as fast as this client can."""
        for text in texts:
            self.send(text)

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""


@dataclass(frozen=True, slots=True)
class Posting:
    """How many posts were acknowledged between two times of `time.monotonic_ns`."""

    posts: int
    first_ns: int
    done_ns: int


class Peer(ABC):
    """A way to bring a text from one to many. lacks: those of PROMISES that it does not keep."""

    name: ClassVar[str]
    title: ClassVar[str]
    lacks: ClassVar[tuple[str, ...]] = PROMISES
    remark: ClassVar[str] = ""

    @abstractmethod
    def start_server(self, folder: Path) -> tuple[Process, list[int]]:
        """Start a server with its files in *folder*, and wait until it is ready; returns it and its ports."""

    @abstractmethod
    def connect_members(self, ports: Sequence[int], handlers: Sequence[Handler]) -> None:
        """Connect a member for each handler, from this process; returns when all would hear a text."""

    @abstractmethod
    def open_sender(self, ports: Sequence[int]) -> Sender:
        """Connect a sender, from this process."""

    def post(self, ports: Sequence[int], senders: int, text: str, seconds: float) -> Posting:
        """As many *senders* that are not members post *text* again and again; for peers that promise durability."""
        raise NotImplementedError(f"{self.title} has no durable posts")
