"""Senders that only post, durably, each one text after another."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from lab.benchmarks.peers.interface import Posting, Sender


def post_in_threads(open_sender: Callable[[int], Sender], senders: int, text: str, seconds: float) -> Posting:
    """A connection and a thread for each sender; all begin together. open_sender: called with its number."""
    opened = [open_sender(number) for number in range(senders)]
    begin = threading.Barrier(senders + 1)

    def post_until_end(sender: Sender) -> int:
        sender.send(text)
        begin.wait()
        end = time.monotonic() + seconds
        count = 0
        while time.monotonic() < end:
            sender.send(text)
            count += 1
        return count

    with ThreadPoolExecutor(senders) as pool:
        counts = [pool.submit(post_until_end, sender) for sender in opened]
        begin.wait()
        first_ns = time.monotonic_ns()
        posts = sum(count.result() for count in counts)
        done_ns = time.monotonic_ns()
    for sender in opened:
        sender.close()
    return Posting(posts, first_ns, done_ns)
