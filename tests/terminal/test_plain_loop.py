"""A plain client's life: however it ends, what was typed is sent and shown, or said."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterator

import pytest

from pyrochat import Chat, Server
from pyrochat.terminal.lines import PlainLines
from pyrochat.terminal.plain import PlainClient
from pyrochat.terminal.plain_loop import PlainLoop
from tests.support import Running, eventually, texts

Join = Callable[..., Chat]
LONG = 600.0  # no test waits for it


class Session:
    """A plain client of *chat* that runs: `type` and `end_input` are its input, `written` and `said` its output."""

    def __init__(
        self, chat: Chat, patience: float = LONG, hurry: float = LONG, first_failing: int | None = None,
        follows: bool = False,
    ) -> None:  # fmt: skip
        self.chat = chat
        self.written: list[str] = []
        self.said: list[str] = []
        self._first_failing = first_failing
        self._typed, self._types = os.pipe()
        self._devnull = os.open(os.devnull, os.O_WRONLY)
        self.client = PlainClient(chat, PlainLines(), self._write, self.said.append)
        self.loop = PlainLoop(self.client, None if follows else self._typed, self._devnull, patience, hurry)
        self.running = Running(self.loop.run)

    def _write(self, line: str) -> None:
        if self._first_failing is not None and len(self.written) + 1 >= self._first_failing:
            self._first_failing = None  # once: as when a disk has room again
            raise OSError(errno.ENOSPC, "No space left on device")
        self.written.append(line)

    def type(self, *lines: str) -> None:
        os.write(self._types, "".join(f"{line}\n" for line in lines).encode())

    def end_input(self) -> None:
        if self._types >= 0:
            os.close(self._types)
            self._types = -1

    def close(self) -> None:
        self.end_input()
        self.loop.interrupt()
        self.loop.interrupt()
        self.running.thread.join(20)
        self.loop.close()
        os.close(self._typed)
        os.close(self._devnull)


@pytest.fixture
def start() -> Iterator[Callable[..., Session]]:
    with contextlib.ExitStack() as undo:

        def start(chat: Chat, **options: object) -> Session:
            session = Session(chat, **options)  # type: ignore[arg-type]
            undo.callback(session.close)
            return session

        yield start


def end(session: Session, way: str) -> None:
    if way == "end of input":
        session.end_input()
    elif way == "/quit":
        session.type("/quit", "not sent")
    else:
        session.loop.interrupt()


@pytest.mark.parametrize("way", ["end of input", "/quit", "signal"])
def test_what_was_typed_before_an_end_is_sent_and_shown(joined: Join, start: Callable[..., Session], way: str) -> None:
    ana, session = joined("Ana"), start(joined("Igor"))
    lines = [f"line {number}" for number in range(300)]
    session.type(*lines)
    end(session, way)
    session.running.result()
    assert texts(ana.history()) == lines
    assert len([line for line in session.written if "Igor: line" in line]) == 300
    assert not session.said
    assert not session.client.failed
    assert session.chat.state == "closed"


@pytest.mark.parametrize("way", ["end of input", "signal"])
def test_found_20_what_was_not_sent_is_said_when_the_room_is_away(
    server: Server, joined: Join, start: Callable[..., Session], way: str
) -> None:
    session = start(joined("Igor"), patience=0.3)
    server.close()
    eventually(lambda: session.chat.state == "reconnecting")
    session.type("first", "/who", "x" * 1000, *(f"line {number}" for number in range(30)))
    end(session, way)
    session.running.result()
    said = [line for line in session.said if "connection lost" not in line]
    assert said[0] == "error: 32 lines were not sent, the room did not answer: send them when it is back"
    assert said[1] == "not sent: first"
    assert said[2] == f"not sent: {'x' * 100}…"
    assert said[3:21] == [f"not sent: line {number}" for number in range(18)]
    assert said[21:] == ["not sent: 12 more"]
    assert session.client.failed


def test_found_20_the_second_signal_ends_it_at_once(
    server: Server, joined: Join, start: Callable[..., Session]
) -> None:
    session = start(joined("Igor"))
    server.close()
    eventually(lambda: session.chat.state == "reconnecting")
    session.type("first")
    session.loop.interrupt()
    session.loop.interrupt()
    session.running.result()
    assert "not sent: first" in session.said


def test_found_20_a_signal_does_not_wait_for_a_room_that_is_slow(
    server: Server, joined: Join, start: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is there, so it is not given up at the end of input; and the text may be in it."""
    gate = threading.Event()
    serve = server._daemon.serve  # type: ignore[union-attr]
    session = start(joined("Igor"), hurry=0.3)
    monkeypatch.setattr(server._daemon, "serve", lambda *call: (gate.wait(20), serve(*call))[1])
    session.type("first")
    eventually(lambda: session.chat.pending == 1)
    session.loop.interrupt()
    eventually(lambda: session.said)
    gate.set()
    session.running.result()
    assert session.said[0].startswith("error: 1 line was not sent")
    assert session.said[1] == "perhaps not sent: first"
    assert session.client.failed


def test_found_20_a_room_that_comes_back_gets_what_was_typed(
    server: Server, joined: Join, start: Callable[..., Session], restarted: Callable[[], Server]
) -> None:
    session = start(joined("Igor"))
    server.close()
    eventually(lambda: session.chat.state == "reconnecting")
    session.type("first", "second")
    session.end_input()
    restarted()
    session.running.result()
    assert texts(session.chat.history()) == ["first", "second"]
    assert not session.client.failed


def test_found_19_what_could_not_be_written_and_what_follows_is_not_read(
    joined: Join, start: Callable[..., Session]
) -> None:
    ana = joined("Ana")
    session = start(joined("Igor"), first_failing=4)
    written, lost, after = ana.send_many(["written", "lost", "after"])
    assert written.id == 3
    session.running.result()
    assert session.client.failed
    assert [line for line in session.said if line.startswith("error")] == [
        "error: can't write to standard output (No space left on device): nothing after #3 was written whole, nor counts "
        "as read; make room there, and join again"
    ]
    assert ana.confirmations(written.id).read_by == {"Igor"}
    assert ana.confirmations(lost.id).read_by == ana.confirmations(after.id).read_by == set()
    assert session.chat.state == "closed"


def test_much_that_waits_is_not_read_ahead_without_bound(
    server: Server, joined: Join, start: Callable[..., Session]
) -> None:
    session = start(joined("Igor"), patience=0.3)
    server.close()
    eventually(lambda: session.chat.state == "reconnecting")
    os.set_blocking(session._types, False)
    taken = 0

    def is_full() -> bool:
        nonlocal taken
        try:
            while taken < 4 << 20:
                taken += os.write(session._types, b"x" * 999 + b"\n")
        except BlockingIOError:
            return session.loop._is_ahead
        return True

    eventually(is_full)
    assert taken < 2 << 20
    session.loop.interrupt()
    session.running.result()
    assert session.client.failed


def test_found_44_a_follower_ends_where_the_room_wont_have_it_back(
    server: Server, host_lobby: Callable[..., Server], joined: Join, start: Callable[..., Session]
) -> None:
    session = start(joined("Igor"), follows=True)
    session.type("not read")
    server.close()
    host_lobby(port=server.port, password="new")
    session.running.result()
    assert session.client.failed
    assert any("can't come back" in line for line in session.said)
    assert "not sent: not read" not in session.said
