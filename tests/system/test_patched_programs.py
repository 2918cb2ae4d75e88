"""PyroChat within programs whose tests freeze time, or whose framework replaces threads and sockets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FROZEN = """
import threading, time
time.monotonic = lambda: 5.0
time.time = lambda: 1.7e9
"""
CHAT = """
import pyrochat
with pyrochat.host(data={data!r}, nameserver=False) as server, pyrochat.join("Ana", at=server.at) as chat:
    message = chat.send("olá", timeout=30)
    try:
        chat.wait_for(message.id + 1, timeout=0.1)
    except pyrochat.WaitTimeout:
        print("waited")
    print([message.text for message in chat.listen(timeout=0.1, after=message.id - 1)])
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    """*program*, run by Python to its end; the bound is for one that hangs."""
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)


def test_found_44_a_frozen_clock_holds_up_no_wait(data: Path) -> None:
    done = run(FROZEN + CHAT.format(data=str(data)))
    assert (done.stdout, done.stderr) == ("waited\n['olá']\n", "")


@pytest.mark.parametrize("call", ['join("Ana", at="localhost:9")', 'host(data="never")'])
@pytest.mark.parametrize(
    "patch", ["import select; del select.poll", "import socket; socket.socket = type('GreenSocket', (), {})"]
)
def test_found_44_what_replaces_sockets_or_polls_is_named(
    patch: str, call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(
        f"import pyrochat\n{patch}\ntry:\n    pyrochat.{call}\nexcept pyrochat.Unavailable as error:\n    print(error)"
    )
    assert done.stdout.startswith("something has replaced s"), done.stderr
    assert "monkey_patch" in done.stdout
    assert done.stderr == ""
