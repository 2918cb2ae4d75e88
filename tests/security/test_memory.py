"""What peers make a server keep has a bound for all together: who never reads, or never ends, pays for it."""

from __future__ import annotations

import contextlib
import select
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from lab.attacks.wire import Stranger, call_frame, frame, greeting
from pyrochat import Server
from pyrochat.core.rates import Rate
from pyrochat.pyro.budget import Budgets
from pyrochat.pyro.serializers import MSGPACK, encode_call
from tests.support import QUICK, Running, address_of, bare, eventually

MIB = 1 << 20
LONG_TEXTS = ["x" * 16_000] * 56


@pytest.fixture
def budgets() -> Budgets:
    return Budgets.of(unsent=3 * MIB, requests=2 * MIB, strangers=MIB // 2)


@pytest.fixture
def server(data: Path, budgets: Budgets) -> Iterator[Server]:
    """A server that keeps little for its peers, with a few megabytes in its log."""
    with Server(["lobby"], data, nameserver=False, timing=QUICK, rate=Rate(0, 0), budgets=budgets) as server:
        with bare(server, "writer", "msgpack") as writer:
            for _ in range(5):
                writer.post_many(LONG_TEXTS)
        yield server


@pytest.fixture
def crowd() -> Iterator[Callable[..., list[Stranger]]]:
    """Opens connections that keep little for us in the kernel; all closed at the end."""
    with contextlib.ExitStack() as stack:

        def open_(server: Server, count: int, name: str | None = None) -> list[Stranger]:
            opened = [stack.enter_context(Stranger(address_of(server), room=4096)) for _ in range(count)]
            for number, each in enumerate(opened if name else ()):
                each.greet(f"{name}{number}")
            return opened

        yield open_


Crowd = Callable[..., list[Stranger]]


def send_some(strangers: Sequence[Stranger], data: bytes) -> None:
    """As much of *data* as is taken at once."""
    for stranger in strangers:
        stranger.sock.setblocking(False)
        with contextlib.suppress(OSError):
            stranger.sock.send(data)


def hung_up(strangers: Sequence[Stranger]) -> int:
    """How many of them the server has ended."""
    poll = select.poll()
    for stranger in strangers:
        poll.register(stranger.sock, select.POLLRDHUP)
    return len(poll.poll(0))


def history_of(server: Server) -> int:
    """How many messages somebody reads who pages by what comes."""
    with bare(server, "reader", "msgpack") as reader:
        after = 0
        while page := reader.history(after):
            after = page[-1][0]
    return after


def test_found_3_answers_that_nobody_reads_have_a_budget(server: Server, budgets: Budgets, crowd: Crowd) -> None:
    deaf = crowd(server, 12, "deaf")
    send_some(deaf, call_frame("history") * 8)
    eventually(lambda: hung_up(deaf))
    assert history_of(server) == 5 * len(LONG_TEXTS)
    assert budgets.unsent.total <= budgets.unsent.most_bytes
    for stranger in deaf:
        stranger.sock.close()
    eventually(lambda: budgets.unsent.total == 0)


def test_found_3_requests_that_nobody_ends_have_a_budget(server: Server, budgets: Budgets, crowd: Crowd) -> None:
    payload = encode_call("pyrochat.lobby", "post_many", [LONG_TEXTS], MSGPACK)
    half = frame(1, payload)[: len(payload) // 2]
    slow = crowd(server, 12, "slow")
    threads = [Running(lambda each=each: each.send(half)) for each in slow]
    eventually(lambda: hung_up(slow) >= 4)
    with bare(server, "writer", "msgpack") as writer:
        assert len(writer.post_many(LONG_TEXTS)) == len(LONG_TEXTS)
    assert budgets.requests.total <= budgets.requests.most_bytes
    for thread, each in zip(threads, slow, strict=True):
        each.sock.close()
        thread.result()
    eventually(lambda: budgets.requests.total == 0)


def test_found_3_greetings_that_nobody_ends_have_a_budget_of_their_own(
    server: Server, budgets: Budgets, crowd: Crowd
) -> None:
    half = greeting({"name": "x" * 60_000})[:50_000]
    slow = crowd(server, 30)
    threads = [Running(lambda each=each: each.send(half)) for each in slow]
    eventually(lambda: hung_up(slow) >= 10)
    assert history_of(server) == 5 * len(LONG_TEXTS)
    assert budgets.strangers.total <= budgets.strangers.most_bytes
    assert budgets.requests.total == 0
    for thread in threads:
        thread.result()


def test_found_3_who_reads_what_it_has_asked_for_is_never_ended(server: Server, budgets: Budgets, crowd: Crowd) -> None:
    deaf = crowd(server, 12, "deaf")
    with Stranger(address_of(server)) as member:
        member.greet("eager").send(call_frame("history") * 10)
        send_some(deaf, call_frame("history") * 8)
        answers = [member.reply() for _ in range(10)]
    assert all(answer is not None and not answer.is_refusal for answer in answers)
    assert hung_up(deaf)


def test_found_3_a_request_counts_only_until_it_is_served(server: Server, budgets: Budgets) -> None:
    with Stranger(address_of(server)) as member:
        member.greet("member")
        for _ in range(10):
            assert not member.ask(call_frame("post_many", ["x" * 16_000] * 40)).is_refusal
        eventually(lambda: budgets.requests.total == 0)
