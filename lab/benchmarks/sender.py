"""A process that sends: ``python -m lab.benchmarks.sender PEER PORT…``.

Commands come as lines of JSON on its input, answers as lines on its output; all times are
`time.monotonic_ns`, which all processes of a machine share.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

from lab.benchmarks.contestants import PEERS
from lab.benchmarks.member import raise_descriptor_limit
from lab.benchmarks.peers.interface import Sender
from lab.benchmarks.texts import plain_texts, timed_text

Answer = dict[str, object]


def _burst(sender: Sender, messages: int) -> Answer:
    texts = plain_texts(messages)
    first_ns = time.monotonic_ns()
    sender.burst(texts)
    return {"first_ns": first_ns, "done_ns": time.monotonic_ns()}


def _singles(sender: Sender, messages: int, threads: int) -> Answer:
    """*messages* single sends, divided among *threads* that share one sender."""
    shares = [plain_texts(messages // threads) for _ in range(threads)]

    def send_all(texts: Sequence[str]) -> None:
        for text in texts:
            sender.send(text)

    with ThreadPoolExecutor(threads) as pool:
        first_ns = time.monotonic_ns()
        list(pool.map(send_all, shares))
        return {"first_ns": first_ns, "done_ns": time.monotonic_ns()}


def paced(send: Callable[[str], None], rate: float, count: int) -> Answer:
    """*count* timed texts, *rate* a second. What waits for a late send is late too: begun is when it was due."""
    start = time.monotonic_ns()
    begun, acknowledged = [], []
    for number in range(count):
        due = start + int(number / rate * 1e9)
        if (wait := due - time.monotonic_ns()) > 0:
            time.sleep(wait / 1e9)
        send(timed_text(number))
        begun.append(due)
        acknowledged.append(time.monotonic_ns())
    return {"begun_ns": begun, "acknowledged_ns": acknowledged}


def main() -> None:
    """Answer commands until the input ends."""
    raise_descriptor_limit()
    peer, ports = PEERS[sys.argv[1]], [int(port) for port in sys.argv[2:]]
    sender: Sender | None = None
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        match json.loads(line):
            case {"do": "posts", "senders": int(senders), "seconds": seconds}:
                answer = asdict(peer.post(ports, senders, plain_texts(1)[0], seconds))
            case {"do": "burst", "messages": int(messages)}:
                sender = sender or peer.open_sender(ports)
                answer = _burst(sender, messages)
            case {"do": "singles", "messages": int(messages), "threads": int(threads)}:
                sender = sender or peer.open_sender(ports)
                answer = _singles(sender, messages, threads)
            case {"do": "paced", "rate": rate, "count": int(count)}:
                sender = sender or peer.open_sender(ports)
                answer = paced(sender.send, rate, count)
            case unknown:
                raise ValueError(f"unknown command: {unknown}")
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
