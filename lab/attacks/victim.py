"""A client that meets a hostile server: ``python -m lab.attacks.victim HOST:PORT [METHOD]``.

Joins, calls METHOD of its chat, waits a moment for what is delivered, and prints one line of JSON: what came of it, how
long it took, and the most memory that the process has had beyond what it had before.
"""

import json
import re
import sys
import threading
import time
from pathlib import Path

import pyrochat
from pyrochat import join

_LISTEN_SECONDS = 3.0


def _peak() -> float:
    """The most memory that this process has had, MiB. (Its resource usage would count what its parent had, too.)"""
    found = re.search(r"^VmHWM:\s+(\d+)", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


def _meet(at: str | None, method: str) -> str:
    states: list[str] = []
    ended = threading.Event()

    def heard(state: str, reason: str) -> None:
        states.append(f"{state} ({reason})" if reason else state)
        if state != "connected":
            ended.set()

    with join("victim", at=at, timing=pyrochat.Timing(progress_seconds=2.0)) as chat:
        chat.on_state(heard)
        chat.on_notice(lambda text: states.append(f"notice of {len(text):,} characters"))
        if method:
            return f"answered: {getattr(chat, method)()!r:.60}"
        ended.wait(_LISTEN_SECONDS)
        return "; ".join(states[:2]) or "joined"


def main(at: str | None, method: str) -> None:
    """See the module. at: None asks the name server."""
    before, begun = _peak(), time.monotonic()
    try:
        outcome = _meet(at, method)
    except pyrochat.PyroChatError as error:
        outcome = f"{type(error).__name__}: {error}"
    except Exception as error:
        outcome = f"NOT OURS {type(error).__name__}: {error}"
    seconds = time.monotonic() - begun
    said = {
        "outcome": outcome[:400], "characters": len(outcome), "seconds": round(seconds, 2),
        "grew": round(_peak() - before, 1),
    }  # fmt: skip
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if sys.argv[1] != "-" else None, sys.argv[2] if len(sys.argv) > 2 else "")
