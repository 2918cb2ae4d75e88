"""A process that joins: ``python -m lab.benchmarks.newcomer NEWCOMERS FOLDER PORT``.

Prints how long the joins took, all begun together, and how long reading the rows of the log in FOLDER took.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.benchmarks.logs import rows_of
from lab.benchmarks.member import raise_descriptor_limit
from lab.benchmarks.peers.interface import HOST
from lab.benchmarks.peers.pyrochat_peer import ROOM
from pyrochat import join


def main() -> None:
    """Read, join, print, and end without a farewell."""
    raise_descriptor_limit()
    newcomers, folder, port = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    began = time.monotonic()
    rows = rows_of(folder)
    reading_seconds = time.monotonic() - began

    def join_as(number: int) -> float:
        chat = join(f"newcomer{number}", ROOM, at=f"{HOST}:{port}")
        assert chat.history(last=1)[0].id >= len(rows)
        return time.monotonic() - began

    began = time.monotonic()
    with ThreadPoolExecutor(newcomers) as pool:
        seconds = list(pool.map(join_as, range(newcomers)))
    print(json.dumps({"rows": len(rows), "reading_seconds": reading_seconds, "joining_seconds": seconds}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
