"""Starting the servers of the peers."""

import os
import shutil
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.benchmarks.peers.interface import HOST, READY_SECONDS
from lab.processes import BenchError, Process, eventually


def find_program(name: str) -> str | None:
    """Where the program *name* is: beside the interpreter, on the path, or where Debian has its servers."""
    folders = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath), "/usr/sbin"]
    return shutil.which(name, path=os.pathsep.join(folders))


def start_listening(
    command: Sequence[str], port: int, folder: Path, environment: Mapping[str, str] | None = None
) -> Process:
    """Start *command*; returns when it accepts connections at *port*."""
    program = find_program(command[0])
    if program is None:
        raise BenchError(f"there is no {command[0]} here: run benchmarks/install.sh")
    process = Process([program, *command[1:]], environment or {}, folder / "server.log")

    def listens() -> bool:
        if not process.is_running:
            raise BenchError(f"{command[0]} has ended: {process.log.read_text(errors='replace')[-300:]}")
        try:
            socket.create_connection((HOST, port), 1.0).close()
        except OSError:
            return False
        return True

    eventually(listens, READY_SECONDS, f"{command[0]} listens")
    return process


def start_python_server(module: str, folder: Path) -> tuple[Process, list[int]]:
    """Start ``python -m module``, which prints ``ready`` and its ports."""
    process = Process([sys.executable, "-m", module], {}, folder / "server.log")
    _, line = process.line(READY_SECONDS)
    return process, [int(port) for port in line.split()[1:]]
