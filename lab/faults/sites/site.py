"""A site, as a process: ``python -m lab.faults.sites.site ORDER LABEL HOST PORT FOLDER PEER…``. It says ``ready``, and serves until SIGTERM."""

import logging
import signal
import sys
import threading
from pathlib import Path

from pyrochat.core.rates import rate_of
from pyrochat.hosting import sites_of
from pyrochat.room.server import Server

ROOM = "lobby"


def serve(order: str, label: str, host: str, port: int, folder: Path, peers: list[str]) -> None:
    """Until SIGTERM."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    sites = sites_of(order, label, peers, None, False)
    with Server(
        [ROOM], folder, host=host, port=port, advertise=host, nameserver=False, rate=rate_of(0), sites=sites
    ) as server:  # fmt: skip
        print(f"ready at {server.at}", flush=True)
        ended.wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    _, _order, _label, _host, _port, _folder, *_peers = sys.argv
    serve(_order, _label, _host, int(_port), Path(_folder), _peers)
