"""The end of the connection to NATS."""

from __future__ import annotations

import asyncio
import threading

from pyrochat.orders.cluster.cluster import connection
from pyrochat.orders.cluster.engine import Engine
from tests.support import free_port

PATIENCE_SECONDS = 20.0


def test_a_task_that_misses_its_cancellation_does_not_hold_up_the_end() -> None:
    """As Python 3.11's `asyncio.wait_for` does, where what it waits for comes in the same turn of the loop."""
    engine = Engine(connection([f"nats://127.0.0.1:{free_port()}"]), "tests", 1)
    missed, is_working = threading.Event(), threading.Event()

    async def work() -> None:
        is_working.set()
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if missed.is_set():
                    raise
                missed.set()

    engine.do(work)
    assert is_working.wait(PATIENCE_SECONDS)
    ending = threading.Thread(target=engine.close, daemon=True)
    ending.start()
    ending.join(PATIENCE_SECONDS)
    assert missed.is_set()
    assert not ending.is_alive()
