"""What guests cost the others: places, names, callbacks; and what strangers can guess."""

import contextlib
import itertools
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

from lab.attacks.target import Target
from lab.attacks.traps import Trap
from lab.attacks.traps.callbacks import Callback, shake_hands
from lab.attacks.wire import Attacked, Stranger, call_frame, greeting, unused_name
from lab.processes import eventually
from pyrochat.trust.keys import Key

_MOST_SECONDS = 2.0
_DESCRIPTORS = 1024
_CROWDS = {"127.0.0.1": 500, "127.0.0.2": 300, "127.0.0.3": 300}  # more than there are descriptors
_JOINS = 20
_CALLBACKS = 600
_GUESSERS = 8
_GUESSING_SECONDS = 4.0
_GUESSES_A_SECOND, _GUESSES_AT_ONCE = 10, 20


def _idle_guests(target: Target) -> str:
    """As many as fit, and more, from three addresses."""
    with contextlib.ExitStack() as stack:
        guests = []
        for source, count in _CROWDS.items():
            for _ in range(count):
                guest = Stranger(target.address, source=source).greet(unused_name())
                guests.append(stack.enter_context(guest))
        took = _quickly("a newcomer with a key", lambda: target.join_seconds("late"))
        poll = select.poll()
        for guest in guests:
            poll.register(guest.sock, select.POLLIN)
        gone = len(poll.poll(0))
        if not gone:
            raise Attacked(f"all {len(guests):,} guests have a place, as if nothing bounded them")
        if guests[-1].ask(call_frame("members")).is_refusal:
            raise Attacked("the last guest is not served")
        return f"{len(guests) - gone:,} of {len(guests):,} guests have a place; joined in {took * 1000:.0f} ms"


def _quickly(who: str, act: Callable[[], float]) -> float:
    took = act()
    if took > _MOST_SECONDS:
        raise Attacked(f"{who} needed {took:.1f} s")
    return took


@contextlib.contextmanager
def _in_threads(count: int, act: Callable[[int], None]) -> Iterator[None]:
    """*act*, with the thread's number, again and again in so many threads meanwhile."""
    over = threading.Event()

    def run(number: int) -> None:
        while not over.is_set():
            with contextlib.suppress(OSError, Attacked):
                act(number)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(30.0)


def _greeters(target: Target) -> str:
    """They greet under somebody's name in a loop, as guests and with keys of their own, while its owner comes and goes."""
    target.join_seconds("owner")
    keys = [None, None, None, Key.made(), Key.made(), None]
    told: Counter[str] = Counter()

    def greet(number: int) -> None:
        key = keys[number]
        with Stranger(target.address, source=f"127.0.0.{number // 2 + 1}") as stranger:
            words = greeting({"name": "owner"}) if key is None else call_frame("prove", stranger.apply("OWNER", key))
            reply = stranger.ask(words)
            told[reply.text.partition(":")[0] if reply.is_refusal else "let in"] += 1

    with _in_threads(len(keys), greet):
        slowest = max(target.join_seconds("owner") for _ in range(_JOINS))
    if set(told) != {"name-taken"}:
        raise Attacked(f"they were told {dict(told)}")
    return f"{_JOINS} joins of the owner beside {told['name-taken']:,} greetings, none refused, {slowest * 1000:.0f} ms at most"


def _silent_callbacks(target: Target) -> str:
    """They are connected to, and never shake hands; others call meanwhile, with callbacks of the same address too."""
    threads = target.vitals.threads
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=_CALLBACKS))
        uri = f"PYRO:x@127.0.0.1:{listening.getsockname()[1]}"
        callers = [stack.enter_context(target.stranger()).greet(unused_name()) for _ in range(_CALLBACKS)]
        for caller in callers:
            caller.send(call_frame("join", uri))
        asked = max(_quickly("a call", lambda: _call_seconds(target, "members")) for _ in range(10))
        with Callback(shake_hands) as callback:
            joined = _quickly("a join with a callback", lambda: _call_seconds(target, "join", callback.uri))
        more = target.vitals.threads - threads
        late = _quickly("a newcomer with a key", lambda: target.join_seconds("late"))
        return (
            f"{more} threads more; a call took {asked * 1000:.0f} ms at most, a join with a callback "
            f"{joined * 1000:.0f}; joined in {late * 1000:.0f} ms"
        )


def _call_seconds(target: Target, method: str, *arguments: object) -> float:
    with target.stranger() as guest:
        guest.greet(unused_name())
        begun = time.perf_counter()
        reply = guest.ask(call_frame(method, *arguments))
        took = time.perf_counter() - begun
        if reply.is_refusal:
            raise Attacked(f"{method} is refused: {reply.text}")
        return took


def _guesses(target: Target) -> str:
    """Passwords are guessed from 250 addresses, while a member whose key is known comes and goes."""
    target.join_seconds("member")
    addresses = itertools.cycle([f"127.0.1.{number}" for number in range(1, 251)])
    told: Counter[str] = Counter()

    def guess(number: int) -> None:
        with Stranger(target.address, source=next(addresses)) as stranger:
            reply = stranger.ask(greeting({"name": unused_name(), "password": f"guess{number}"}))
            told[reply.text.partition(":")[0] if reply.is_refusal else "let in"] += 1

    begun = time.monotonic()
    joins: list[float] = []
    with _in_threads(_GUESSERS, guess):
        while time.monotonic() < begun + _GUESSING_SECONDS:
            joins.append(_quickly("a member", lambda: target.join_seconds("member")))
    seconds = time.monotonic() - begun
    heard = told["wrong-password"]
    if told["let in"] or heard > _GUESSES_AT_ONCE + 1 + _GUESSES_A_SECOND * seconds:
        raise Attacked(f"they were told {dict(told)} in {seconds:.1f} s")
    eventually(lambda: _is_let_in(target), _MOST_SECONDS, "a guest with the password gets in once nobody guesses")
    return (
        f"{heard} of {told.total():,} guesses heard in {seconds:.1f} s; a member joined {len(joins)} times, "
        f"in {max(joins) * 1000:.0f} ms at most"
    )


def _is_let_in(target: Target) -> bool:
    with target.stranger() as guest:
        reply = guest.ask(greeting({"name": unused_name(), "password": target.password}))
        return not reply.is_refusal


TRAPS = [
    Trap("idle guests, more than there are places", _idle_guests, "joined in", descriptors=_DESCRIPTORS),
    Trap("greeters under an owner's name", _greeters, "none refused"),
    Trap(f"{_CALLBACKS} callbacks that never answer", _silent_callbacks, "joined in", most_mib=30),
    Trap("passwords guessed from 250 addresses", _guesses, "a member joined", private=True),
]
