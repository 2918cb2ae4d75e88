"""Free ports, for servers that have to know theirs before they start."""

import contextlib
import itertools
import os
import socket
from collections.abc import Sequence

_PORTS = range(12_000, 30_000)  # below those that systems give to outgoing connections, so that a free one stays free
_STRIDE = 11_129  # the golden section of them: whoever has the next process id begins far away
_turns = itertools.count(os.getpid() * _STRIDE)


def free_port(host: str = "localhost") -> int:
    """A port that nobody listens on, and that this process was not given lately."""
    return free_ports([host])


def free_ports(hosts: Sequence[str], offsets: Sequence[int] = (0,)) -> int:
    """The first port of some that are free on each of *hosts*. offsets: from the first one to each."""
    while True:
        first = _PORTS[next(_turns) * (1 + max(offsets)) % len(_PORTS)]
        with contextlib.suppress(OSError), contextlib.ExitStack() as taken:
            for host in hosts:
                for offset in offsets:
                    taken.enter_context(socket.create_server((host, first + offset)))
            return first
