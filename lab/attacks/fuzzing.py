"""Mutated frames against a server, and against a client's callback connections."""

import random
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

from Pyro5 import protocol
from rich.console import Console

from lab.attacks.answering import fuzz_answers
from lab.attacks.mutations import Mutator, frames_to_callbacks, frames_to_rooms
from lab.attacks.target import Target, Vitals, settled
from lab.attacks.wire import Attacked, Hung, Stranger, call_frame, frame, packed
from pyrochat.trust.keys import Key
from pyrochat.values.protocol import CALLBACK_OBJECT

MOST_MIB = 20.0
_WARM_UP = 0.2
_THREADS = 4
_ANSWER_SECONDS = 0.05
_FRAMES_A_CONVERSATION = 100

Connect = Callable[[random.Random], Stranger]


class Fuzzer(threading.Thread):
    """Sends mutated frames, each followed by a ping that shows whether the connection has survived it."""

    def __init__(self, connect: Connect, seeds: Sequence[bytes], seed: int, frames: int) -> None:
        super().__init__(daemon=True)
        self._chance = random.Random(seed)
        self._mutator = Mutator(seeds, self._chance)
        self._connect = connect
        self._frames = frames
        self.sent = 0
        self.outcomes: Counter[str] = Counter()
        self.error: BaseException | None = None

    def run(self) -> None:
        """Send them all."""
        try:
            failures = 0
            while self.sent < self._frames:
                try:
                    stranger = self._connect(self._chance)
                except (Attacked, OSError) as error:
                    failures += 1
                    if failures > 200:
                        raise Attacked(f"can't connect any more: {error}") from None
                    time.sleep(0.05)  # the name of the connection before may not be free yet
                    continue
                failures = 0
                with stranger:
                    while self.sent < self._frames and self._survives(stranger):
                        pass
        except BaseException as error:
            self.error = error

    def _survives(self, stranger: Stranger) -> bool:
        """Send one more; whether the connection can be used again."""
        self.sent += 1
        sequence = self.sent & 0xFFFF
        stranger.sock.settimeout(_ANSWER_SECONDS)
        try:
            stranger.sock.sendall(self._mutator.next() + frame(protocol.MSG_PING, b"ping", sequence=sequence))
            while (reply := stranger.reply()) is not None:
                if reply.kind == protocol.MSG_PING and reply.sequence == sequence:
                    self.outcomes["answered"] += 1
                    return True
        except Hung:
            self.outcomes["waits for more"] += 1
            return False
        except (OSError, Attacked):
            pass
        self.outcomes["cut off"] += 1
        return False


