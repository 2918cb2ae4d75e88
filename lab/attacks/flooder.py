"""One flood, in a process of its own: ``python -m lab.attacks.flooder``; prints what came of it."""

import argparse
import contextlib
import json
import secrets
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable

from Pyro5 import protocol

from lab.attacks.wire import Attacked, Stranger, call_frame
from pyrochat.folders import key_file
from pyrochat.trust.keys import Key


class Flood:
    """What one connection does as fast as it can, until *deadline*."""

    def __init__(self, address: tuple[str, int], key: Key, deadline: float) -> None:
        self.address = address
        self.key = key
        self.deadline = deadline
        self.answers: Counter[str] = Counter()

    def run(self, kind: str) -> None:
        """Flood; a connection that is cut off is made anew."""
        while time.monotonic() < self.deadline:
            try:
                KINDS[kind](self)
            except (Attacked, OSError) as error:
                self.answers[f"connection: {str(error)[:60]}"] += 1
                time.sleep(0.01)

    def _ask(self, member: Stranger, data: bytes) -> None:
        reply = member.ask(data)
        self.answers[reply.text.split(":")[0] if reply.is_refusal else "served"] += 1

    def _member(self) -> Stranger:
        """One connection more of the one member that floods."""
        return Stranger(self.address).prove("flood", self.key)

    def _calls(self, method: str, *arguments: object) -> None:
        with self._member() as member:
            data = call_frame(method, *arguments)
            while time.monotonic() < self.deadline:
                self._ask(member, data)

    def post(self) -> None:
        """One text after the other."""
        self._calls("post", "flood")

    def post_many(self) -> None:
        """Ten thousand texts in a call."""
        self._calls("post_many", ["flood"] * 10_000)

    def history(self) -> None:
        """All that one call gives."""
        self._calls("history", 0, 1000)

    def mark_read(self) -> None:
        """Each waits for a commit."""
        with self._member() as member:
            member.ask(call_frame("join"))
            data = call_frame("mark_read", 1)
            while time.monotonic() < self.deadline:
                self._ask(member, data)

    def oneway(self) -> None:
        """Posts for which nobody waits."""
        with self._member() as member:
            data = call_frame("post", "flood", flags=protocol.FLAGS_ONEWAY) * 100
            while time.monotonic() < self.deadline:
                member.sock.sendall(data)
                self.answers["sent"] += 100

    def join(self) -> None:
        """In and out."""
        with self._member() as member:
            while time.monotonic() < self.deadline:
                self._ask(member, call_frame("join"))
                self._ask(member, call_frame("leave"))

    def forge(self) -> None:
        """Handshakes that end in a wrong signature."""
        key = Key.made()
        while time.monotonic() < self.deadline:
            with Stranger(self.address) as applicant:
                applicant.apply("forger", key)
                self._ask(applicant, call_frame("prove", "00" * 64))

    def lists(self) -> None:
        """Values without end, which nobody wants."""
        self._calls("post", [[]] * 60_000)

    def rename(self) -> None:
        """A guest that takes another name as soon as it is told to wait."""
        while time.monotonic() < self.deadline:
            with Stranger(self.address) as guest:
                self._write_until_refused(guest.greet(_fresh_name()))

    def rekey(self) -> None:
        """A member that comes with a new key, under a new name, as soon as it is told to wait."""
        while time.monotonic() < self.deadline:
            with Stranger(self.address) as member:
                self._write_until_refused(member.prove(_fresh_name(), Key.made()))

    def _write_until_refused(self, member: Stranger) -> None:
        """As many bytes as one call holds, again and again."""
        data = call_frame("post_many", ["x" * 16_000] * 56)
        while time.monotonic() < self.deadline:
            reply = member.ask(data)
            self.answers[reply.text.split(":")[0] if reply.is_refusal else "served"] += 1
            if reply.is_refusal:
                return


def _fresh_name() -> str:
    return f"flood{secrets.token_hex(8)}"


KINDS: dict[str, Callable[[Flood], None]] = {
    name: getattr(Flood, name)
    for name in ("post", "post_many", "oneway", "join", "history", "mark_read", "forge", "lists", "rename", "rekey")
}


def main() -> None:
    """Flood as the options say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--kind", choices=sorted(KINDS), required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--connections", type=int, default=1)
    given = parser.parse_args()
    deadline = time.monotonic() + given.seconds
    key = Key.kept_at(key_file().with_name("flooder.pem"))  # the same in every flood: the name belongs to it
    floods = [Flood(("127.0.0.1", given.port), key, deadline) for _ in range(given.connections)]
    threads = [threading.Thread(target=flood.run, args=(given.kind,)) for flood in floods]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(sum((flood.answers for flood in floods), Counter())) + "\n")


if __name__ == "__main__":
    main()
