"""What the screen starts beside itself: an editor for a long text, a browser for a link."""

import contextlib
import os
import shlex
import subprocess
import tempfile
import threading
from pathlib import Path

from textual.app import App, SuspendNotSupported

from pyrochat.terminal.writing.drafts import MOST_CHARACTERS
from pyrochat.values.errors import InvalidArgument, Unavailable


def written_in_editor(app: App[None], text: str) -> str:
    """What the user makes of *text* in $VISUAL or $EDITOR, for which the screen makes room.

    Raises Unavailable where there is none, InvalidArgument for what is too long to be written here.
    """
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="pyrochat-") as folder:
        path = Path(folder) / "message.txt"
        path.touch(0o600)
        path.write_text(text)
        try:
            with app.suspend():
                code = subprocess.run([*shlex.split(command), str(path)], check=False).returncode
        except (OSError, ValueError, SuspendNotSupported) as error:
            raise Unavailable(f"the editor {command!r} can't be started ({error}): set EDITOR") from None
        if code:
            raise Unavailable(f"the editor {command!r} has failed (exit code {code}): what was written is as before")
        written = path.read_text(errors="replace").rstrip("\n")
    if len(written) > MOST_CHARACTERS:
        raise InvalidArgument(f"{len(written):,} characters are too many: {MOST_CHARACTERS:,} are the most")
    return written


def open_link(link: str) -> None:
    """Open *link*, which is ``http`` or ``https``, in the user's browser, if there is one; in a thread: some wait."""
    if link.startswith(("http://", "https://")):
        threading.Thread(target=_open, args=(link,), name="pyrochat-link", daemon=True).start()


def _open(link: str) -> None:
    command = {"darwin": "open"}.get(os.uname().sysname.lower(), "xdg-open")
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):  # it is copied all the same
        # Not by `webbrowser`, which would draw a browser for terminals over the screen.
        subprocess.run(
            [command, link], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
            timeout=30,
        )  # fmt: skip
