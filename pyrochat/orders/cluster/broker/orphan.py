"""A broker that a killed server has left: where the kernel does not end a child with its parent, it still holds its ports."""

import contextlib
import logging
import os
import signal
import subprocess
import threading
from pathlib import Path

from pyrochat.clock import monotonic

log = logging.getLogger(__name__)

_END_SECONDS = 3.0
_LOOK_SECONDS = 0.05


def end_orphan(pid_file: Path, configuration: Path) -> None:
    """End the broker whose process id is in *pid_file*, where it is one that runs with *configuration*, ours."""
    pid = _pid_in(pid_file)
    if pid is None or not _runs_with(pid, configuration):
        return
    log.warning("a broker that an earlier server has left is ended (process %d)", pid)
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(OSError):
            os.kill(pid, number)
        until = monotonic() + _END_SECONDS
        while monotonic() < until:
            if not _runs_with(pid, configuration):
                return
            threading.Event().wait(_LOOK_SECONDS)


def _pid_in(path: Path) -> int | None:
    try:
        pid = int(path.read_text())
    except (OSError, ValueError):
        return None
    return pid if pid > 1 else None


def _runs_with(pid: int, configuration: Path) -> bool:
    """Whether the process *pid* was started with *configuration*. Process ids are used again: another's is not ours to end."""
    try:
        return os.fsencode(configuration) in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return False  # it is gone
    except OSError:
        return False
    with contextlib.suppress(OSError, subprocess.SubprocessError):  # a system without /proc
        shown = subprocess.run(
            ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, timeout=_END_SECONDS
        )  # fmt: skip
        return shown.stdout.rstrip().endswith(os.fsencode(f"-c {configuration}"))
    return False
