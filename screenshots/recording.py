"""``python -m screenshots.recording [FILE]``: twenty seconds in front of the screen, as asciinema plays them (asciicast v2)."""

import contextlib
import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path

import pyrochat

COLUMNS, LINES = 100, 26
SECONDS = 20.0
ANA = (  # when, which keys
    (2.0, "good morning"), (3.4, "\r"), (7.0, "\x1br"), (7.6, "on it"), (8.6, "\r"), (11.0, "\x06"), (11.6, "report"), (12.4, "\r"),
    (14.0, "\x1b"), (15.0, "/msg Igor lunch?"), (16.6, "\r"), (19.0, "\x11"),
)  # fmt: skip
IGOR = ((5.0, "@Ana can you look at the report? `lab/41.txt`"), (10.0, "thanks 🎉"))


def main() -> None:
    """Record into FILE."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/screenshots/chat.cast")
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"PYROCHAT_CONFIG_DIR": f"{folder}/igor", "PYROCHAT_DATA": f"{folder}/data"}
        with (
            pyrochat.host("lobby", data=Path(folder) / "server", nameserver=False) as server,
            pyrochat.join("Igor", at=server.at) as igor,
            pyrochat.join("Erick", at=server.at) as erick,
        ):
            erick.send("the long run has finished, nothing lost: https://lab.example/runs/41")
            events = _recorded(server.at, Path(folder), igor)
    header = {"version": 2, "width": COLUMNS, "height": LINES, "title": "PyroChat", "env": {"TERM": "xterm-256color"}}
    file.write_text("".join(f"{json.dumps(line)}\n" for line in [header, *events]))
    sys.stdout.write(f"{file}\n")


def _recorded(at: str, folder: Path, igor: pyrochat.Chat) -> list[list[object]]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    environment = os.environ | {
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "PYROCHAT_CONFIG_DIR": f"{folder}/ana",
    }
    command = [str(Path(sys.executable).with_name("pyrochat-client")), "Ana", "--at", at]
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    )
    os.close(theirs)
    began, events = time.monotonic(), list[list[object]]()

    def read() -> None:
        with contextlib.suppress(OSError):
            while data := os.read(ours, 65_536):
                events.append([round(time.monotonic() - began, 3), "o", data.decode(errors="replace")])

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    todo = sorted([*((at, os.write, (ours, keys.encode())) for at, keys in ANA), *((at, igor.send, (text,)) for at, text in IGOR)],
                  key=lambda step: step[0])  # fmt: skip
    for at_seconds, do, arguments in todo:
        time.sleep(max(0.0, began + at_seconds - time.monotonic()))
        do(*arguments)  # type: ignore[operator]
    process.wait(SECONDS)
    reader.join(SECONDS)
    os.close(ours)
    return events


if __name__ == "__main__":
    main()
