"""Members who chat, in one process: ``python -m lab.attacks.crowd``. Asked by a line on standard input.

``take`` is answered with the latencies of the sends since the last time, ``errors``, and who is connected.
"""

import argparse
import json
import os
import sys
import threading
import time

import pyrochat
from pyrochat import Chat, PyroChatError
from pyrochat.folders import config_folder


class Chatter:
    """A member that sends every so often, and takes down how long each send took."""

    def __init__(self, chat: Chat, every: float, delay: float) -> None:
        self.chat = chat
        self.latencies: list[float] = []
        self.errors: list[str] = []
        self._every = every
        self._delay = delay
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        time.sleep(self._delay)
        number = 0
        while True:
            begun = time.perf_counter()
            try:
                self.chat.send(f"message {number}", timeout=30)
            except PyroChatError as error:
                self.errors.append(str(error))
            took = time.perf_counter() - begun
            self.latencies.append(took * 1000)
            number += 1
            time.sleep(max(0.0, self._every - took))

    def take(self) -> tuple[list[float], list[str]]:
        """What was taken down since the last time."""
        taken, self.latencies = self.latencies, []
        errors, self.errors = self.errors, []
        return taken, errors


def main() -> None:
    """Join, chat, answer."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--at", required=True)
    parser.add_argument("--fingerprint")
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--every", type=float, default=0.1)
    given = parser.parse_args()
    how = {"at": given.at, "fingerprint": given.fingerprint, "password": os.environ.get("PYROCHAT_PASSWORD")}
    chats = [_joined(f"member{n}", **how) for n in range(given.count)]
    chatters = [Chatter(chat, given.every, given.every * n / given.count) for n, chat in enumerate(chats)]
    _say("ready")
    for line in sys.stdin:
        if line.strip() == "take":
            taken = [chatter.take() for chatter in chatters]
            latencies = [each for found, _ in taken for each in found]
            errors = [each for _, found in taken for each in found]
            connected = sum(chat.state == "connected" for chat in chats)
            _say(json.dumps({"latencies": latencies, "errors": errors, "connected": connected}))


def _joined(name: str, **how: str | None) -> Chat:
    """A member with a key of its own: what one does is not another's doing."""
    own = config_folder()
    os.environ["PYROCHAT_CONFIG_DIR"] = str(own / name)
    try:
        return pyrochat.join(name, **how)  # type: ignore[arg-type]
    finally:
        os.environ["PYROCHAT_CONFIG_DIR"] = str(own)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
