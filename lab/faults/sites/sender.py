"""Members at one site, as a process: ``python -m lab.faults.sites.sender FILE HOST:PORT EVERY NAME…``.

Each sends texts, EVERY seconds one, that answer the newest text of somebody else that it was shown: ``ana-7 after igor-3``. FILE gets a line
of JSON for each text that was sent (`Sent`) or shown to the first member (`Shown`), as it happens. A line of input ends the sending;
it says ``done`` then, and ends with its input.
"""

import json
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

from lab.faults.sites.site import ROOM
from pyrochat import Chat, Message, PyroChatError, SendTimeout, join

_TIMEOUT_SECONDS = 45.0
_AGAIN_SECONDS = 0.2


class Sent(NamedTuple):
    """begun, ended: `time.monotonic()`. fate: "ok", "unknown", or "no"."""

    text: str
    begun: float
    ended: float
    fate: str


class Shown(NamedTuple):
    """at: `time.monotonic()`."""

    text: str
    at: float


class Notes:
    """The file *path*."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)
        self._mutex = threading.Lock()

    def write(self, note: Sent | Shown) -> None:
        """Put *note* at the end."""
        with self._mutex:
            self._file.write(json.dumps(note) + "\n")


class Sender:
    """A member. shows: whether what it is shown is noted."""

    def __init__(self, name: str, at: str, every: float, notes: Notes, shows: bool, ended: threading.Event) -> None:
        self._name, self._at, self._every, self._notes, self._ended = name, at, every, notes, ended
        self._shows = shows
        self._mutex = threading.Lock()  # guards the next two
        self._seen: set[str] = set()
        self._newest = "nothing"
        self._count = 0
        self.thread = threading.Thread(target=self._live, daemon=True)
        self.thread.start()

    def _joined(self) -> Chat | None:
        while not self._ended.is_set():
            try:
                return join(self._name, ROOM, at=self._at)
            except PyroChatError as error:
                print(f"{self._name}: {error}", file=sys.stderr)
                self._ended.wait(_AGAIN_SECONDS)
        return None

    def _live(self) -> None:
        while not self._ended.is_set():
            chat = self._joined()
            if chat is None:
                return
            chat.on_message(self._see)
            for message in chat.history():
                self._see(message)
            try:
                while not self._ended.wait(self._every):
                    self._send(chat)
            except PyroChatError as error:  # this chat has ended: the next one
                print(f"{self._name}: {error}", file=sys.stderr)

    def _see(self, message: Message) -> None:
        with self._mutex:
            if message.kind != "chat" or message.text in self._seen:
                return
            self._seen.add(message.text)
            if self._shows:
                self._notes.write(Shown(message.text, time.monotonic()))
            if message.sender != self._name:
                self._newest = message.text.partition(" ")[0]

    def _send(self, chat: Chat) -> None:
        self._count += 1
        text = f"{self._name}-{self._count} after {self._newest}"
        begun, fate = time.monotonic(), "no"
        try:
            chat.send(text, timeout=_TIMEOUT_SECONDS)
            fate = "ok"
        except SendTimeout:
            fate = "unknown"
        except PyroChatError:
            fate = "unknown"
            raise
        finally:
            self._notes.write(Sent(text, begun, time.monotonic(), fate))


if __name__ == "__main__":
    _, _path, _at, _every, *_names = sys.argv
    _notes, _ended = Notes(Path(_path)), threading.Event()
    _senders = [Sender(name, _at, float(_every), _notes, n == 0, _ended) for n, name in enumerate(_names)]
    sys.stdin.readline()
    _ended.set()
    for _sender in _senders:
        _sender.thread.join()
    print("done", flush=True)
    sys.stdin.read()
