"""Processes for tests: a machine of its own for each test, on which servers and clients are started.

Output is read by threads into lists of lines, so that tests can wait for a line. Whatever was started
is killed and waited for when the machine is switched off.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from tests.support import eventually, free_port

PATIENCE_SECONDS = 30.0  # for what takes a moment on an idle machine
MESSAGE_LINE = re.compile(r"#(\d+) \d\d:\d\d:\d\d (.+)")
READY_LINE = re.compile(r"room '(.+)' ready at (PYRO:pyrochat\..+@(.+):(\d+))")


def script(name: str) -> str:
    """The console script *name* of the environment that runs the tests."""
    return str(Path(sys.executable).with_name(name))


class Process:
    """A running program; its lines on standard output are `lines`, those on standard error `errors`."""

    def __init__(self, arguments: Sequence[str], **options: Any) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.program = Path(arguments[0]).name
        self._process = subprocess.Popen(arguments, **(pipes | options))
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=(stream, lines), name="test-reader", daemon=True)
            for stream, lines in ((self._process.stdout, self.lines), (self._process.stderr, self.errors))
            if stream is not None
        ]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream: IO[bytes], lines: list[str]) -> None:
        for line in stream:
            lines.append(line.decode().removesuffix("\n"))  # noqa: PERF401 - each is seen as soon as it is there

    def write(self, *lines: str) -> None:
        """Type *lines*."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write("".join(f"{line}\n" for line in lines).encode(errors="surrogateescape"))
            self._process.stdin.flush()
        except BrokenPipeError:
            self._has_ended()
            raise AssertionError(f"nobody reads what is typed: {self}") from None

    def end_input(self) -> None:
        """The end of what is typed."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()

    def wait_line(self, text: str, timeout: float = PATIENCE_SECONDS, errors: bool = False) -> str:
        """The first line that contains *text*, as soon as it is there."""
        return self.wait_lines(lambda line: text in line, 1, timeout, errors, text)[0]

    def wait_lines(
        self, matches: Callable[[str], bool], count: int, timeout: float = PATIENCE_SECONDS,
        errors: bool = False, what: str = "",
    ) -> list[str]:  # fmt: skip
        """The lines that match, as soon as there are *count* of them."""
        lines = self.errors if errors else self.lines
        found: list[str] = []

        def are_there() -> bool:
            found[:] = [line for line in list(lines) if matches(line)]
            return len(found) >= count or self._has_ended()

        with contextlib.suppress(AssertionError):
            eventually(are_there, timeout)
        are_there()
        assert len(found) >= count, f"{count} × {what or matches} did not come: {self}"
        return found

    def wait_error(self, text: str, timeout: float = PATIENCE_SECONDS) -> str:
        """The first line on standard error that contains *text*."""
        return self.wait_line(text, timeout, errors=True)

    def wait(self, timeout: float = PATIENCE_SECONDS) -> int:
        """The exit code, when the process has ended and all its output is here."""
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout:g} s: {self}") from None
        for reader in self._readers:
            reader.join(PATIENCE_SECONDS)
        return code

    def finish(self, timeout: float = PATIENCE_SECONDS) -> int:
        """End the input and wait; the exit code."""
        self.end_input()
        return self.wait(timeout)

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        """``kill -9``, and wait."""
        self._process.kill()
        self._process.wait(PATIENCE_SECONDS)

    def close(self) -> None:
        """Leave nothing behind. Idempotent."""
        if self._process.poll() is None:
            self.kill()
        for reader in self._readers:
            reader.join(PATIENCE_SECONDS)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    @property
    def complaints(self) -> list[str]:
        """The errors: lines of standard error that are neither status nor log."""
        return [line for line in self.errors if line.startswith((f"{self.program}: ", "error: "))]

    @property
    def messages(self) -> list[str]:
        """The delivered messages without their times: ``#2 Erick: Olá``."""
        found = (MESSAGE_LINE.fullmatch(line) for line in list(self.lines))
        return [f"#{match[1]} {match[2]}" for match in found if match]

    @property
    def bodies(self) -> list[str]:
        """The delivered messages without ids and times: ``Erick: Olá``, ``* Igor joined``."""
        return [message.partition(" ")[2] for message in self.messages]

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The lines as the JSON objects that they are."""
        return [json.loads(line) for line in list(self.lines)]

    def _has_ended(self) -> bool:
        if self._process.poll() is None:
            return False
        for reader in self._readers:
            reader.join(PATIENCE_SECONDS)
        return True

    def __str__(self) -> str:
        out, err = "\n  ".join(self.lines[-40:]), "\n  ".join(self.errors[-40:])
        return f"{self.program} (exit {self._process.poll()})\n output:\n  {out}\n errors:\n  {err}"


class ServerProcess(Process):
    """A running ``pyrochat-server`` whose rooms are ready. at: ``host:port``. uris: the rooms' URIs."""

    def __init__(self, arguments: Sequence[str], rooms: int = 1, **options: Any) -> None:
        super().__init__(arguments, **options)
        try:
            ready = self.wait_lines(lambda line: bool(READY_LINE.fullmatch(line)), rooms, what="ready")
        except BaseException:
            self.close()
            raise
        matches = [match for line in ready if (match := READY_LINE.fullmatch(line))]
        self.uris = {match[1]: match[2] for match in matches}
        self.at = f"{matches[0][3]}:{matches[0][4]}"
        self.port = int(matches[0][4])


