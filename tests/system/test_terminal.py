"""The interactive client in a pseudo-terminal."""

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

import pyrochat
from tests.support import eventually
from tests.system.support import PATIENCE_SECONDS, Machine, script

ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_=>])")
ENTER, END_OF_INPUT, INTERRUPT = "\r", "\x04", "\x03"


class Screen:
    """A terminal of 80 × 24 characters, and all that was written to it."""

    def __init__(self) -> None:
        self._ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self._written = bytearray()
        self._reader = threading.Thread(target=self._read, name="test-screen", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # EIO: nobody has the other end open any more
            while chunk := os.read(self._ours, 65_536):
                self._written += chunk

    @property
    def text(self) -> str:
        """What was written so far, without escape sequences."""
        return ESCAPES.sub("", self._written.decode(errors="replace"))

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

    def wait_prompt(self, last: int) -> None:
        """Wait until message *last* is shown and the prompt stands below it: while messages are being
        printed the terminal is in line mode, and swallows an end of input."""
        shown = self.wait(f"#{last} ")
        self.wait("Ana>", shown)

    def close(self) -> None:
        os.close(self.theirs)
        self._reader.join(PATIENCE_SECONDS)
        os.close(self._ours)


@contextlib.contextmanager
def in_terminal(machine: Machine, program: str, *arguments: str) -> Iterator[tuple[Screen, subprocess.Popen[bytes]]]:
    """Run a console script as a terminal's foreground process."""
    screen = Screen()
    process = subprocess.Popen(
        [script(program), *arguments], stdin=screen.theirs, stdout=screen.theirs, stderr=screen.theirs,
        env=machine.environment | {"TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1"}, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    try:
        yield screen, process
    finally:
        process.kill()
        process.wait(PATIENCE_SECONDS)
        screen.close()


def test_an_incoming_message_does_not_tear_the_line_that_is_being_typed(machine: Machine) -> None:
    machine.server()
    igor = machine.client("Igor")
    with in_terminal(machine, "pyrochat-client", "Ana") as (screen, process):
        screen.wait_prompt(2)
        screen.type("half of a")
        typed = screen.wait("half of a")
        igor.write("an interruption")
        shown = screen.wait("Igor: an interruption", typed)
        screen.wait("Ana> half of a", shown)  # drawn again below the message
        screen.type(" sentence" + ENTER)
        igor.wait_line("Ana: half of a sentence")
        screen.wait("Ana: half of a sentence", shown)
        screen.type("/quit" + ENTER)
        assert process.wait(10) == 0
    igor.wait_line("* Ana left")
    assert igor.bodies == ["* Igor joined", "* Ana joined", "Igor: an interruption",
                           "Ana: half of a sentence", "* Ana left"]  # fmt: skip


def test_history_is_shown_and_end_of_input_or_an_interrupt_leaves(machine: Machine) -> None:
    machine.server("--grace", "600")
    igor = machine.client("Igor")
    igor.write("before you came")
    igor.wait_line("before you came")
    for key, last in ((END_OF_INPUT, 3), (INTERRUPT, 5)):
        with in_terminal(machine, "pyrochat-client", "Ana") as (screen, process):
            screen.wait("Igor: before you came")
            screen.wait_prompt(last)
            screen.type(key)
            assert process.wait(10) == 0
            assert "Traceback" not in screen.text
    igor.wait_lines(lambda line: line.endswith("* Ana left"), 2)


def test_a_text_cannot_command_the_terminal(machine: Machine) -> None:
    machine.server()
    igor = machine.client("Igor")
    with in_terminal(machine, "pyrochat-client", "Ana") as (screen, _):
        screen.wait_prompt(2)
        igor.write("\x1b]0;pwned\a\x1b[2Jgone")
        screen.wait("Igor: ␛]0;pwned␇␛[2Jgone")


def test_a_closed_terminal_leaves_the_room(machine: Machine) -> None:
    machine.server("--grace", "600")
    igor = machine.client("Igor")
    with in_terminal(machine, "pyrochat-client", "Ana") as (screen, process):
        screen.wait_prompt(2)
        process.send_signal(signal.SIGHUP)
        assert process.wait(10) == 0
    igor.wait_line("* Ana left", timeout=4)


def test_a_long_history_shows_its_progress_where_somebody_looks(machine: Machine) -> None:
    with pyrochat.host("lobby", data=machine.folder / "data", nameserver=False, rate=0) as server:
        with pyrochat.join("Igor", at=server.at) as igor:
            for _ in range(60):
                igor.send_many(["x" * 400] * 1_000)
        screen = Screen()
        try:
            client = machine.start(
                "pyrochat-client", "Ana", "--at", server.at, stderr=screen.theirs,
                env={"TERM": "xterm-256color", "COLUMNS": "80"},
            )  # fmt: skip
            screen.wait("history of lobby")
            screen.wait("/60003")
            screen.wait("joined room lobby as Ana")
            client.write("done")
            client.wait_line("Ana: done")
            assert client.finish() == 0
            assert client.bodies[-1] == "Ana: done"
            assert len(client.messages) == 60_004
        finally:
            screen.close()


def test_the_server_in_a_terminal_shows_a_dashboard(machine: Machine) -> None:
    with in_terminal(machine, "pyrochat-server", "--port", "0") as (screen, process):
        screen.wait("room 'lobby' ready at PYRO:pyrochat.lobby@localhost:")
        machine.client("Ana")
        shown = screen.wait("Ana")
        screen.wait("connected", shown)
        screen.type(INTERRUPT)
        assert process.wait(10) == 0
        assert "Traceback" not in screen.text
