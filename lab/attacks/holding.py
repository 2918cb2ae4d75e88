"""Connections that are held open and go nowhere, and somebody who joins meanwhile."""

import contextlib
import ssl
from collections.abc import Callable

from rich.console import Console

from lab.attacks.target import Target
from lab.attacks.wire import Attacked, Stranger, unverified

_MOST_SECONDS = 1.0
_JOINS = 5


def hold(silent: int, half_done: int, console: Console, progress: Callable[[str], None], members: int = 10) -> float:
    """Hold them open at a TLS server; the most seconds that somebody needed to join. Raises Attacked."""
    with Target(members, tls=True) as target, contextlib.ExitStack() as held:
        progress("somebody joins in peace")
        calm = max(target.join_seconds(f"early{n}") for n in range(_JOINS))
        threads = target.vitals.threads
        progress(f"holding {silent} silent connections and {half_done} half-done handshakes")
        crowd = [held.enter_context(Stranger(target.address)) for _ in range(silent + half_done)]
        for number, stranger in enumerate(crowd[silent:]):
            hello = _hello()
            stranger.send(hello if number % 2 else hello[: len(hello) // 2])  # the first waits for our next words
        slowest = max(target.join_seconds(f"late{n}") for n in range(_JOINS))
        more = target.vitals.threads - threads
        figures = f"joining took {calm * 1000:.0f} ms at most in peace, {slowest * 1000:.0f} ms with "
        figures += f"{silent} silent connections and {half_done} half-done TLS handshakes; {more} threads more"
        console.print(figures, highlight=False, soft_wrap=True)
        if members:
            console.print(f"sends of {members} members meanwhile: {target.latency()} ms (p50 / p99)", highlight=False)
        if slowest > _MOST_SECONDS:
            raise Attacked(f"joining took {slowest:.2f} s")
        return slowest


def _hello() -> bytes:
    """The first words of TLS."""
    outgoing = ssl.MemoryBIO()
    tls = unverified().wrap_bio(ssl.MemoryBIO(), outgoing)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()
