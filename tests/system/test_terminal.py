"""The full-screen client in a pseudo-terminal, read as its user reads it, and what else shows itself in one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator

import pyte

import pyrochat
from tests.support import eventually
from tests.system.support import PATIENCE_SECONDS, Machine, free_port, script

ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_=>])")
ENTER, INTERRUPT, QUIT, NEW_LINE = "\r", "\x03", "\x11", "\n"
FOCUS, BLUR = "\x1b[I", "\x1b[O"
PAGE_UP, END = "\x1b[5~", "\x1b[F"


class Screen:
    """A terminal, by itself and as its user sees it, and all that was written to it."""

    def __init__(self, columns: int = 80, lines: int = 24) -> None:
        self._ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self._written = bytearray()
        self._mutex = threading.Lock()  # guards the emulator, and what was read of it
        self._text: str | None = None  # None: not read since something was written
        self._lines: list[str] | None = None
        self._emulator = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._emulator)
        self._reader = threading.Thread(target=self._read, name="test-screen", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # EIO: nobody has the other end open any more
            while chunk := os.read(self._ours, 65_536):
                with self._mutex:
                    self._written += chunk
                    self._stream.feed(chunk)
                    self._text = self._lines = None

    @property
    def text(self) -> str:
        """What was written so far, without escape sequences."""
        with self._mutex:
            if self._text is None:
                self._text = ESCAPES.sub("", self._written.decode(errors="replace"))
            return self._text

    @property
    def lines(self) -> list[str]:
        """What stands on the screen now."""
        with self._mutex:
            if self._lines is None:
                self._lines = [line.rstrip() for line in self._emulator.display]
            return self._lines

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def wait(self, text: str, after: int = 0) -> int:
        """Wait until *text* has been written behind position *after*; the position behind it."""

        def found() -> int:
            return self.text.find(text, after) + 1

        try:
            return int(eventually(found, PATIENCE_SECONDS)) - 1 + len(text)
        except AssertionError:
            raise AssertionError(f"{text!r} did not appear:\n{self.text[after:][-3000:]}") from None

    def see(self, *texts: str, gone: str = "") -> str:
        """Wait until one line of the screen has all of *texts* (and none has *gone*); that line."""

        def found() -> list[str]:
            lines = self.lines
            if gone and any(gone in line for line in lines):
                return []
            return [line for line in lines if all(text in line for text in texts)]

        try:
            return eventually(found, PATIENCE_SECONDS)[0]
        except AssertionError:
            shown = "\n".join(self.lines)
            raise AssertionError(f"{texts} is not to be seen (or {gone!r} still is):\n{shown}") from None

    def close(self) -> None:
        os.close(self.theirs)
        self._reader.join(PATIENCE_SECONDS)
        os.close(self._ours)


@contextlib.contextmanager
def in_terminal(
    machine: Machine, program: str, *arguments: str, size: tuple[int, int] = (80, 24), **environment: str
) -> Iterator[tuple[Screen, subprocess.Popen[bytes]]]:
    """Run a console script as a terminal's foreground process."""
    screen = Screen(*size)
    process = subprocess.Popen(
        [script(program), *arguments], stdin=screen.theirs, stdout=screen.theirs, stderr=screen.theirs,
        env=machine.environment | {"TERM": "xterm-256color", "COLORTERM": "truecolor"} | environment,
        start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    try:
        yield screen, process
    finally:
        process.kill()
        process.wait(PATIENCE_SECONDS)
        screen.close()


def test_two_people_chat_and_see_who_has_read(machine: Machine) -> None:
    machine.server()
    with (
        in_terminal(machine, "pyrochat-client", "Ana") as (ana, one),
        in_terminal(machine, "pyrochat-client", "Igor") as (igor, other),
    ):
        ana.see("2 here")
        igor.see("2 here")
        igor.type(BLUR + "first")
        igor.see("first")  # so it knows, too, that nobody looks
        ana.type("hello" + ENTER)
        igor.see("Ana", "hello")
        ana.see("hello", "✓✓")
        igor.type(FOCUS)
        ana.see("hello", "●")
        igor.type(" line" + NEW_LINE + "second line" + ENTER)
        ana.see("Igor", "first line")
        ana.see("second line")
        ana.type("/quit" + ENTER)
        assert one.wait(20) == 0
        igor.see("Ana left")
        igor.type(QUIT)
        assert other.wait(20) == 0
        assert "Traceback" not in ana.text + igor.text


def test_a_draft_and_an_unsent_message_survive_the_servers_death(machine: Machine) -> None:
    port = free_port()
    server = machine.server(port=port)
    igor = machine.client("Igor")
    with in_terminal(machine, "pyrochat-client", "Ana") as (ana, process):
        ana.see("2 here")
        ana.type("half a ")
        ana.see("half a")
        server.kill()
        ana.see("reconnecting")
        ana.type("sentence" + ENTER + "and a draft")
        ana.see("Ana", "half a sentence", "…")
        machine.server(port=port)
        ana.see("half a sentence", gone="reconnecting")
        ana.see("and a draft")
        assert [line.count("half a sentence") for line in ana.lines if "half a sentence" in line] == [1]
        igor.wait_line("Ana: half a sentence")
        ana.type(QUIT)
        assert process.wait(20) == 0
    with in_terminal(machine, "pyrochat-client", "Ana") as (ana, process):
        ana.see("and a draft")
        ana.type(ENTER)
        igor.wait_line("Ana: and a draft")
    assert [body for body in igor.bodies if body.startswith("Ana: ")] == ["Ana: half a sentence", "Ana: and a draft"]


def test_what_could_not_be_sent_before_quitting_goes_out_the_next_time(machine: Machine) -> None:
    port = free_port()
    server = machine.server(port=port)
    with in_terminal(machine, "pyrochat-client", "Ana") as (ana, process):
        ana.see("1 here")
        server.kill()
        ana.see("reconnecting")
        ana.type("later" + ENTER)
        ana.see("later", "…")
        ana.type(QUIT)
        assert process.wait(20) == 0
        ana.wait("1 text for room lobby could not be sent: kept for next time")
    machine.server(port=port)
    igor = machine.client("Igor")
    with in_terminal(machine, "pyrochat-client", "Ana") as (ana, process):
        igor.wait_line("Ana: later")
        ana.see("later", "●")
    assert [body for body in igor.bodies if body.startswith("Ana: ")] == ["Ana: later"]


def test_scrolled_up_the_page_holds_still_and_a_key_goes_back(machine: Machine) -> None:
    machine.server()
    igor = machine.client("Igor")
    igor.write(*(f"line {number}" for number in range(100)))
    igor.wait_line("line 99")
    with in_terminal(machine, "pyrochat-client", "Ana") as (ana, _):
        ana.see("line 99")
        ana.type(PAGE_UP)
        ana.see("line 70", gone="line 99")

        def page() -> list[int]:
            """The numbers of the lines on the page, when all of it is drawn."""
            found = [
                int(words[3]) for line in ana.lines[1:20] if (words := line.split("│")[0].split())[2:3] == ["line"]
            ]
            return found if found and found == list(range(found[0], found[0] + 19)) else []

        before = eventually(page, PATIENCE_SECONDS)
        igor.write("one more")
        ana.see("+1 new")
        assert eventually(page, PATIENCE_SECONDS) == before
        ana.type(END)
        ana.see("one more", gone="+")


def test_at_forty_by_ten_it_is_still_a_chat(machine: Machine) -> None:
    machine.server()
    igor = machine.client("Igor")
    with in_terminal(machine, "pyrochat-client", "Ana", size=(40, 10), NO_COLOR="1") as (ana, process):
        ana.see("2 here")
        igor.write("x" * 16_000, "漢字" * 40, "fine")
        ana.see("Igor: fine")
        assert max(map(len, ana.lines)) <= 40
        ana.type("yes" + ENTER)
        igor.wait_line("Ana: yes")
        ana.type(QUIT)
        assert process.wait(20) == 0


def test_a_text_cannot_command_the_terminal(machine: Machine) -> None:
    machine.server()
    igor = machine.client("Igor")
    with in_terminal(machine, "pyrochat-client", "Ana") as (screen, _):
        screen.see("2 here")
        igor.write("\x1b]0;pwned\a\x1b[2J[bold]gone[/]")
        screen.see("Igor", "␛]0;pwned␇␛[2J[bold]gone[/]")


def test_a_closed_terminal_leaves_the_room(machine: Machine) -> None:
    machine.server("--grace", "600")
    igor = machine.client("Igor")
    with in_terminal(machine, "pyrochat-client", "Ana") as (screen, process):
        screen.see("2 here")
        process.send_signal(signal.SIGHUP)
        assert process.wait(20) == 0
    igor.wait_line("* Ana left", timeout=4)


def test_a_long_history_shows_its_progress_where_somebody_looks(machine: Machine) -> None:
    with pyrochat.host("lobby", data=machine.folder / "data", nameserver=False, rate=0) as server:
        with pyrochat.join("Igor", at=server.at) as igor:
            for _ in range(20):
                igor.send_many(["x" * 400] * 1_000)
        screen = Screen()
        try:
            client = machine.start(
                "pyrochat-client", "Ana", "--at", server.at, stderr=screen.theirs,
                env={"TERM": "xterm-256color", "COLUMNS": "80"},
            )  # fmt: skip
            screen.wait("history of lobby")
            screen.wait("/20003")
            screen.wait("joined room lobby as Ana")
            client.write("done")
            client.wait_line("Ana: done")
            assert client.finish() == 0
            assert client.bodies[-1] == "Ana: done"
            assert len(client.messages) == 20_004
        finally:
            screen.close()


def test_the_server_in_a_terminal_shows_a_dashboard(machine: Machine) -> None:
    with in_terminal(machine, "pyrochat-server", "--port", "0") as (screen, process):
        screen.wait("room 'lobby' ready at PYRO:pyrochat.lobby@localhost:")
        machine.client("Ana")
        shown = screen.wait("Ana")
        screen.wait("connected", shown)
        screen.type(INTERRUPT)
        assert process.wait(20) == 0
        assert "Traceback" not in screen.text
