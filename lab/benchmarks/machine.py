"""What a run was made on."""

import importlib.metadata
import os
import platform
import re
import sqlite3
import subprocess
from pathlib import Path

from lab.benchmarks.peers.processes import find_program

_PACKAGES = ("pyrochat", "Pyro5", "msgpack", "nats-py")
_PROGRAMS = {
    "ngircd": ("ngircd", "--version"),
    "nats-server": ("nats-server", "--version"),
}


def describe() -> dict[str, str]:
    """Its facts, by name."""
    load = " ".join(f"{average:.2f}" for average in os.getloadavg())
    facts = {
        "CPU": _cpu_model(),
        "cores": str(os.cpu_count()),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "load before (1, 5, 15 min)": load,
    }
    for package in _PACKAGES:
        facts[package] = _package_version(package)
    for program, command in _PROGRAMS.items():
        facts[program] = _version(command)
    return facts


def _package_version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _cpu_model() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.processor()


def _version(command: tuple[str, ...]) -> str:
    program = find_program(command[0])
    if program is None:
        return "missing"
    said = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False)
    found = re.search(r"\d+(\.\d+)+", said.stdout + said.stderr)
    return found[0] if found else "unknown"