class Machine:
    """Folders, a port for a name server, and processes, shared with no other test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.nameserver_port = free_port()
        self._processes: list[Process] = []
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYRO", "COV_", "COLUMNS", "LINES"))
        } | {
            "HOME": str(folder),
            "PYROCHAT_CONFIG_DIR": str(folder / "config"),
            "PYROCHAT_DATA": str(folder / "data"),
            "PYRO_NS_HOST": "localhost",
            "PYRO_NS_PORT": str(self.nameserver_port),
        }

    def start(self, program: str, *arguments: str, **options: Any) -> Process:
        """Start a console script."""
        return self._started(Process([script(program), *arguments], **self._with_environment(options)))

    def server(self, *arguments: str, rooms: int = 1, port: int = 0, **options: Any) -> ServerProcess:
        """Start ``pyrochat-server`` and wait until its rooms are ready."""
        command = [script("pyrochat-server"), "--port", str(port), *arguments]
        return self._started(ServerProcess(command, rooms, **self._with_environment(options)))

    def client(self, name: str, *arguments: str, program: str = "pyrochat-client", **options: Any) -> Process:
        """Start a client in a pipe and wait until it has joined."""
        client = self.start(program, name, *arguments, **options)
        client.wait_error(f" as {name}")
        return client

    def nameserver(self) -> Process:
        """Start Pyro5's name server and wait until it serves."""
        command = [sys.executable, "-u", "-m", "Pyro5.nameserver", "-n", "localhost", "-p", str(self.nameserver_port)]
        nameserver = self._started(Process(command, **self._with_environment({})))
        nameserver.wait_line("NS running")
        return nameserver

    def shell(self, command: str, **options: Any) -> Process:
        """Run *command* in a shell that finds the console scripts."""
        options = self._with_environment({"cwd": self.folder} | options)
        options["env"]["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return self._started(Process(["/bin/sh", "-c", command], **options))

    def python(self, code: str, *arguments: str, **options: Any) -> Process:
        """Start Python with the program *code*."""
        options = self._with_environment({"cwd": self.folder} | options)
        return self._started(Process([sys.executable, "-c", code, *arguments], **options))

    def run(self, program: str, *arguments: str, typed: str = "", timeout: float = 60, **options: Any) -> Process:
        """Run a console script to its end, with *typed* as its input."""
        process = self.start(program, *arguments, **options)
        with contextlib.suppress(AssertionError):  # it may end before it reads
            process.write(*typed.splitlines())
        process.finish(timeout)
        return process

    def switch_off(self) -> None:
        """End whatever was started."""
        for process in self._processes:
            process.close()

    def _started(self, process: Any) -> Any:
        self._processes.append(process)
        return process

    def _with_environment(self, options: Mapping[str, Any]) -> dict[str, Any]:
        extra = options.get("env", {})
        return {**options, "env": self.environment | {name: str(value) for name, value in extra.items()}}


def stop(server: ServerProcess) -> None:
    """End *server* as an operator does, and see that it ends well."""
    server.signal(signal.SIGTERM)
    assert server.wait(20) == 0, str(server)