def _run_fuzzers(connect: Connect, seeds: Sequence[bytes], seed: int, frames: int) -> Counter[str]:
    shares = [frames // _THREADS + (n < frames % _THREADS) for n in range(_THREADS)]
    fuzzers = [Fuzzer(connect, seeds, seed * 1000 + n, share) for n, share in enumerate(shares)]
    for fuzzer in fuzzers:
        fuzzer.start()
    for fuzzer in fuzzers:
        fuzzer.join()
    if errors := [fuzzer.error for fuzzer in fuzzers if fuzzer.error is not None]:
        raise Attacked(f"the fuzzer could not go on: {errors[0]}")
    return sum((fuzzer.outcomes for fuzzer in fuzzers), Counter())


def server_connections(address: tuple[str, int]) -> Connect:
    """Connects as a stranger, as nobody, as a guest, before `prove`, or as a member."""
    keys = {n: Key.made() for n in range(4)}

    def connect(chance: random.Random) -> Stranger:
        stranger = Stranger(address, timeout=5.0)
        number = chance.randrange(len(keys))
        name = f"fuzz{number}-{threading.get_ident() % 10_000}"
        try:
            match chance.randrange(6):
                case 0:
                    stranger.greet(None)
                case 1:
                    stranger.greet(f"guest{chance.randrange(100)}-{threading.get_ident() % 1000}")
                case 2:
                    stranger.apply(name, keys[number])
                case 3:
                    stranger.prove(name, keys[number])
                    stranger.ask(call_frame("join"))
        except BaseException:
            stranger.sock.close()
            raise
        return stranger

    return connect


def _phases(
    vitals: Vitals, connect: Connect, seeds: Sequence[bytes], seed: int, frames: int, what: str, console: Console
) -> None:
    """A warm-up and the run proper, each measured when all is quiet again. Raises Attacked."""
    threads, descriptors = vitals.threads, vitals.descriptors
    warm_up = int(frames * _WARM_UP)
    _run_fuzzers(connect, seeds, seed, warm_up)
    settled(vitals, threads, descriptors)
    memory = vitals.memory
    vitals.reset_peak()
    begun = time.monotonic()
    outcomes = _run_fuzzers(connect, seeds, seed + 1, frames - warm_up)
    seconds = time.monotonic() - begun
    quiet = settled(vitals, threads, descriptors)
    grown, peak = vitals.memory - memory, vitals.peak - memory
    console.print(
        f"{what}: {frames:,} frames, {(frames - warm_up) / seconds:,.0f}/s; {dict(outcomes)}\n"
        f"  memory {memory:.1f} MiB after the warm-up, {grown:+.1f} MiB at the end (peak {peak:+.1f}); "
        f"threads {threads} before, {vitals.threads} after; descriptors {descriptors} and {vitals.descriptors}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    if not quiet:
        raise Attacked(f"{what}: threads or descriptors are left")
    if grown > MOST_MIB:
        raise Attacked(f"{what}: grown by {grown:.1f} MiB, {MOST_MIB:g} are the most")


def fuzz_server(target: Target, seed: int, frames: int, console: Console) -> None:
    """Against the server, on which members chat. Raises Attacked."""
    target.check_alive()
    if target.crowd is not None:
        target.latency()
    _phases(target.vitals, server_connections(target.address), frames_to_rooms(), seed, frames, "server", console)
    target.check_alive()
    if target.crowd is not None:
        console.print(f"  sends of the members meanwhile: {target.latency()} ms (p50 / p99)", highlight=False)


def fuzz_callbacks(target: Target, seed: int, frames: int, console: Console) -> None:
    """Against the callback connections of a client. Raises Attacked."""
    client = target.start([sys.executable, "-m", "lab.attacks.fuzzed_client"], "fuzzed_client")
    port = int(client.line(20.0)[1].split()[1])

    def connect(chance: random.Random) -> Stranger:
        return Stranger(("127.0.0.1", port), timeout=5.0)

    vitals = Vitals(client.pid)
    _check_delivers(connect)
    _phases(vitals, connect, frames_to_callbacks(), seed, frames, "callback connection", console)
    if not client.is_running:
        raise Attacked("the client has ended")
    _check_delivers(connect)


def _check_delivers(connect: Connect) -> None:
    """Raise Attacked unless a delivery is taken and answered."""
    with connect(random.Random()) as room:
        message = [1, "lobby", "Erick", "hi", 1_700_000_000_000_000, "chat", *[None] * 5]
        reply = room.ask(call_frame("deliver", [message], [], object_id=CALLBACK_OBJECT))
        if reply.is_refusal or packed(reply.value) != packed([1, 0]):
            raise Attacked(f"a delivery is not answered: {reply.text}")


def fuzz(seed: int, frames: int, console: Console, progress: Callable[[str], None]) -> None:
    """Half of *frames* at each, and a conversation with odd answers for each hundred. Raises Attacked."""
    with Target() as target:
        progress("fuzzing the server")
        fuzz_server(target, seed, frames - frames // 2, console)
        progress("fuzzing a callback connection")
        fuzz_callbacks(target, seed, frames // 2, console)
        progress("answering a client oddly")
        fuzz_answers(target, seed, max(20, frames // _FRAMES_A_CONVERSATION), console)
        progress("verifying the log")
        target.verify()
        console.print("the log is whole, members are served", highlight=False)
        lines = Counter(
            line for line in target.log_text().splitlines() if re.match(r"\w+(\.\w+)*(Error|Exception)\b", line)
        )
        if lines:
            raise Attacked(f"errors that nobody had thought of: {lines.most_common(5)}")
