"""What strangers and guests could make a server keep: answers, deliveries, requests; and what a megabyte becomes."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence

from Pyro5 import protocol

from lab.attacks.target import Target
from lab.attacks.traps import Trap
from lab.attacks.wire import LOBBY, Attacked, Stranger, call_frame, frame, packed, unused_name

_MIB = 1 << 20
_MOST_MIB = 200.0
_LONG_TEXT = "x" * 16_000


def _write_long_texts(target: Target, count: int = 1000) -> None:
    """A log that is worth asking for."""
    with target.stranger(60.0) as writer:
        writer.greet(unused_name())
        for start in range(0, count, 50):
            reply = writer.ask(call_frame("post_many", [_LONG_TEXT] * 50, f"long-{start}"))
            if reply.is_refusal:
                raise Attacked(f"could not prepare: {reply.text}")


@contextlib.contextmanager
def _guests(target: Target, count: int, room: int = 0) -> Iterator[list[Stranger]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Stranger(target.address, room=room)).greet(unused_name()) for _ in range(count)]


def _joined(target: Target, what: str) -> str:
    took = target.join_seconds("newcomer")
    if took > 2.0:
        raise Attacked(f"joining took {took:.2f} s; {what}")
    return f"{what}; joined in {took * 1000:.0f} ms"


def _all_at_once(guests: Sequence[Stranger], send: Callable[[Stranger], None], threads: int = 20) -> None:
    """*send* for each of *guests*; who is cut off meanwhile is no matter."""

    def run(part: Sequence[Stranger]) -> None:
        for guest in part:
            with contextlib.suppress(OSError, Attacked):
                send(guest)

    running = [threading.Thread(target=run, args=(guests[n::threads],), daemon=True) for n in range(threads)]
    for each in running:
        each.start()
    for each in running:
        each.join(40.0)


def _unread_histories(target: Target) -> str:
    """Each asks for all that one call gives, ten times, and reads nothing."""
    _write_long_texts(target)
    with _guests(target, 100, room=4096) as guests:
        _all_at_once(guests, lambda guest: guest.send(call_frame("history", 0, 1000) * 10))
        return _joined(target, "100 never read")


def _unread_deliveries(target: Target) -> str:
    """Sessions that begin at a place of their own each, so that nothing is shared, and take nothing."""
    with _guests(target, 300, room=4096) as guests:
        for position, guest in enumerate(guests):
            joined = guest.ask(call_frame("join"))
            if joined.is_refusal or not isinstance(joined.value, list):
                return f"could not prepare: {joined.text}"
            guest.ask(call_frame("attach", joined.value[0], position))  # its welcome
            guest.send(frame(protocol.MSG_RESULT, packed("oneway")))
        return _joined(target, "300 sessions take nothing")


def _half_sent(target: Target) -> str:
    """Each sends a megabyte, but for its last byte."""
    whole = call_frame("post_many", [_LONG_TEXT] * 65)
    with _guests(target, 600) as guests:
        _all_at_once(guests, lambda guest: guest.send(whole[:-1]))
        return _joined(target, f"600 × {len(whole) / _MIB:.2f} MiB never end")


def _half_greeted(target: Target) -> str:
    with contextlib.ExitStack() as stack:
        strangers = [stack.enter_context(Stranger(target.address)) for _ in range(1000)]
        _all_at_once(strangers, lambda each: each.send(frame(protocol.MSG_CONNECT, size=65_000) + bytes(64_000)))
        return _joined(target, "1,000 greetings of 64 KiB never end")


def _whole_and_waiting(target: Target) -> str:
    """A megabyte each that is whole, becomes four where it is read, and has to wait for others' reading."""
    wide = "x" * 900_000 + "😀"  # one such letter, and Python keeps four bytes for each
    calls = [["history", [], {}], *[["post", [wide], {}]]]
    batch = frame(protocol.MSG_INVOKE, packed([LOBBY, "<batch>", calls, {}]), flags=protocol.FLAGS_BATCH)
    with _guests(target, 400) as guests:
        _all_at_once(guests, lambda guest: guest.send(batch))
        return _joined(target, f"400 × {len(batch) / _MIB:.2f} MiB at once")


def _bombs(payload: Callable[[], bytes]) -> Callable[[Target], str]:
    """The same from sixteen guests at once."""

    def attack(target: Target) -> str:
        data = frame(protocol.MSG_INVOKE, payload())
        said: list[str] = []
        with _guests(target, 16) as guests:
            _all_at_once(guests, lambda guest: said.append(guest.ask(data).text), threads=16)
        if len(said) < len(guests):
            raise Attacked(f"only {len(said)} of {len(guests)} were answered")
        return _joined(target, f"16 times: {said[0]}")

    return attack


def _argument(value: bytes) -> bytes:
    return b"\x94" + packed(LOBBY) + packed("post") + b"\x91" + value + b"\x80"


def _array(count: int) -> bytes:
    return b"\xdd" + count.to_bytes(4, "big")


TRAPS = [
    Trap("100 guests who never read histories of long texts", _unread_histories, "joined in", _MOST_MIB),
    Trap("300 sessions that take no delivery", _unread_deliveries, "joined in", _MOST_MIB),
    Trap("600 half-sent requests of a megabyte", _half_sent, "joined in", _MOST_MIB),
    Trap("1,000 half-sent greetings", _half_greeted, "joined in", 60.0),
    Trap("400 whole requests that have to wait", _whole_and_waiting, "joined in", _MOST_MIB),
    Trap("a megabyte of empty dicts", _bombs(lambda: _argument(_array(_MIB - 99) + b"\x80" * (_MIB - 99))), "too many", 60.0),
    Trap(
        "a megabyte of dicts in dicts",
        _bombs(lambda: _argument(_array(520) + (b"\x81\xa0" * 1000 + b"\x80") * 520)), "too many|too deep", 60.0,
    ),
    Trap(
        "a megabyte of lists that never end",
        _bombs(lambda: _argument((_array(24_000) + b"\x80" * 23_999) * 43 + b"\x80")), "too many|can't be read", 60.0,
    ),
]  # fmt: skip
