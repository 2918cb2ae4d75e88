"""A recording client process: members that send unique texts and write down all that they are told.

``python -m lab.faults.recorder --folder DIR --room lobby --at HOST:PORT --life 1 ana bo``

Commands come on standard input, one a line, and are answered on standard output, one JSON object a line:

- ``status``: where every member of this process stands
- ``pause``, ``go``: stop sending (what is under way is waited for), begin again
- ``settle ID``: wait until every replica has message ID, close the files
- ``leave``: leave the room, close the files, exit. At the end of input it exits at once.

Whatever ends it, what was told to it before is in its files: see `events`.
"""

import argparse
import contextlib
import faulthandler
import json
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

from lab.faults.events import (
    FAILED,
    OK,
    UNKNOWN,
    Closed,
    Confirmed,
    Delivered,
    EventFile,
    Joined,
    MarksSeen,
    Opened,
    SendBegun,
    SendEnded,
    StateSeen,
)
from pyrochat import Chat, InvalidInput, LogUnavailable, Message, PyroChatError, SendTimeout, Timing, join

_AGAIN_SECONDS = 0.1
_SETTLE_SECONDS = 60.0
_SEND_TIMEOUTS_SECONDS = (0.5, 2.0, 10.0, 30.0)


class Member:
    """One member: its chat, its senders, its file."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        self.client = f"{name}#{options.life}"
        self._name = name
        self._options = options
        self._file = EventFile(options.folder / f"{self.client}@{options.room}.jsonl")
        self._random = random.Random(f"{options.seed} {self.client}")
        self._mutex = threading.Lock()  # guards the counts
        self._operations = 0
        self._under_way = 0
        self._sending = threading.Event()
        self._ended = threading.Event()
        self._chat: Chat | None = None
        self._acknowledged = 0
        self._failed = 0
        self._unknown = 0
        self._code = ""
        self._last_ok_begun = 0
        self._connected_at = 0
        self._shown = 0
        if not options.silent:
            self._sending.set()
        threading.Thread(target=self._live, name=f"live-{name}", daemon=True).start()

    # -- what the process is asked ---------------------------------------------------------------------------

    def status(self) -> dict[str, object]:
        """Where it stands; times are `time.monotonic_ns()`."""
        chat = self._chat
        return {
            "client": self.client,
            "state": chat.state if chat else "joining",
            "end": self._shown,
            "sends": self._options.threads > 0 and self._sending.is_set(),
            "acknowledged": self._acknowledged,
            "failed": self._failed,
            "unknown": self._unknown,
            "code": self._code,
            "under_way": self._under_way,
            "last_ok_begun": self._last_ok_begun,
            "connected_at": self._connected_at,
        }

    def pause(self, paused: bool) -> None:
        """Begin no more sends, or begin again."""
        with self._mutex:
            (self._sending.clear if paused else self._sending.set)()

    def settle(self, id: int) -> bool:
        """Wait until the program has been shown message *id*, and close the file; False where it takes too long."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while self._shown < id and time.monotonic() < deadline:
            time.sleep(0.005)
        self._file.write(Closed(self._shown, self._chat is not None, time.monotonic_ns()))
        self._file.close()
        return self._shown >= id

    def leave(self) -> None:
        """Leave the room, and close the file."""
        self.pause(True)
        self._ended.set()
        if self._chat is not None:
            self._chat.leave()
            self._file.write(Closed(len(self._chat.history()), False, time.monotonic_ns()))
        self._file.close()

    # -- its threads -------------------------------------------------------------------------------------------

    def _live(self) -> None:
        options = self._options
        self._file.write(Opened(self.client, self._name, options.room, time.monotonic_ns()))
        tails = [0]
        while self._chat is None:
            try:
                chat = join(
                    self._name, options.room, options.at,
                    progress=lambda here, tail: tails.append(tail),
                    timing=Timing(options.beat, options.silence, options.grace),
                )  # fmt: skip
            except PyroChatError as error:
                self._code = error.code
                if self._ended.wait(_AGAIN_SECONDS):
                    return
            else:
                self._connected_at = time.monotonic_ns()
                self._file.write(Joined(tails[-1], self._connected_at))
                self._chat = chat
        chat.on_state(self._state)
        chat.on_message(self._record, after=0)
        for number in range(options.threads):
            threading.Thread(target=self._send_all, args=(chat, number), name=f"send-{number}", daemon=True).start()
        if options.confirm > 0:
            threading.Thread(target=self._confirm, args=(chat,), name="confirm", daemon=True).start()

    def _state(self, state: str, reason: str) -> None:
        now = time.monotonic_ns()
        if state == "connected":
            self._connected_at = now
        self._file.write(StateSeen(state, reason, now))

    def _record(self, message: Message) -> None:
        self._file.write(
            Delivered(
                message.id, message.room, message.sender, message.text, message.kind, message.key, time.monotonic_ns()
            )
        )
        self._shown = message.id

    def _send_all(self, chat: Chat, thread: int) -> None:
        every = self._options.every
        count, due = 0, time.monotonic() + self._random.random() * every
        while not self._ended.wait(max(0.0, due - time.monotonic())):
            due = max(due + every, time.monotonic() - every)
            self._begin()
            count += 1
            text = f"{self.client}-{thread}-{count}"
            outcome, key = self._send(chat, text, None)
            while outcome == UNKNOWN and key and self._random.random() < 0.5 and not self._ended.is_set():
                outcome, key = self._send(chat, text, key)
            with self._mutex:
                self._under_way -= 1
            if outcome != OK:
                self._ended.wait(_AGAIN_SECONDS)

    def _begin(self) -> None:
        """Wait until sending is wanted, and say that it goes on: after `pause`, none begins unseen."""
        while True:
            self._sending.wait()
            with self._mutex:
                if self._sending.is_set():
                    self._under_way += 1
                    return

    def _send(self, chat: Chat, text: str, key: str | None) -> tuple[str, str | None]:
        """One attempt; returns its outcome, and the key with which it can be repeated."""
        begun = time.monotonic_ns()
        with self._mutex:
            self._operations += 1
            operation = self._operations
        self._file.write(SendBegun(operation, text, key, begun))
        outcome, id, code = UNKNOWN, None, None
        try:
            id = chat.send(text, key=key, timeout=self._random.choice(_SEND_TIMEOUTS_SECONDS)).id
            outcome = OK
        except (LogUnavailable, InvalidInput) as error:  # the room says that it was not stored
            outcome, code = FAILED, error.code
        except PyroChatError as error:
            code = error.code
            if isinstance(error, SendTimeout):
                key = error.key
        self._file.write(SendEnded(operation, outcome, id, code, time.monotonic_ns()))
        with self._mutex:
            self._acknowledged += outcome == OK
            self._failed += outcome == FAILED
            self._unknown += outcome == UNKNOWN
            if outcome == OK:
                self._last_ok_begun = max(self._last_ok_begun, begun)
            else:
                self._code = code or ""
        return outcome, key

    def _confirm(self, chat: Chat) -> None:
        """Ask for the confirmations of a random message, recent ones more often; look at the marks."""
        while not self._ended.wait(self._options.confirm * self._random.uniform(0.5, 1.5)):
            end = self._shown
            if end == 0:
                continue
            id = self._random.randint(max(1, end - 100) if self._random.random() < 0.8 else 1, end)
            asked = time.monotonic_ns()
            with contextlib.suppress(PyroChatError):  # the room can't be asked now
                found = chat.confirmations(id)
                groups = (sorted(found.delivered_to), sorted(found.read_by), sorted(found.waiting_for))
                self._file.write(Confirmed(id, *groups, asked, time.monotonic_ns()))
            marks = [(name, delivered, read) for name, (delivered, read) in chat.marks.items()]
            self._file.write(MarksSeen(marks, time.monotonic_ns()))


