"""Mutated frames at a server and at a client's callback connection, and odd answers to a client.

``python -m lab attacks fuzz`` has many more.
"""

from __future__ import annotations

import logging
import random
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab.attacks.answering import odd_server
from lab.attacks.fuzzed_chat import converse
from lab.attacks.fuzzed_client import serve
from lab.attacks.fuzzing import Fuzzer, server_connections
from lab.attacks.mutations import Mutator, frames_to_callbacks, frames_to_rooms
from lab.attacks.wire import Stranger, call_frame
from pyrochat import Chat, Server
from pyrochat.client.answers import QUESTIONS
from pyrochat.values.protocol import CALLBACK_OBJECT
from tests.support import QUICK_PACE, Running, address_of, eventually

FRAMES = 1500
CONVERSATIONS = 120
SEEDS = [1, 2]


@pytest.fixture
def server(host_lobby: Callable[..., Server]) -> Server:
    """A server whose workers end as soon as they have nothing to do."""
    return host_lobby(pace=replace(QUICK_PACE, spare_worker_seconds=0.05))


def fuzz(fuzzer: Fuzzer) -> None:
    """Let *fuzzer* send all that it has."""
    fuzzer.run()
    if fuzzer.error is not None:
        raise fuzzer.error
    assert fuzzer.sent == FRAMES
    assert fuzzer.outcomes["answered"] > FRAMES / 20  # it gets beyond the header


@pytest.mark.parametrize("seed", SEEDS)
def test_a_server_withstands_mutated_frames(
    server: Server, joined: Callable[..., Chat], caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    erick = joined("Erick")
    transport = server._daemon.transportServer  # type: ignore[union-attr]
    before = transport.connection_count
    fuzz(Fuzzer(server_connections(address_of(server)), frames_to_rooms(), seed, FRAMES))
    eventually(lambda: transport.connection_count <= before)
    eventually(lambda: not [t for t in threading.enumerate() if t.name.startswith("pyrochat-worker")])
    assert erick.send("still here", timeout=20).text == "still here"
    assert erick.verify()
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []


@pytest.fixture
def callback_port() -> Iterator[int]:
    """Where a client's callbacks are served."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = Running(lambda: serve(listening))
        yield int(listening.getsockname()[1])
        listening.shutdown(socket.SHUT_RDWR)
    serving.result()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_callback_connection_withstands_mutated_frames(
    callback_port: int, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    address = ("127.0.0.1", callback_port)
    fuzz(Fuzzer(lambda chance: Stranger(address, timeout=5.0), frames_to_callbacks(), seed, FRAMES))
    with Stranger(address) as room:
        message = [1, "lobby", "Erick", "hi", 1_700_000_000_000_000, "chat", *[None] * 5]
        assert room.ask(call_frame("deliver", [message], [], object_id=CALLBACK_OBJECT)).value == [1, 0]
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("seed", SEEDS)
def test_found_12c_a_client_withstands_odd_answers_to_all_that_it_asks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    """And odd calls of its callback: what comes of it is what was asked for, or an error of the tree, fit to be printed."""
    outcomes: Counter[str] = Counter()
    with odd_server(tmp_path / "odd", seed) as server:
        for _ in range(CONVERSATIONS):
            outcomes += Running(lambda: converse(server.at)).result(60)  # type: ignore[arg-type]
        assert {question.method for question in QUESTIONS} <= {*server.calls}
    for step in ("suspected", "sites", "confirmations", "search", "send", "send_many", "verify"):
        assert outcomes[f"{step}: fine"] > CONVERSATIONS / 20
    assert outcomes["join: ServerFault"] > CONVERSATIONS / 20
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []


def test_the_same_seed_makes_the_same_frames() -> None:
    one, other = (Mutator(frames_to_rooms(), random.Random(7)) for _ in range(2))
    made = [one.next() for _ in range(500)]
    assert made == [other.next() for _ in range(500)]
    assert len(set(made)) > 450
