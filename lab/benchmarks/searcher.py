"""A process that searches: ``python -m lab.benchmarks.searcher PORT``.

Commands come as lines of JSON on its input, answers as lines on its output.
"""

import json
import sys
import time

from lab.benchmarks.peers.interface import HOST
from lab.benchmarks.peers.pyrochat_peer import ROOM
from pyrochat import Chat, join

_LOOK_SECONDS = 0.1


def searches(chat: Chat, words: str, count: int) -> dict[str, object]:
    """*count* searches, one after another: how long each took, and how many messages it found."""
    milliseconds = []
    for _ in range(count):
        began = time.perf_counter()
        found = len(chat.search(words))
        milliseconds.append((time.perf_counter() - began) * 1e3)
    return {"milliseconds": milliseconds, "found": found}


def wait_until_indexed(chat: Chat) -> None:
    """Until the server has indexed all that is there."""
    while not chat.search("anything", limit=1).is_complete:
        time.sleep(_LOOK_SECONDS)


def main() -> None:
    """Join, wait for the index, and answer until the input ends."""
    began = time.monotonic()
    with join("searcher", ROOM, at=f"{HOST}:{sys.argv[1]}") as chat:
        wait_until_indexed(chat)
        print(json.dumps({"ready_seconds": time.monotonic() - began}), flush=True)
        for line in sys.stdin:
            print(json.dumps(searches(chat, **json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
