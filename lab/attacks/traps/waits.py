"""What could make a thread wait that others need; somebody else asks meanwhile, and takes the time."""

import contextlib
import threading
import time
from collections.abc import Iterator

from Pyro5 import protocol

from lab.attacks.target import Target
from lab.attacks.traps import Trap
from lab.attacks.traps.callbacks import Callback
from lab.attacks.wire import LOBBY, Attacked, Stranger, call_frame, frame, packed, unused_name

_SECONDS = 5.0
_UNTIL_WATCHED_SECONDS = 0.6
_MOST_SECONDS = 1.0  # that anybody may have to wait for an answer meanwhile


class _Waits:
    """How long somebody waits for each answer while others attack."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._over = threading.Event()
        self.seconds: list[float] = []
        self.error: Exception | None = None

    def run(self) -> None:
        """Ask for what a worker answers, and post what the watching thread takes, ten times a second."""
        try:
            with self._target.stranger() as guest:
                guest.greet(unused_name())
                while not self._over.wait(0.1):
                    for asked in (call_frame("members"), call_frame("post", "is anybody there?")):
                        begun = time.monotonic()
                        guest.ask(asked)
                        self.seconds.append(time.monotonic() - begun)
        except (Attacked, OSError) as error:
            self.error = error

    def end(self) -> None:
        """No more."""
        self._over.set()


@contextlib.contextmanager
def _asking(target: Target) -> Iterator[_Waits]:
    """Somebody asks meanwhile. Raises Attacked at the end, where an answer took long or did not come."""
    waits = _Waits(target)
    thread = threading.Thread(target=waits.run, daemon=True)
    thread.start()
    try:
        yield waits
    finally:
        waits.end()
        thread.join(30.0)
    if waits.error is not None or thread.is_alive():
        raise Attacked(f"somebody who asks meanwhile is not answered: {waits.error or 'still waiting'}")
    if max(waits.seconds, default=0.0) > _MOST_SECONDS:
        raise Attacked(f"somebody had to wait for {max(waits.seconds):.1f} s")


def _said(waits: _Waits, what: str) -> str:
    return f"{what}; {len(waits.seconds)} answers to others within {max(waits.seconds) * 1000:.0f} ms"


def _disguised(target: Target) -> str:
    """Batches that call themselves `post`, and connect to callbacks that never shake hands.

    Each comes when no worker has its connection any more: then it is the watching thread that looks at it.
    """
    counts: list[int] = []

    def disguise(uri: str, deadline: float) -> None:
        batch = frame(
            protocol.MSG_INVOKE, packed([LOBBY, "post", [["join", [uri], {}]], {}]), flags=protocol.FLAGS_BATCH
        )
        count = 0
        with contextlib.suppress(Attacked, OSError), target.stranger() as guest:
            guest.greet(unused_name())
            while time.monotonic() < deadline:
                time.sleep(_UNTIL_WATCHED_SECONDS)
                guest.ask(batch)
                count += 1
        counts.append(count)

    with _asking(target) as waits, contextlib.ExitStack() as stack:
        deadline = time.monotonic() + _SECONDS
        threads = []
        for _ in range(3):
            callback = stack.enter_context(Callback(lambda room: None))
            threads.append(threading.Thread(target=disguise, args=(callback.uri, deadline), daemon=True))
            threads[-1].start()
        for thread in threads:
            thread.join(_SECONDS + 20.0)
    return _said(waits, f"{sum(counts)} batches in disguise")


def _refused_in_a_row(target: Target) -> str:
    """Calls that are refused at once, thousands in a row, by guests who read the answers and send on."""

    def flood(deadline: float) -> None:
        refused = call_frame("post", "") * 900
        with contextlib.suppress(Attacked, OSError), target.stranger() as guest:
            guest.greet(unused_name())
            while time.monotonic() < deadline:
                guest.send(refused)
                for _ in range(900):
                    guest.reply()

    with _asking(target) as waits:
        deadline = time.monotonic() + _SECONDS
        threads = [threading.Thread(target=flood, args=(deadline,), daemon=True) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(_SECONDS + 20.0)
    return _said(waits, "10 guests with calls that are refused at once")


def _chatty_guests(target: Target) -> str:
    """Guests who ask on right after their greeting, so that whoever greeted them has no time for anybody else."""
    with contextlib.ExitStack() as stack:
        guests: list[Stranger] = []
        for _ in range(16):
            guest = stack.enter_context(target.stranger()).greet(unused_name())
            guest.send(call_frame("members") * 20_000)
            guests.append(guest)
        took = target.join_seconds("newcomer")
        if took > _MOST_SECONDS:
            raise Attacked(f"joining took {took:.1f} s")
        return f"{len(guests)} guests ask without a pause; joined in {took * 1000:.0f} ms"


def _odd_quick_frames(target: Target) -> str:
    """Pings and greetings with the payload of a post, other flags, a megabyte of annotations."""
    post = packed([LOBBY, "post", ["x"], {}])
    flags = (protocol.FLAGS_KEEPSERIALIZED, protocol.FLAGS_ITEMSTREAMRESULT, 0x8000)
    with target.stranger() as guest:
        guest.greet(unused_name())
        said = [guest.ask(frame(protocol.MSG_INVOKE, post, flags=flag)).text for flag in flags]
        said.append(guest.ask(frame(protocol.MSG_INVOKE, post, annotations=bytes(1_000_000))).text)
        if guest.ask(frame(protocol.MSG_PING, post)).kind != protocol.MSG_PING:
            raise Attacked("a ping is no ping")
        guest.send(frame(protocol.MSG_CONNECT, post))
        return f"{len(said)} served as what they are; {guest.outcome()}"


TRAPS = [
    Trap("batches that call themselves post", _disguised, "answers to others within"),
    Trap("thousands of refused calls in a row", _refused_in_a_row, "answers to others within", most_mib=30),
    Trap("guests who ask on right after their greeting", _chatty_guests, "joined in", most_mib=30),
    Trap("odd frames with a quick payload", _odd_quick_frames, "served as what they are; .*a call is expected"),
]
