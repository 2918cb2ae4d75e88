"""Real processes: started, watched, stopped, killed; none outlives the lab.

Start them from the main thread only: the leash (`leash`) ends with the thread that started it.
"""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")

_END_SECONDS = 10.0
_ABORT_SECONDS = 2.0  # to write where its threads are


class BenchError(Exception):
    """Raised when the lab itself can't go on: a process does not start, or does not answer."""


def eventually(condition: Callable[[], Result], timeout: float, what: str) -> Result:
    """The first true value of *condition*; raises BenchError where there is none within *timeout* seconds."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise BenchError(f"not within {timeout:g} s: {what}")
        time.sleep(0.01)
    return value


class Process:
    """A running command; its standard error goes to *log*."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as errors:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "lab.leash", *command],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                env={**os.environ, "PYTHONFAULTHANDLER": "1", **environment},
                text=True, bufsize=1,
            )  # fmt: skip
        self._lines: queue.SimpleQueue[tuple[int, str] | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, name=f"read-{self.pid}", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._popen.stdout is not None
        with contextlib.suppress(ValueError):
            for line in self._popen.stdout:
                self._lines.put((time.monotonic_ns(), line))
        self._lines.put(None)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._popen.poll() is None

    def line(self, timeout: float) -> tuple[int, str]:
        """The next line of its output, and when it came; raises BenchError."""
        try:
            found = self._lines.get(timeout=timeout)
        except queue.Empty:
            raise BenchError(f"process {self.pid} says nothing for {timeout:g} s; see {self.log}") from None
        if found is None:
            said = self.log.read_text(errors="replace").strip().splitlines()[-1:]
            raise BenchError(f"process {self.pid} has ended ({self._popen.wait()}): {' '.join(said)}")
        return found

    def wait_for_line(self, part: str, timeout: float) -> int:
        """When the first line with *part* in it came; raises BenchError."""
        deadline = time.monotonic() + timeout
        while True:
            at, line = self.line(max(0.0, deadline - time.monotonic()))
            if part in line:
                return at

    def tell(self, line: str) -> None:
        """Write a line to its input; nothing happens where it has ended."""
        assert self._popen.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._popen.stdin.write(line + "\n")
            self._popen.stdin.flush()

    def stop(self) -> None:
        """SIGSTOP."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone. Idempotent."""
        self._signal(signal.SIGKILL)
        self._wait()

    def end(self) -> int:
        """SIGTERM, and the exit code; where it takes longer than a server may, it is aborted, and *log* says what it was at."""
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM)
        try:
            return self._wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGABRT)
        try:
            return self._wait(_ABORT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._popen.returncode

    def _signal(self, number: signal.Signals) -> None:
        if self.is_running:
            with contextlib.suppress(ProcessLookupError):
                self._popen.send_signal(number)

    def _wait(self, timeout: float | None = None) -> int:
        code = self._popen.wait(timeout)
        self._reader.join(5.0)
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        return code
