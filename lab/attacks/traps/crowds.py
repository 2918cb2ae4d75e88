"""Many connections at once, and those that never read."""

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence

from Pyro5 import core

from lab.attacks.target import Target
from lab.attacks.traps import Trap
from lab.attacks.wire import LOBBY, Attacked, Stranger, call_frame, greeting, unused_name
from pyrochat.trust.keys import Key

_MAX_STRANGERS = 1024
_SETTLE_SECONDS = 3.0
_AT_ONCE_SECONDS = 3.0  # while hundreds are served as fast as they ask


@contextlib.contextmanager
def crowd_of(target: Target, count: int) -> Iterator[list[Stranger]]:
    """So many connections on which nothing is said."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Stranger(target.address)) for _ in range(count)]


def _opened_and_dropped(target: Target) -> str:
    """With a reset, so that no address is used up."""
    count = 5_000
    for _ in range(count):
        with socket.create_connection(target.address, 10) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return _joined(target, f"{count:,} dropped")


def _strangers(target: Target) -> str:
    """More than there is room for: the oldest go, and somebody new joins."""
    with crowd_of(target, 2_000) as crowd:
        joined = _joined(target, "")
        deadline = time.monotonic() + 5
        while (closed := _closed(crowd)) < len(crowd) - _MAX_STRANGERS and time.monotonic() < deadline:
            time.sleep(0.05)
        oldest = _closed(crowd[:closed])
        if closed < len(crowd) - _MAX_STRANGERS or oldest < closed:
            raise Attacked(f"{closed} were closed, {oldest} of them the oldest")
        return f"{closed} of 2,000 made room; {joined}"


def _closed(strangers: Sequence[Stranger]) -> int:
    """How many of them the server has closed."""
    poll = select.poll()
    for stranger in strangers:
        poll.register(stranger.sock, select.POLLIN)
    return len(poll.poll(0))


def _joined(target: Target, what: str) -> str:
    took = target.join_seconds("newcomer")
    if took > 1.0:
        raise Attacked(f"joining took {took:.2f} s")
    return f"{what}; joined in {took * 1000:.0f} ms".removeprefix("; ")


def _never_reads(target: Target, frames: bytes, name: str | None, count: int) -> str:
    """They ask and ask, and read no answer: their workers must not wait for them."""
    threads = target.vitals.threads
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(Stranger(target.address, room=4096)) for _ in range(count)]
        for number, each in enumerate(crowd):
            each.greet(name and f"{name}{number}")
        for each in crowd:
            each.sock.setblocking(False)
            with contextlib.suppress(OSError):
                each.sock.send(frames)
        at_once = target.join_seconds("early")
        more = target.vitals.threads - threads
        time.sleep(_SETTLE_SECONDS)
        later = _joined(target, f"{count} never read; at once joined in {at_once * 1000:.0f} ms, {more} threads more")
        if at_once > _AT_ONCE_SECONDS:
            raise Attacked(f"joining took {at_once:.1f} s; {later}")
        return later


def _nobodies_never_read(target: Target) -> str:
    return _never_reads(target, call_frame("get_metadata", LOBBY, object_id=core.DAEMON_NAME) * 200, None, 600)


def _guests_never_read(target: Target) -> str:
    """After a log that is worth asking for is there."""
    with target.stranger(60.0) as member:
        member.greet("writer").ask(call_frame("post_many", ["x" * 8000] * 100, "long"))
    return _never_reads(target, call_frame("history") * 20, "deaf", 100)


def _lingering_strangers(target: Target) -> str:
    """They speak while newcomers come, so that a worker has them when they should make room."""
    ping = call_frame("ping", object_id=core.DAEMON_NAME)
    with contextlib.ExitStack() as stack:
        kept: list[Stranger] = []
        for _ in range(3):
            talkers = [stack.enter_context(Stranger(target.address)).greet(None) for _ in range(400)]
            kept += talkers
            for _ in range(3):
                for each in talkers:
                    each.send(ping)
                for _ in range(400):
                    stack.enter_context(Stranger(target.address))
        time.sleep(1.0)
        before = target.vitals.descriptors
        joined = _joined(target, f"{before} descriptors")
        if before > _MAX_STRANGERS + 200:
            raise Attacked(f"{before} descriptors are open, {_MAX_STRANGERS} strangers are the most")
        return joined


def _wrong_signatures(target: Target) -> str:
    """Handshakes that end in a wrong proof, one after the other, for two seconds."""
    deadline, count, key = time.monotonic() + 2, 0, Key.made()
    while time.monotonic() < deadline:
        with target.stranger() as applicant:
            applicant.apply("forger", key)
            applicant.send(call_frame("prove", "00" * 64))
            if "proof-wrong" not in applicant.outcome():
                raise Attacked("a wrong signature is good enough")
        count += 1
    return _joined(target, f"{count:,} forgeries refused")


def _come_and_go(target: Target) -> str:
    """As many strangers as there may be, and guests who are gone before anybody has looked at their greeting twice."""
    deadline, counts = time.monotonic() + 5, []

    def churn() -> None:
        count = 0
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(target.address, 10) as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.sendall(greeting({"name": unused_name()}) + call_frame("members"))
                sock.recv(40)
                count += 1
        counts.append(count)

    with crowd_of(target, 1_100):
        threads = [threading.Thread(target=churn, daemon=True) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        return _joined(target, f"{sum(counts):,} come and gone")


TRAPS = [
    Trap("5,000 connections opened and dropped", _opened_and_dropped, "joined in"),
    Trap("2,000 strangers at once", _strangers, "made room.*joined in"),
    Trap("600 strangers who never read their answers", _nobodies_never_read, "joined in", most_mib=120),
    Trap("100 guests who never read histories", _guests_never_read, "joined in", most_mib=200),
    Trap("guests who come and go while strangers make room", _come_and_go, "come and gone.*joined in", most_mib=60),
    Trap("strangers who speak when they should make room", _lingering_strangers, "joined in", most_mib=60),
    Trap("wrong signatures", _wrong_signatures, "forgeries refused; joined in"),
]
