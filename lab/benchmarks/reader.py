"""A process that joins and reads: ``python -m lab.benchmarks.reader PORT``.

Prints how long the join took, how long a bare client takes to read the history, and how long `Chat.current` and a bare
`current` take, for messages from all over the log and for the one that is edited most.
"""

import json
import sys
import time
from collections.abc import Callable

from Pyro5.api import Proxy

from lab.benchmarks.peers.interface import HOST
from lab.benchmarks.peers.pyrochat_peer import ROOM
from pyrochat import join
from pyrochat.values.protocol import MAX_HISTORY, room_object

_ASKED = 1000


def main() -> None:
    """Read, print, and end without a farewell."""
    port = sys.argv[1]
    began = time.monotonic()
    chat = join("reader", ROOM, at=f"{HOST}:{port}")
    joining_seconds = time.monotonic() - began
    end = chat.history(last=1)[0].id
    ids = [1, *range(1, end, max(1, end // _ASKED))]
    with Proxy(f"PYRO:{room_object(ROOM)}@{HOST}:{port}") as room:
        room._pyroHandshake, room._pyroSerializer = {"name": "bare"}, "msgpack"
        room._pyroBind()
        began = time.monotonic()
        after = 0
        while after < end:
            after = room.history(after, MAX_HISTORY)[-1][0]
        history_seconds = time.monotonic() - began
        found = {
            "joining_seconds": joining_seconds,
            "history_seconds": history_seconds,
            "current_ms": _milliseconds(chat.current, ids),
            "bare_current_ms": _milliseconds(room.current, ids),
        }
    print(json.dumps(found), flush=True)
    sys.stdin.read()


def _milliseconds(ask: Callable[[int], object], ids: list[int]) -> list[float]:
    taken = []
    for id in ids:
        began = time.perf_counter()
        ask(id)
        taken.append((time.perf_counter() - began) * 1e3)
    return taken


if __name__ == "__main__":
    main()