def _answer(members: list[Member], line: str) -> object:
    command, _, argument = line.strip().partition(" ")
    if command in ("pause", "go"):
        for member in members:
            member.pause(command == "pause")
    elif command == "settle":
        settled = [member.settle(int(argument)) for member in members]
        return {"settled": all(settled)}
    elif command == "leave":
        for member in members:
            member.leave()
        return {"left": True}
    return {"members": [member.status() for member in members]}


def main() -> None:
    """The process."""
    parser = argparse.ArgumentParser(prog="python -m lab.faults.recorder", description="A recording client.")
    parser.add_argument("names", nargs="+", help="the members that this process is")
    parser.add_argument("--folder", type=Path, required=True, help="where their files go")
    parser.add_argument("--life", type=int, default=1, help="how many processes these members have been, with this one")
    parser.add_argument("--room", default="lobby")
    parser.add_argument("--at", default=None, help="HOST:PORT of the server; without it the name server is asked")
    parser.add_argument("--threads", type=int, default=1, help="senders for each member; 0: only listens")
    parser.add_argument("--every", type=float, default=0.0, help="seconds between a sender's sends; 0: at once")
    parser.add_argument("--silent", action="store_true", help="send only after the command `go`")
    parser.add_argument("--confirm", type=float, default=0.0, help="seconds between questions for confirmations")
    parser.add_argument("--seed", default="0")
    standard = Timing()
    parser.add_argument("--beat", type=float, default=standard.beat_seconds)
    parser.add_argument("--silence", type=float, default=standard.silent_seconds)
    parser.add_argument("--grace", type=float, default=standard.grace_seconds)
    options = parser.parse_args()
    faulthandler.register(signal.SIGUSR1)  # kill -USR1 writes all stacks to the log: for whoever hunts a hang
    members = [Member(name, options) for name in options.names]
    for line in sys.stdin:
        answer = _answer(members, line)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
        if line.startswith("leave"):
            break
    os._exit(0)  # threads may be in the middle of anything; the files are whole


if __name__ == "__main__":
    main()
